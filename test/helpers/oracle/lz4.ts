/**
 * Decompresses an LZ4 block, one byte at a time (lz4_Block_format.md).
 * @returns undefined for bytes that are no block, or whose data is longer than `limit`
 */
export function decompressBlock(
  block: Uint8Array,
  limit: number,
  before: readonly number[] = [],
): number[] | undefined {
  const out = [...before];
  let at = 0;
  const lengthFrom = (nibble: number): number | undefined => {
    if (nibble < 15) return nibble;
    let length = 15;
    while (true) {
      const byte = block[at++];
      if (byte === undefined) return undefined;
      length += byte;
      if (byte < 255) return length;
    }
  };
  while (at < block.length) {
    const token = block[at++] ?? 0;
    const literals = lengthFrom(token >> 4);
    if (literals === undefined || at + literals > block.length) return undefined;
    for (let i = 0; i < literals; i += 1) out.push(block[at++] ?? 0);
    if (out.length - before.length > limit) return undefined;
    if (at === block.length) return out.slice(before.length);
    const low = block[at++];
    const high = block[at++];
    if (low === undefined || high === undefined) return undefined;
    const distance = low | (high << 8);
    if (distance === 0 || distance > out.length) return undefined;
    const length = lengthFrom(token & 15);
    if (length === undefined || out.length - before.length + length + 4 > limit) return undefined;
    for (let i = 0; i < length + 4; i += 1) out.push(out[out.length - distance] ?? 0);
  }
  return undefined;
}

export type Sequence =
  | { readonly literals: Uint8Array; readonly distance: number; readonly matchLength: number }
  | { readonly literals: Uint8Array };

/** A block of given sequences; only the last may lack a match. Nothing is checked. */
export function buildBlock(sequences: readonly Sequence[]): Buffer {
  const bytes: number[] = [];
  const extend = (length: number) => {
    if (length < 15) return;
    let rest = length - 15;
    for (; rest >= 255; rest -= 255) bytes.push(255);
    bytes.push(rest);
  };
  for (const sequence of sequences) {
    const { literals } = sequence;
    const match = "distance" in sequence ? sequence.matchLength - 4 : 0;
    bytes.push((Math.min(literals.length, 15) << 4) | Math.min(match, 15));
    extend(literals.length);
    bytes.push(...literals);
    if ("distance" in sequence) {
      bytes.push(sequence.distance & 255, sequence.distance >> 8);
      extend(match);
    }
  }
  return Buffer.from(bytes);
}
