import type { Random } from "./random.ts";

/** Makes another input out of one; `other` is one more of the corpus, to take pieces from. */
export type Mutator = (bytes: Uint8Array, random: Random, other: Uint8Array) => Uint8Array;

/** Inputs do not grow beyond this, unless their seed is longer. */
export const MAX_INPUT_BYTES = 256 * 1024;

/** Where bounds lie: of types, of SQLite (page sizes, the lock byte, the largest page number), of time, of JavaScript. */
const NUMBERS: readonly bigint[] = [
  ...[0n, 1n, 2n, 3n, 4n, 5n, 7n, 8n, 12n, 15n, 16n, 17n, 24n, 31n, 32n, 100n, 254n, 255n, 256n],
  ...[511n, 512n, 513n, 1000n, 1024n, 4096n, 32768n, 65535n, 65536n, 65537n, 131072n, 3007000n],
  ...[0x3fff_ffffn, 0x4000_0000n, 0x4000_0001n, 16385n, 262145n, 2097153n],
  ...[2n ** 31n - 1n, 2n ** 31n, 2n ** 32n - 2n, 2n ** 32n - 1n, 2n ** 32n, 2n ** 48n],
  ...[253_402_300_799_999n, 253_402_300_800_000n, 8_640_000_000_000_000n, 8_640_000_000_000_001n],
  ...[2n ** 53n - 1n, 2n ** 53n, 2n ** 53n + 1n, 2n ** 62n, 2n ** 63n - 1n, 2n ** 63n, 2n ** 64n - 1n],
];
const WIDTHS = [1, 2, 4, 8] as const;

export const BYTE_MUTATORS: readonly Mutator[] = [
  flipBit,
  setByte,
  ...[setNumber, setNumber, setNumber],
  nudgeNumber,
  cut,
  removeRange,
  repeatRange,
  insertBytes,
  copyRange,
  splice,
  pasteOther,
  pasteOther,
];

function flipBit(bytes: Uint8Array, random: Random): Uint8Array {
  const changed = bytes.slice();
  const at = random.below(bytes.length);
  if (at < changed.length) changed[at] = (changed[at] ?? 0) ^ (1 << random.below(8));
  return changed;
}

function setByte(bytes: Uint8Array, random: Random): Uint8Array {
  const changed = bytes.slice();
  if (changed.length > 0)
    changed[random.below(changed.length)] = random.pick([0, 1, 0x7f, 0x80, 0xff, random.below(256)]);
  return changed;
}

/** Fields of headers lie at even places: those are hit more often. */
function placeOf(width: number, length: number, random: Random): number {
  const places = Math.max(1, length - width + 1);
  const at = random.chance(2) ? random.below(Math.min(places, 128)) : random.below(places);
  return random.chance(3) ? at : at - (at % Math.min(width, 4));
}

function setNumber(bytes: Uint8Array, random: Random): Uint8Array {
  const width = random.pick(WIDTHS);
  return withNumber(bytes, random, width, () => random.pick(NUMBERS));
}

function nudgeNumber(bytes: Uint8Array, random: Random): Uint8Array {
  const width = random.pick(WIDTHS);
  const by = BigInt(1 + random.small(64));
  return withNumber(bytes, random, width, (before) => (random.chance(2) ? before + by : before - by));
}

function withNumber(
  bytes: Uint8Array,
  random: Random,
  width: number,
  change: (before: bigint) => bigint,
): Uint8Array {
  const changed = Buffer.from(bytes);
  if (changed.length < width) return changed;
  const at = placeOf(width, changed.length, random);
  const bits = width * 8;
  const isLittle = random.chance(2);
  const field = changed.subarray(at, at + width);
  const hex = (of: Buffer) => `0x${(isLittle ? Buffer.from(of).reverse() : of).toString("hex")}`;
  const after = BigInt.asUintN(bits, change(BigInt(hex(field))));
  const stored = Buffer.from(after.toString(16).padStart(width * 2, "0"), "hex");
  field.set(isLittle ? stored.reverse() : stored);
  return changed;
}

function rangeOf(length: number, random: Random): readonly [number, number] {
  const from = random.below(length + 1);
  return [from, Math.min(length, from + 1 + random.small(Math.max(64, length)))];
}

function cut(bytes: Uint8Array, random: Random): Uint8Array {
  return random.chance(4)
    ? bytes.slice(random.small(bytes.length))
    : bytes.slice(0, random.below(bytes.length));
}

function removeRange(bytes: Uint8Array, random: Random): Uint8Array {
  const [from, to] = rangeOf(bytes.length, random);
  return joined(bytes.subarray(0, from), bytes.subarray(to));
}

function repeatRange(bytes: Uint8Array, random: Random): Uint8Array {
  const [from, to] = rangeOf(bytes.length, random);
  const times = 1 + random.small(random.chance(8) ? 4096 : 8);
  const room = Math.max(0, MAX_INPUT_BYTES - bytes.length);
  const most = to === from ? 0 : Math.min(times, Math.floor(room / (to - from)));
  const repeated = Array.from({ length: most }, () => bytes.subarray(from, to));
  return joined(bytes.subarray(0, to), ...repeated, bytes.subarray(to));
}

function insertBytes(bytes: Uint8Array, random: Random): Uint8Array {
  const at = random.below(bytes.length + 1);
  const length = 1 + random.small(64);
  const inserted = random.chance(2)
    ? random.bytes(length)
    : new Uint8Array(length).fill(random.pick([0, 0xff]));
  return joined(bytes.subarray(0, at), inserted, bytes.subarray(at));
}

function copyRange(bytes: Uint8Array, random: Random): Uint8Array {
  const changed = bytes.slice();
  const [from, to] = rangeOf(bytes.length, random);
  changed.copyWithin(random.below(bytes.length), from, to);
  return changed;
}

/** The beginning of one, the rest of another. */
function splice(bytes: Uint8Array, random: Random, other: Uint8Array): Uint8Array {
  const at = random.below(bytes.length + 1);
  return joined(bytes.subarray(0, at), other.subarray(random.chance(2) ? at : random.below(other.length)));
}

/** The same place of another, or any place of it. */
function pasteOther(bytes: Uint8Array, random: Random, other: Uint8Array): Uint8Array {
  const changed = bytes.slice();
  const [from, to] = rangeOf(other.length, random);
  const at = random.chance(2) ? from : random.below(changed.length);
  const piece = other.subarray(from, to).subarray(0, Math.max(0, changed.length - at));
  if (at <= changed.length) changed.set(piece, at);
  return changed;
}

export function joined(...pieces: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(pieces));
}
