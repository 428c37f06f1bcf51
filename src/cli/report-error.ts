import { toWalrustError, type WalrustError } from "../errors.ts";
import { errorFacts } from "../observability/error-facts.ts";
import { printable } from "../printable.ts";
import type { CliContext } from "./context.ts";
import { paint, printJson } from "./output.ts";

/** Says what went wrong, to people on stderr and with `--json` also to machines on stdout. Returns the exit code: that of the error, unless another one is given. */
export function reportError(
  thrown: unknown,
  context: CliContext,
  options: { readonly json: boolean; readonly exitCode?: number },
): number {
  const error = toWalrustError(thrown);
  const { red, dim } = paint(context, context.stderr);
  const stack = error.code === "INTERNAL" ? [dim(printable(stackOf(error)))] : [];
  const lines = [
    `${red("error:")} ${printable(error.message)}`,
    ...(error.hint === undefined ? [] : [printable(error.hint)]),
    ...stack,
  ];
  context.stderr.write(`${lines.join("\n")}\n`);
  const { exitCode = error.exitCode } = options;
  if (options.json) printJson(context, { error: { ...errorFacts(error), exit_code: exitCode } });
  return exitCode;
}

function stackOf(error: WalrustError): string {
  return (error.cause instanceof Error ? error.cause.stack : error.stack) ?? "";
}
