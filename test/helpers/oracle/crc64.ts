const POLYNOMIAL = 0xd800000000000000n;
const ONES = 2n ** 64n - 1n;

/** CRC-64/GO-ISO, one bit at a time. */
export function crc64(bytes: Uint8Array, before = 0n): bigint {
  let register = before ^ ONES;
  for (const byte of bytes) {
    register ^= BigInt(byte);
    for (let bit = 0; bit < 8; bit += 1) {
      register = (register >> 1n) ^ (register & 1n ? POLYNOMIAL : 0n);
    }
  }
  return register ^ ONES;
}

/** A page's part of the database checksum (formats.md, section 2). */
export function pageChecksum(pgno: number, page: Uint8Array): bigint {
  const number = Buffer.alloc(4);
  number.writeUInt32BE(pgno);
  return crc64(page, crc64(number)) | (1n << 63n);
}
