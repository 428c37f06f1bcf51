import { didYouMean } from "../config/near-miss.ts";
import { WalrustError } from "../errors.ts";
import { type CommandDefinition, usageLine } from "./help.ts";

/** Clipanion's UnknownSyntaxError, as far as it is read here. */
interface SyntaxProblem {
  readonly candidates: readonly { readonly usage: string; readonly reason: string | null }[];
}

/** What is wrong with a command line that clipanion cannot parse, in our words: USAGE, exit 2. */
export function usageError(
  error: unknown,
  argv: readonly string[],
  definitions: readonly CommandDefinition[],
): WalrustError {
  const [word = ""] = argv;
  const names = definitions.map(({ path }) => path.split(" ")[1] ?? "");
  const definition = definitions[names.indexOf(word)];
  if (definition === undefined) {
    const what = word.startsWith("-") ? "option" : "command";
    return new WalrustError("USAGE", `unknown ${what} ${word}${didYouMean(word, names)}`, {
      cause: error,
      hint: "walrust --help lists the commands.",
    });
  }
  const { candidates = [] } = error as Partial<SyntaxProblem>;
  const reason = candidates.find(({ usage }) => usage.startsWith(definition.path))?.reason ?? undefined;
  return new WalrustError("USAGE", `${word}: ${problem(reason, definition)}`, {
    cause: error,
    hint: `Usage: ${usageLine(definition)} (walrust ${word} --help says more)`,
  });
}

function problem(reason: string | undefined, definition: CommandDefinition): string {
  if (reason === undefined) return "a required option is missing";
  const option = /^(?:Unsupported|Invalid) option name \("(.*)"\)/.exec(reason)?.[1]?.split("=")[0];
  if (option === undefined) return reason.charAt(0).toLowerCase() + reason.slice(1).replace(/\.$/, "");
  const known = definition.options.flatMap(({ definition: text }) => text.split(" ")[0]?.split(",") ?? []);
  return known.includes(option)
    ? `${option} takes no value`
    : `unknown option ${option}${didYouMean(option, known)}`;
}
