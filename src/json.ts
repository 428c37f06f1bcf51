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

/** Integers beyond 2^53 come as bigint, all other numbers as they are. Throws SyntaxError. */
export function parse(text: string): unknown {
  return parseLossless(text, undefined, { parseNumber });
}

/** A u64 has 20 digits. What is longer is nobody's number here, and a bigint of a million digits takes a tenth of a second to make. */
const LONGEST_INTEGER = 20;

function parseNumber(text: string): number | bigint {
  const isBig = text.length <= LONGEST_INTEGER && isInteger(text) && !isSafeNumber(text);
  return isBig ? BigInt(text) : Number(text);
}
