import {
  isInteger,
  isSafeNumber,
  parse as parseLossless,
  stringify as stringifyLossless,
} from "lossless-json";
import { printable } from "./printable.ts";

/*
 * JSON whose integers may have 64 bits: TXIDs are plain JSON integers wherever walrust writes them (manifest, `--json`,
 * log), and JavaScript's own JSON rounds beyond 2^53 on the way in and refuses bigint on the way out.
 */

/** JSON that a terminal can be given: what `printable` replaces is escaped, which means the same. */
export function stringify(value: unknown): string | undefined {
  const text = stringifyLossless(value);
  return text === undefined ? undefined : printable(text);
}

/** A number of 16 digits or more outside a string; what looks like one inside a string only costs time. */
const LONG_NUMBER = /(?:^|[:,[\s])-?\d{16}/;

/** The end of a key, or what looks like it inside a string. */
const KEY_END = /"\s*:/g;

/** Integers beyond 2^53 come as bigint, all other numbers as they are. Throws SyntaxError, also for a key twice with different values. */
export function parse(text: string): unknown {
  // The platform's own parser is twenty times as fast. It would round longer numbers, and take the last one of a key that is there twice.
  if (!LONG_NUMBER.test(text)) {
    const value: unknown = JSON.parse(text);
    if (keysIn(value) === (text.match(KEY_END)?.length ?? 0)) return value;
  }
  return parseLossless(text, undefined, { parseNumber });
}

function keysIn(value: unknown): number {
  if (typeof value !== "object" || value === null) return 0;
  const parts = Object.values(value);
  return parts.reduce<number>((sum, part) => sum + keysIn(part), Array.isArray(value) ? 0 : parts.length);
}

/** A u64 has 20 digits. What is longer is nobody's number here, and a bigint of a million digits takes a tenth of a second to make. */
const LONGEST_INTEGER = 20;

function parseNumber(text: string): number | bigint {
  const isBig = text.length <= LONGEST_INTEGER && isInteger(text) && !isSafeNumber(text);
  return isBig ? BigInt(text) : Number(text);
}
