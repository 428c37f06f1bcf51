// XXH32 with seed 0: the checksum of LZ4 frames.

const PRIME_1: u32 = 2654435761;
const PRIME_2: u32 = 2246822519;
const PRIME_3: u32 = 3266489917;
const PRIME_4: u32 = 668265263;
const PRIME_5: u32 = 374761393;

// @ts-ignore: decorator
@inline
function round(lane: u32, at: usize): u32 {
  return rotl<u32>(lane + load<u32>(at) * PRIME_2, 13) * PRIME_1;
}

export function xxh32(at: usize, length: usize): u32 {
  const end = at + length;
  let hash: u32 = PRIME_5;
  if (length >= 16) {
    let a: u32 = PRIME_1 + PRIME_2;
    let b: u32 = PRIME_2;
    let c: u32 = 0;
    let d: u32 = 0 - PRIME_1;
    for (const last = end - 16; at <= last; at += 16) {
      a = round(a, at);
      b = round(b, at + 4);
      c = round(c, at + 8);
      d = round(d, at + 12);
    }
    hash = rotl<u32>(a, 1) + rotl<u32>(b, 7) + rotl<u32>(c, 12) + rotl<u32>(d, 18);
  }
  hash += <u32>length;
  for (; end - at >= 4; at += 4) hash = rotl<u32>(hash + load<u32>(at) * PRIME_3, 17) * PRIME_4;
  for (; at < end; at += 1) hash = rotl<u32>(hash + <u32>load<u8>(at) * PRIME_5, 11) * PRIME_1;
  hash = (hash ^ (hash >> 15)) * PRIME_2;
  hash = (hash ^ (hash >> 13)) * PRIME_3;
  return hash ^ (hash >> 16);
}
