import { Cli } from "./command.ts";
import { BenchCommand } from "./commands/bench.ts";
import { CompactCommand } from "./commands/compact.ts";
import { ExplainCommand } from "./commands/explain.ts";
import { ListCommand } from "./commands/list.ts";
import { PragmaCommand } from "./commands/pragma.ts";
import { ReplicateCommand } from "./commands/replicate.ts";
import { RestoreCommand } from "./commands/restore.ts";
import { SnapshotCommand } from "./commands/snapshot.ts";
import { StatusCommand } from "./commands/status.ts";
import { VerifyCommand } from "./commands/verify.ts";
import { WatchCommand } from "./commands/watch.ts";
import type { CliContext } from "./context.ts";
import { commandHelp, overview } from "./help.ts";
import { paint, printLine } from "./output.ts";
import { reportError } from "./report-error.ts";
import { usageError } from "./usage-error.ts";

/** In the order in which help shows them. */
const COMMANDS = [
  WatchCommand,
  RestoreCommand,
  ListCommand,
  VerifyCommand,
  SnapshotCommand,
  CompactCommand,
  ReplicateCommand,
  StatusCommand,
  ExplainCommand,
  PragmaCommand,
  BenchCommand,
];

/** Runs one command line. Returns the exit code (surface.md, "Exit codes"); throws nothing. */
export async function run(argv: readonly string[], context: CliContext): Promise<number> {
  const { version } = context;
  try {
    const cli = makeCli(argv);
    const { stdout } = context;
    if (argv.length === 1 && ["--version", "-v"].includes(argv[0] ?? "")) {
      printLine(context, version);
      return 0;
    }
    const help = helpText(cli, argv, context, version);
    if (help !== undefined) {
      stdout.write(help);
      return 0;
    }
    return (await parse(cli, argv, context).execute()) ?? 0;
  } catch (error) {
    return reportError(error, context, { json: argv.includes("--json") });
  }
}

/** With the command that is named, or all: clipanion's parser of all of them takes longer to make than most commands to run. */
function makeCli([word]: readonly string[]): Cli<CliContext> {
  const cli = new Cli<CliContext>({ binaryName: "walrust", enableCapture: false, enableColors: false });
  const named = COMMANDS.filter(({ paths }) => paths.some((path) => path[0] === word));
  for (const command of named.length > 0 ? named : COMMANDS) cli.register(command);
  return cli;
}

function parse(cli: Cli<CliContext>, argv: readonly string[], context: CliContext) {
  try {
    return cli.process([...argv], context);
  } catch (error) {
    throw usageError(error, argv, cli.definitions());
  }
}

/** Of the command that is named, or of all; undefined if nobody asked. */
function helpText(
  cli: Cli<CliContext>,
  argv: readonly string[],
  context: CliContext,
  version: string,
): string | undefined {
  const [word, ...rest] = argv;
  const asked = word === undefined || word === "help" || argv.includes("--help") || argv.includes("-h");
  if (!asked) return undefined;
  const definitions = cli.definitions();
  const name = word === "help" ? rest[0] : word;
  const definition = definitions.find(({ path }) => path === `walrust ${name}`);
  const colors = paint(context, context.stdout);
  if (definition) return commandHelp(definition, colors);
  if (name !== undefined && !name.startsWith("-")) throw usageError(undefined, [name], definitions);
  return overview(definitions, colors, version);
}
