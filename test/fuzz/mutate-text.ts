import type { Mutator } from "./mutate-bytes.ts";
import type { Random } from "./random.ts";

/**
 * Mutations of texts by their tokens: strings, numbers, words, tags, brackets. One set serves JSON, TOML, XML, HTTP and command lines, because
 * what breaks their readers is alike: a value of another type, one that is missing, one too many, one that is huge or nested deeply.
 */
const TOKEN = /"(?:\\.|[^"\\\n])*"|<[^<>\n]*>|\d+(?:\.\d+)?|[A-Za-z_][A-Za-z0-9_]*|\r?\n|\s+|./gsu;

/** What a place may hold that was not thought of. */
const ODD: readonly string[] = [
  ...[
    "0",
    "-0",
    "-1",
    "1.5",
    "1e400",
    "1e-400",
    "0.0000000001",
    "00",
    "007",
    "+1",
    "NaN",
    "inf",
    "nan",
    "Infinity",
  ],
  ...[
    "2147483648",
    "4294967295",
    "4294967296",
    "9007199254740993",
    "18446744073709551615",
    "18446744073709551616",
  ],
  ...[
    "9".repeat(40),
    "9".repeat(5000),
    "null",
    "true",
    "false",
    "[]",
    "{}",
    '""',
    "''",
    '"',
    "'",
    "\\",
    "//",
    "../",
  ],
  ...['"__proto__"', '"constructor"', '"toString"', "__proto__", "constructor", "toString", "hasOwnProperty"],
  ...[
    "\0",
    "\u007f",
    "\u0080",
    "\u2028",
    "\ufeff",
    "\ufffe",
    "\u{1f980}",
    "ä",
    "é",
    "\\u0000",
    "\\ud800",
    "%00",
    "%2F",
    "%",
  ],
  ...[
    "9999-12-31T23:59:59.999Z",
    "10000-01-01T00:00:00Z",
    "0000-01-01T00:00:00Z",
    "2026-02-30T00:00:00Z",
    "1969-12-31T23:59:59Z",
  ],
  ...[
    "*",
    "**",
    "?",
    "[",
    "]",
    "{",
    "}",
    "(",
    ")",
    "!",
    "+",
    "|",
    "a".repeat(300),
    "a/".repeat(600),
    "*a".repeat(40),
  ],
];

const DEEP = 20_000;

type TextMutator = (tokens: string[], random: Random, other: readonly string[]) => string[];

const TEXT_MUTATORS: readonly TextMutator[] = [
  replaceByOdd,
  replaceByOdd,
  replaceByOther,
  replaceByOther,
  removeToken,
  removeGroup,
  repeatGroup,
  swapTokens,
  insertOdd,
  pasteTokens,
  changeNumber,
  nestDeeply,
  lengthen,
];

/** @param words of the grammar: names of keys, of tags, of headers */
export function textMutators(words: readonly string[]): readonly Mutator[] {
  return TEXT_MUTATORS.map(
    (mutate): Mutator =>
      (bytes, random, other) => {
        const text = Buffer.from(bytes).toString("utf8");
        const from =
          random.chance(3) && words.length > 0
            ? [random.pick(words)]
            : tokensOf(Buffer.from(other).toString("utf8"));
        return Buffer.from(mutate(tokensOf(text), random, from).join(""));
      },
  );
}

function tokensOf(text: string): string[] {
  return text.match(TOKEN) ?? [];
}

/** A token that is more than white space, most of the time. */
function placeOf(tokens: readonly string[], random: Random): number {
  for (let tries = 0; tries < 8; tries++) {
    const at = random.below(tokens.length);
    if (tokens[at]?.trim() !== "") return at;
  }
  return random.below(tokens.length);
}

/** Odd texts stand as they are, or as a string where a string stood. */
function oddFor(token: string | undefined, random: Random): string {
  const odd = random.pick(ODD);
  return token?.startsWith('"') && random.chance(2) ? `"${odd.replaceAll('"', "")}"` : odd;
}

function replaceByOdd(tokens: string[], random: Random): string[] {
  const at = placeOf(tokens, random);
  tokens[at] = oddFor(tokens[at], random);
  return tokens;
}

function replaceByOther(tokens: string[], random: Random, other: readonly string[]): string[] {
  const at = placeOf(tokens, random);
  const taken = other[placeOf(other, random)];
  if (taken !== undefined) tokens[at] = taken;
  return tokens;
}

function removeToken(tokens: string[], random: Random): string[] {
  tokens.splice(placeOf(tokens, random), 1 + random.small(3));
  return tokens;
}

function insertOdd(tokens: string[], random: Random): string[] {
  const at = placeOf(tokens, random);
  tokens.splice(at, 0, oddFor(tokens[at], random));
  return tokens;
}

/** From a bracket or a tag to the one that closes it; else up to the end of the line. */
function groupAt(tokens: readonly string[], from: number): number {
  let depth = 0;
  for (let at = from; at < tokens.length; at++) {
    const token = tokens[at] ?? "";
    if (/^([[{(]|<[^/?!][^>]*[^/]>|<\w>)$/.test(token)) depth += 1;
    if (/^([\])}]|<\/.*>)$/.test(token)) depth -= 1;
    if (depth <= 0 && (at > from || depth < 0 || token.includes("\n"))) return at + 1;
  }
  return tokens.length;
}

function removeGroup(tokens: string[], random: Random): string[] {
  const from = placeOf(tokens, random);
  tokens.splice(from, groupAt(tokens, from) - from);
  return tokens;
}

function repeatGroup(tokens: string[], random: Random): string[] {
  const from = placeOf(tokens, random);
  const group = tokens.slice(from, Math.min(groupAt(tokens, from), from + 2000));
  const times = 1 + random.small(random.chance(10) ? 200 : 3);
  const room = Math.floor(50_000 / Math.max(1, group.join("").length));
  tokens.splice(from, 0, ...Array.from({ length: Math.min(times, room) }, () => group).flat());
  return tokens;
}

function swapTokens(tokens: string[], random: Random): string[] {
  const [a, b] = [placeOf(tokens, random), placeOf(tokens, random)];
  const kept = tokens[a];
  if (kept === undefined || tokens[b] === undefined) return tokens;
  tokens[a] = tokens[b];
  tokens[b] = kept;
  return tokens;
}

function pasteTokens(tokens: string[], random: Random, other: readonly string[]): string[] {
  const from = placeOf(other, random);
  tokens.splice(placeOf(tokens, random), random.small(8), ...other.slice(from, from + 1 + random.small(40)));
  return tokens;
}

function changeNumber(tokens: string[], random: Random): string[] {
  const numbers = tokens.flatMap((token, at) => (/\d/.test(token) ? [at] : []));
  const at = random.pick(numbers);
  if (at === undefined) return tokens;
  const by = BigInt(random.pick([-2, -1, 1, 2, 9, 60, 1000, 2 ** 32]));
  tokens[at] = (tokens[at] ?? "").replace(/\d{1,40}/, (digits) => {
    const changed = BigInt(digits) + by;
    return (changed < 0n ? 0n : changed).toString().padStart(digits.length, "0");
  });
  return tokens;
}

function nestDeeply(tokens: string[], random: Random): string[] {
  if (!random.chance(4)) return swapTokens(tokens, random);
  const depth = 1 + random.below(DEEP);
  const [open, close] = random.pick([
    ["[", "]"],
    ['{"a":', "}"],
    ["<a>", "</a>"],
    ["{a=", "}"],
    ["a.", ""],
    ["(", ")"],
  ] as const);
  const at = placeOf(tokens, random);
  tokens[at] = open.repeat(depth) + (tokens[at] ?? "") + (random.chance(2) ? close.repeat(depth) : "");
  return tokens;
}

function lengthen(tokens: string[], random: Random): string[] {
  const at = placeOf(tokens, random);
  const token = tokens[at] ?? "";
  const times = random.pick([2, 40, 300, 2000]);
  tokens[at] = token.startsWith('"') ? `"${token.slice(1, -1).repeat(times)}"` : token.repeat(times);
  return tokens;
}
