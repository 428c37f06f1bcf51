import type { Colors } from "../observability/colors.ts";

/** What clipanion knows about a command, as far as help shows it. */
export interface CommandDefinition {
  readonly path: string;
  readonly usage: string;
  readonly description?: string;
  readonly details?: string;
  readonly examples?: readonly (readonly [string, string])[];
  readonly options: readonly OptionDefinition[];
}

export interface OptionDefinition {
  /** `-b,--bucket #0`: clipanion has no names for values. */
  readonly definition: string;
  /** `ADDRESS where copies are`: ours begin with it. */
  readonly description?: string;
  readonly required: boolean;
}

/** All commands, for `walrust --help`. */
export function overview(definitions: readonly CommandDefinition[], paint: Colors, version: string): string {
  const rows = definitions.map(
    ({ path, description = "" }) => [path.replace(/^walrust /, ""), description.trim()] as const,
  );
  return [
    `${paint.bold("walrust")} ${version}: continuous, verified, point-in-time backup of live SQLite databases\n`,
    paint.bold("Usage"),
    "  walrust COMMAND [OPTIONS]\n",
    paint.bold("Commands"),
    ...columns(rows, paint),
    "",
    `${paint.dim("walrust COMMAND --help shows a command's options and examples; walrust --version the version.")}\n`,
  ].join("\n");
}

/** One command, for `walrust COMMAND --help`. */
export function commandHelp(definition: CommandDefinition, paint: Colors): string {
  const { description = "", details, examples = [], options } = definition;
  return [
    description.trim(),
    "",
    paint.bold("Usage"),
    `  ${usageLine(definition)}`,
    "",
    ...(details === undefined ? [] : [details.trim().replace(/ +$/gm, ""), ""]),
    paint.bold("Options"),
    ...columns(ownFirst(options).map(optionRow), paint),
    "",
    paint.bold("Examples"),
    ...examples.flatMap(([what, command]) => [`  ${paint.dim(`# ${what.trim()}`)}`, `  ${command.trim()}`]),
    "",
  ].join("\n");
}

/** `walrust restore [OPTIONS] -o OUT NAME` */
export function usageLine({ path, usage, options }: CommandDefinition): string {
  const required = options.filter((option) => option.required).map((option) => optionRow(option)[0]);
  const rest = usage.slice(path.length).replace(/\[(-[^\]]*)\]|<(-[^>]*)>/g, "");
  const positional = rest
    .replace("...", `[${path === "walrust bench" ? "WORKLOADS" : "DATABASES"}...]`) // clipanion has no name for it
    .split(/\s+/)
    .map((word) => word.replace(/^<(.*)>$/, "$1"));
  return [path, "[OPTIONS]", ...required, ...positional].filter((word) => word !== "").join(" ");
}

/** What a command shares with all others interests least. */
function ownFirst(options: readonly OptionDefinition[]): readonly OptionDefinition[] {
  const isShared = ({ definition }: OptionDefinition) =>
    /^(-b,--bucket|--endpoint|--config|--json)\b/.test(definition);
  return [...options.filter((option) => !isShared(option)), ...options.filter(isShared)];
}

function optionRow({ definition, description = "" }: OptionDefinition): readonly [string, string] {
  const [names = "", takesValue] = definition.split(" ");
  const flags = names.replaceAll(",", ", ");
  if (takesValue === undefined) return [flags, description];
  const [value = "", ...words] = description.split(" ");
  return [`${flags} ${value}`, words.join(" ")];
}

function columns(rows: readonly (readonly [string, string])[], paint: Colors): readonly string[] {
  const width = Math.max(...rows.map(([left]) => left.length));
  return rows.map(([left, right]) => `  ${paint.cyan(left.padEnd(width))}  ${right}`);
}
