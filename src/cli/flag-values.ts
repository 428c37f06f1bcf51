import { WalrustError } from "../errors.ts";

interface Range {
  readonly least: number;
  readonly most: number;
}

/** The value of a flag that is no setting. Errors: USAGE. */
export function wholeNumberFlag(flag: string, text: string | undefined, range: Range): number | undefined {
  return text === undefined ? undefined : wholeNumber(flag, text, range);
}

export function wholeNumber(flag: string, text: string, { least, most }: Range): number {
  const value = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
  if (value >= least && value <= most) return value;
  throw new WalrustError(
    "USAGE",
    `${flag}: expected a whole number from ${least} to ${most}, got ${JSON.stringify(text)}`,
  );
}

export function choiceFlag<const T extends string>(flag: string, text: string, choices: readonly T[]): T {
  const choice = choices.find((candidate) => candidate === text);
  if (choice !== undefined) return choice;
  throw new WalrustError("USAGE", `${flag}: expected ${choices.join(", ")}, got ${JSON.stringify(text)}`);
}
