const PRIMES = [2654435761, 2246822519, 3266489917, 668265263, 374761393] as const;

const rotate = (value: number, by: number): number => ((value << by) | (value >>> (32 - by))) >>> 0;
const add = (a: number, b: number): number => (a + b) >>> 0;
const multiply = (a: number, b: number): number => Math.imul(a, b) >>> 0;

/** XXH32 with seed 0, as its specification tells it. */
export function xxh32(data: Uint8Array): number {
  const bytes = Buffer.from(data);
  const [p1, p2, p3, p4, p5] = PRIMES;
  let at = 0;
  let hash = p5 as number;
  if (bytes.length >= 16) {
    const lanes = [add(p1, p2), p2, 0, (0 - p1) >>> 0];
    for (; bytes.length - at >= 16; at += 16) {
      for (const [lane, value] of lanes.entries()) {
        const word = bytes.readUInt32LE(at + 4 * lane);
        lanes[lane] = multiply(rotate(add(value, multiply(word, p2)), 13), p1);
      }
    }
    hash = [1, 7, 12, 18].reduce((sum, by, lane) => add(sum, rotate(lanes[lane] ?? 0, by)), 0);
  }
  hash = add(hash, bytes.length);
  for (; bytes.length - at >= 4; at += 4) {
    hash = multiply(rotate(add(hash, multiply(bytes.readUInt32LE(at), p3)), 17), p4);
  }
  for (; at < bytes.length; at += 1) {
    hash = multiply(rotate(add(hash, multiply(bytes.readUInt8(at), p5)), 11), p1);
  }
  hash = multiply(hash ^ (hash >>> 15), p2);
  hash = multiply(hash ^ (hash >>> 13), p3);
  return (hash ^ (hash >>> 16)) >>> 0;
}
