import { parse } from "../json.ts";
import { printable } from "../printable.ts";
import { type Colors, colors } from "./colors.ts";

/** Facts of the line itself; an event's message says all that its facts say. */
const FRAME: ReadonlySet<string> = new Set(["level", "time", "message"]);

/** A JSON line of the log as people read it: `2026-01-31T12:00:00.000Z INFO  app: ... key=value`. */
export function textLine(jsonLine: string, options: { readonly color: boolean }): string {
  const line = parse(jsonLine) as Readonly<Record<string, unknown>>;
  const paint = colors(options.color);
  const level = String(line["level"]);
  const head = `${paint.dim(String(line["time"]))} ${paintLevel(paint, level)} ${messageText(line["message"])}`;
  return `${head}${"type" in line ? "" : paint.dim(otherFacts(line))}\n`;
}

/** An entry begins at the margin, and nothing else does: a newline in a name makes no entry. */
function messageText(message: unknown): string {
  return printable(String(message)).replaceAll("\n", "\n    ");
}

function otherFacts(line: Readonly<Record<string, unknown>>): string {
  const facts = Object.entries(line).filter(([key]) => !FRAME.has(key));
  return facts.map(([key, value]) => ` ${key}=${factText(value)}`).join("");
}

function factText(value: unknown): string {
  const text = String(value);
  return printable(typeof value === "string" && /[\s"=]/.test(text) ? JSON.stringify(text) : text);
}

function paintLevel(paint: Colors, level: string): string {
  const text = level.toUpperCase().padEnd(5);
  if (level === "error") return paint.red(text);
  if (level === "warn") return paint.yellow(text);
  return level === "info" ? paint.green(text) : paint.dim(text);
}
