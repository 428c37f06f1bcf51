// LZ4 blocks. Pages are at most 64 KiB, so every position of a page fits 16 bits and every match is in reach.
//
// Copies run in steps of 16 bytes and may pass the end of what they copy by 15: every region that is read or written
// here has SLACK behind it, and what lies behind a written piece is written later.
import { BAD_LZ4_BLOCK, BAD_LZ4_TOO_LONG, LZ4_TABLE_OFFSET, LZ4_TABLE_SIZE } from "./memory";

const MIN_MATCH: usize = 4;
/** The format's rules for the end of a block: the last 5 bytes are literals, the last match begins 12 bytes before it. */
const LAST_LITERALS: usize = 5;
const MATCH_START_LIMIT: usize = 12;
/** After 2^SKIP_SHIFT positions without a match the search steps by 2, then by 3, ... */
const SKIP_SHIFT: u32 = 6;
/** 16 KiB, cleared for each page: a quarter of that is hardly faster for small pages and loses 4 % on large ones. */
const HASH_LOG: u32 = 13;
assert(2 << HASH_LOG == LZ4_TABLE_SIZE);

/** The largest block that `length` bytes can become: no valid block is larger. */
// @ts-ignore: decorator
@inline
export function blockBound(length: u32): u32 {
  return length + length / 255 + 16;
}

// @ts-ignore: decorator
@inline
function slotOf(at: usize): usize {
  const hash = ((load<u64>(at) << 24) * 889523592379) >> (64 - HASH_LOG);
  return LZ4_TABLE_OFFSET + ((<usize>hash) << 1);
}

// @ts-ignore: decorator
@inline
function copy16(to: usize, from: usize, end: usize): void {
  do {
    v128.store(to, v128.load(from));
    to += 16;
    from += 16;
  } while (to < end);
}

/** How many bytes at `a` and `b` agree, `a` below `end`. */
// @ts-ignore: decorator
@inline
function commonLength(a: usize, b: usize, end: usize): usize {
  const start = a;
  while (a + 8 <= end) {
    const difference = load<u64>(a) ^ load<u64>(b);
    if (difference) return a - start + (<usize>ctz(difference) >> 3);
    a += 8;
    b += 8;
  }
  while (a < end && load<u8>(a) == load<u8>(b)) {
    a += 1;
    b += 1;
  }
  return a - start;
}

/** The bytes of a length beyond the 15 that fit a token. */
// @ts-ignore: decorator
@inline
function storeLength(to: usize, rest: usize): usize {
  for (; rest >= 255; rest -= 255) {
    store<u8>(to, 255);
    to += 1;
  }
  store<u8>(to, rest);
  return to + 1;
}

/** A token's upper half and the literals [from, end); the lower half is 0. */
// @ts-ignore: decorator
@inline
function storeLiterals(to: usize, from: usize, end: usize): usize {
  const length = end - from;
  const token = to;
  to += 1;
  if (length < 15) {
    store<u8>(token, length << 4);
    v128.store(to, v128.load(from));
    return to + length;
  }
  store<u8>(token, 0xf0);
  to = storeLength(to, length - 15);
  copy16(to, from, to + length);
  return to + length;
}

/**
 * Compresses at most 64 KiB to one block; the same bytes always give the same block.
 * @param to room for blockBound(length)
 * @returns the size of the block
 */
export function compressBlock(from: usize, length: usize, to: usize): usize {
  const start = to;
  const end = from + length;
  let anchor = from;
  if (length > MATCH_START_LIMIT) {
    const lastStart = end - MATCH_START_LIMIT;
    const matchEnd = end - LAST_LITERALS;
    // An empty slot reads as position 0: a candidate like any other, checked by comparing.
    memory.fill(LZ4_TABLE_OFFSET, 0, LZ4_TABLE_SIZE);
    let at = from + 1;
    let searched: u32 = 1 << SKIP_SHIFT;
    while (at <= lastStart) {
      const slot = slotOf(at);
      let match = from + load<u16>(slot);
      store<u16>(slot, at - from);
      if (load<u32>(match) != load<u32>(at)) {
        at += searched >> SKIP_SHIFT;
        searched += 1;
        continue;
      }
      while (at > anchor && match > from && load<u8>(at - 1) == load<u8>(match - 1)) {
        at -= 1;
        match -= 1;
      }
      const token = to;
      to = storeLiterals(to, anchor, at);
      store<u16>(to, at - match);
      to += 2;
      const rest = commonLength(at + MIN_MATCH, match + MIN_MATCH, matchEnd);
      at += MIN_MATCH + rest;
      if (rest < 15) {
        store<u8>(token, load<u8>(token) | (<u8>rest));
      } else {
        store<u8>(token, load<u8>(token) | 15);
        to = storeLength(to, rest - 15);
      }
      anchor = at;
      searched = 1 << SKIP_SHIFT;
      if (at <= lastStart) store<u16>(slotOf(at - 2), at - 2 - from);
    }
  }
  return storeLiterals(to, anchor, end) - start;
}

/** For each distance below 16, which byte of the 16 before continues the pattern. */
// prettier-ignore
const PATTERNS = memory.data<u8>([
  0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
  0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
  0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1,
  0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2, 0,
  0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3,
  0, 1, 2, 3, 4, 0, 1, 2, 3, 4, 0, 1, 2, 3, 4, 0,
  0, 1, 2, 3, 4, 5, 0, 1, 2, 3, 4, 5, 0, 1, 2, 3,
  0, 1, 2, 3, 4, 5, 6, 0, 1, 2, 3, 4, 5, 6, 0, 1,
  0, 1, 2, 3, 4, 5, 6, 7, 0, 1, 2, 3, 4, 5, 6, 7,
  0, 1, 2, 3, 4, 5, 6, 7, 8, 0, 1, 2, 3, 4, 5, 6,
  0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1, 2, 3, 4, 5,
  0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 0, 1, 2, 3, 4,
  0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 0, 1, 2, 3,
  0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 0, 1, 2,
  0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 0, 1,
  0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 0,
]);

/** Copies a match to [to, end) from `distance` bytes before it; they may overlap. */
// @ts-ignore: decorator
@inline
function copyMatch(to: usize, distance: usize, end: usize): void {
  if (distance >= 16) {
    copy16(to, to - distance, end);
    return;
  }
  const pattern = i8x16.swizzle(v128.load(to - distance), v128.load(PATTERNS + (distance << 4)));
  const step = 16 - (16 % distance);
  do {
    v128.store(to, pattern);
    to += step;
  } while (to < end);
}

/**
 * Decompresses the block [from, fromEnd) to `to`, never beyond `toEnd`.
 * @param base where the bytes that a match may reach back to begin
 * @returns the size of the data, BAD_LZ4_BLOCK or BAD_LZ4_TOO_LONG
 */
export function decompressBlock(from: usize, fromEnd: usize, to: usize, toEnd: usize, base: usize): i32 {
  const start = to;
  while (from < fromEnd) {
    const token: u32 = load<u8>(from);
    from += 1;
    let literals: usize = token >> 4;
    if (literals == 15) {
      let more: usize;
      do {
        if (from >= fromEnd) return BAD_LZ4_BLOCK;
        more = load<u8>(from);
        from += 1;
        literals += more;
      } while (more == 255);
    }
    if (literals > fromEnd - from) return BAD_LZ4_BLOCK;
    if (literals > toEnd - to) return BAD_LZ4_TOO_LONG;
    copy16(to, from, to + literals);
    from += literals;
    to += literals;
    if (from == fromEnd) return to - start;

    if (fromEnd - from < 2) return BAD_LZ4_BLOCK;
    const distance: usize = load<u16>(from);
    from += 2;
    if (distance == 0 || distance > to - base) return BAD_LZ4_BLOCK;
    let length: usize = (token & 15) + MIN_MATCH;
    if ((token & 15) == 15) {
      let more: usize;
      do {
        if (from >= fromEnd) return BAD_LZ4_BLOCK;
        more = load<u8>(from);
        from += 1;
        length += more;
      } while (more == 255);
    }
    if (length > toEnd - to) return BAD_LZ4_TOO_LONG;
    copyMatch(to, distance, to + length);
    to += length;
  }
  return BAD_LZ4_BLOCK;
}
