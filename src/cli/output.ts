import { wantsColor } from "../config/environment.ts";
import type { LogSettings } from "../config/settings.ts";
import { stringify } from "../json.ts";
import { type Colors, colors } from "../observability/colors.ts";
import type { AdjustableLog } from "../observability/log.ts";
import { printable } from "../printable.ts";
import type { CliContext, Output } from "./context.ts";

/** One document of `--json`. */
export function printJson(context: CliContext, document: unknown): void {
  context.stdout.write(`${stringify(document)}\n`);
}

/** One line or several, without colours. Names in it may come from a storage. */
export function printLine(context: CliContext, text: string): void {
  context.stdout.write(`${printable(text)}\n`);
}

/** Colour only on a terminal, and only if nobody said no. */
export function paint(context: CliContext, output: Output): Colors {
  return colors(isColored(context, output));
}

function isColored(context: CliContext, output: Output): boolean {
  return output.isTTY === true && wantsColor(context.env);
}

/** The log goes to stderr: stdout belongs to the command's own result. */
export async function openLog(context: CliContext, settings: LogSettings): Promise<AdjustableLog> {
  const { createLog } = await import("../observability/log.ts");
  const { stderr, clock } = context;
  return createLog(settings, {
    clock,
    color: isColored(context, stderr),
    write: (line) => stderr.write(line),
  });
}
