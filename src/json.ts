import { isInteger, isSafeNumber, parse as parseLossless, stringify } from "lossless-json";

/*
 * JSON whose integers may have 64 bits: TXIDs are plain JSON integers wherever walrust writes them (manifest, `--json`,
 * log), and JavaScript's own JSON rounds beyond 2^53 on the way in and refuses bigint on the way out.
 */

export { stringify };

/** Integers beyond 2^53 come as bigint, all other numbers as they are. Throws SyntaxError. */
export function parse(text: string): unknown {
  return parseLossless(text, undefined, { parseNumber });
}

function parseNumber(text: string): number | bigint {
  return isInteger(text) && !isSafeNumber(text) ? BigInt(text) : Number(text);
}
