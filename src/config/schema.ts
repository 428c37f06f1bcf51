import * as v from "valibot";
import { DURATION_SYNTAX, parseDuration } from "./durations.ts";
import { didYouMean } from "./near-miss.ts";
import { parseSize, SIZE_SYNTAX } from "./sizes.ts";
import type { KeyPath } from "./toml.ts";

/** What may stand at one place of the configuration, and the value that Settings get from it. */
export type Schema<T> = v.GenericSchema<unknown, T>;

export type Checked<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly problems: readonly Problem[] };

export interface Problem {
  readonly path: KeyPath;
  readonly message: string;
}

type Table = Readonly<Record<string, unknown>>;

/** All problems at once, each with the path of its key. */
export function check<T>(schema: Schema<T>, value: unknown): Checked<T> {
  const result = v.safeParse(schema, value, { abortPipeEarly: true });
  if (result.success) return { ok: true, value: result.output };
  const problems = result.issues.map((issue) => ({
    path: (issue.path ?? []).map((item) => (typeof item.key === "number" ? item.key : String(item.key))),
    message: issue.message,
  }));
  return { ok: false, problems };
}

export function accepts(schema: Schema<unknown>, value: unknown): boolean {
  return v.safeParse(schema, value).success;
}

/** Milliseconds. `least` refuses what cannot be meant, 0 included. */
export function duration(least = 0): Schema<number> {
  return measure(parseDuration, "duration", DURATION_SYNTAX, (ms) =>
    ms >= least ? undefined : `is too short: at least ${least}ms`,
  );
}

/** Bytes. */
export function size(least: number, most: number): Schema<number> {
  return measure(parseSize, "size", SIZE_SYNTAX, (bytes) =>
    bytes >= least && bytes <= most ? undefined : `is not between ${least} and ${most} bytes`,
  );
}

function measure(
  parse: (value: number | string) => number | undefined,
  what: string,
  syntax: string,
  outside: (value: number) => string | undefined,
): Schema<number> {
  return v.pipe(
    v.union([v.number(), v.string()], (issue) => `expected a ${what} (${syntax}), got ${show(issue.input)}`),
    v.rawTransform(({ dataset, addIssue, NEVER }) => {
      const parsed = parse(dataset.value);
      const problem = parsed === undefined ? `is not a ${what}: write ${syntax}` : outside(parsed);
      if (parsed !== undefined && problem === undefined) return parsed;
      addIssue({ message: `${show(dataset.value)} ${problem}` });
      return NEVER;
    }),
  );
}

export function wholeNumber(least = 0, most = 2 ** 31 - 1): Schema<number> {
  const message = (issue: v.BaseIssue<unknown>) =>
    `expected a whole number from ${least} to ${most}, got ${show(issue.input)}`;
  return v.pipe(v.number(message), v.integer(message), v.minValue(least, message), v.maxValue(most, message));
}

export function truth(): Schema<boolean> {
  return v.boolean((issue) => `expected true or false, got ${show(issue.input)}`);
}

/** No path, no address and no name is longer. */
export const LONGEST_TEXT = 4096;

export function text(): Schema<string> {
  return v.pipe(
    v.string((issue) => `expected a text in quotes, got ${show(issue.input)}`),
    v.trim(),
    v.nonEmpty("must not be empty"),
    v.maxLength(LONGEST_TEXT, `must not be longer than ${LONGEST_TEXT} characters`),
    v.excludes("\0", "must not contain a NUL: no path and no name can"),
  );
}

/** A text that is nobody's business: no message repeats what stands there. */
export function secretText(): Schema<string> {
  return v.pipe(v.string("expected a text in quotes"), v.trim(), v.nonEmpty("must not be empty"));
}

/** An absolute http or https URL. The value is not repeated: people put secrets into URLs. */
export function httpUrl(): Schema<string> {
  const isHttp = (value: string) => /^https?:$/.test(URL.parse(value)?.protocol ?? "");
  return v.pipe(secretText(), v.check(isHttp, "must be a URL that begins with http:// or https://"));
}

export function oneOf<const T extends string>(...options: readonly T[]): Schema<T> {
  return v.picklist(options, (issue) => `expected one of ${options.join(", ")}, got ${show(issue.input)}`);
}

export function listOf<T>(item: Schema<T>, what: string): Schema<readonly T[]> {
  return v.array(item, (issue) => `expected ${what}, got ${show(issue.input)}`);
}

/** One text, or a list of them. */
export function texts(): Schema<readonly string[]> {
  return v.pipe(
    v.unknown(),
    v.transform((value) => (typeof value === "string" ? [value] : value)),
    listOf(text(), "a text or a list of texts"),
  );
}

/** A table with exactly these keys, of which those in `required` must be there; then `convert`. */
export function table<T>(
  keys: Readonly<Record<string, Schema<unknown>>>,
  required: readonly string[],
  convert: (values: Table) => T,
): Schema<T> {
  const entries = Object.fromEntries(
    Object.entries(keys).map(([key, schema]) => [
      key,
      required.includes(key) ? schema : v.exactOptional(schema),
    ]),
  );
  const strict = v.strictObject(entries, (issue) => {
    if (issue.expected === "never") return `unknown key${didYouMean(String(issue.input), Object.keys(keys))}`;
    return issue.input === undefined ? "is missing" : `expected a table, got ${show(issue.input)}`;
  });
  return v.pipe(strict, v.transform(convert));
}

function show(value: unknown): string {
  return JSON.stringify(value) ?? String(value);
}
