// CRC-64/GO-ISO: polynomial x^64 + x^4 + x^3 + x + 1, reflected (bit 63 of a word is the coefficient of x^0), register
// begun with ones and inverted at the end.
//
// The polynomial is so sparse that no table is needed: x^64 = x^4 + x^3 + x + 1, hence (squaring is linear)
// x^128 = x^8 + x^6 + x^2 + 1, ..., x^512 = x^32 + x^24 + x^8 + 1. Moving a register on by 64 or 512 bits is a handful of
// shifts, so eight words are folded at a time, each in its own lane: several times faster than slicing-by-16.

const BIT_63: u64 = 1 << 63;

/** h * x^64, for an h of degree below 60: what left the register at its low end comes back at its high end. */
// @ts-ignore: decorator
@inline
function reduce(h: u64): u64 {
  return h ^ (h >> 1) ^ (h >> 3) ^ (h >> 4);
}

/** r * x^64 */
// @ts-ignore: decorator
@inline
function fold64(r: u64): u64 {
  return r ^ (r >> 1) ^ (r >> 3) ^ (r >> 4) ^ reduce((r << 63) ^ (r << 61) ^ (r << 60));
}

/** r * x^512 */
// @ts-ignore: decorator
@inline
function fold512(r: u64): u64 {
  return r ^ (r >> 8) ^ (r >> 24) ^ (r >> 32) ^ reduce((r << 56) ^ (r << 40) ^ (r << 32));
}

/** fold512 of both lanes. */
// @ts-ignore: decorator
@inline
function fold512x2(r: v128): v128 {
  const low = v128.xor(
    v128.xor(r, i64x2.shr_u(r, 8)),
    v128.xor(i64x2.shr_u(r, 24), i64x2.shr_u(r, 32)),
  );
  const h = v128.xor(i64x2.shl(r, 56), v128.xor(i64x2.shl(r, 40), i64x2.shl(r, 32)));
  const back = v128.xor(v128.xor(h, i64x2.shr_u(h, 1)), v128.xor(i64x2.shr_u(h, 3), i64x2.shr_u(h, 4)));
  return v128.xor(low, back);
}

// @ts-ignore: decorator
@inline
export function updateU16(register: u64, bytes: u64): u64 {
  return (register >> 16) ^ reduce((register ^ bytes) << 48);
}

// @ts-ignore: decorator
@inline
export function updateU32(register: u64, bytes: u64): u64 {
  return (register >> 32) ^ reduce((register ^ bytes) << 32);
}

// @ts-ignore: decorator
@inline
export function updateU64(register: u64, bytes: u64): u64 {
  return fold64(register ^ bytes);
}

/** The register moved on by the bytes in memory; words are taken as they lie there (little-endian). */
export function update(register: u64, at: usize, length: usize): u64 {
  const end = at + length;
  if (length >= 64) {
    let a = v128.xor(v128.load(at), i64x2(register, 0));
    let b = v128.load(at, 16);
    let c = v128.load(at, 32);
    let d = v128.load(at, 48);
    at += 64;
    for (const last = end - 64; at <= last; at += 64) {
      a = v128.xor(fold512x2(a), v128.load(at));
      b = v128.xor(fold512x2(b), v128.load(at, 16));
      c = v128.xor(fold512x2(c), v128.load(at, 32));
      d = v128.xor(fold512x2(d), v128.load(at, 48));
    }
    register = fold64(i64x2.extract_lane(a, 0));
    register = fold64(register ^ i64x2.extract_lane(a, 1));
    register = fold64(register ^ i64x2.extract_lane(b, 0));
    register = fold64(register ^ i64x2.extract_lane(b, 1));
    register = fold64(register ^ i64x2.extract_lane(c, 0));
    register = fold64(register ^ i64x2.extract_lane(c, 1));
    register = fold64(register ^ i64x2.extract_lane(d, 0));
    register = fold64(register ^ i64x2.extract_lane(d, 1));
  }
  for (; end - at >= 8; at += 8) register = fold64(register ^ load<u64>(at));
  for (; at < end; at += 1) register = (register >> 8) ^ reduce((register ^ load<u8>(at)) << 56);
  return register;
}

/**
 * register * x^(8 * pageSize): what a page of zero bytes would do to it. The page size is 64 n bits for an n that is a power
 * of two, and x^(64 n) = x^(4n) + x^(3n) + x^n + 1.
 */
export function shiftByPage(register: u64, pageSize: u32): u64 {
  const n = pageSize >> 3;
  const by1 = shiftByBits(register, n);
  const by3 = shiftByBits(shiftByBits(by1, n), n);
  return register ^ by1 ^ by3 ^ shiftByBits(by3, n);
}

/** register * x^bits, for a multiple of 64 that is below 512 or a multiple of 512. */
// @ts-ignore: decorator
@inline
function shiftByBits(register: u64, bits: u32): u64 {
  for (; bits >= 512; bits -= 512) register = fold512(register);
  for (; bits > 0; bits -= 64) register = fold64(register);
  return register;
}

/** The checksum of bytes, or of bytes behind those whose checksum is `crc`. */
export function crc64(crc: u64, at: usize, length: i32): u64 {
  return ~update(~crc, at, length);
}

/** The checksum of A followed by B, of their checksums and the length of B. */
export function crc64Combine(crcA: u64, crcB: u64, lengthB: u64): u64 {
  return multiply(crcA, powerOfX8(lengthB)) ^ crcB;
}

/** x^(8 * exponent), by squaring. */
function powerOfX8(exponent: u64): u64 {
  let result = BIT_63;
  let factor = BIT_63 >> 8;
  for (; exponent != 0; exponent >>= 1) {
    if (exponent & 1) result = multiply(result, factor);
    factor = multiply(factor, factor);
  }
  return result;
}

function multiply(a: u64, b: u64): u64 {
  let product: u64 = 0;
  for (; a != 0; a <<= 1) {
    if (a & BIT_63) product ^= b;
    b = (b >> 1) ^ (b & 1 ? (0xd800000000000000 as u64) : 0);
  }
  return product;
}
