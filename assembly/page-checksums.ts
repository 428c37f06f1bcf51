// The checksums of pages alone (formats.md, section 2, database checksum), without a file.
import { update, updateU32 } from "./crc64";
import { CHECKSUM_FLAG, newChecksumOf, pgnoOf } from "./ltx-stream";
import { INPUT_OFFSET } from "./memory";

/**
 * Fills NEW_CHECKSUMS for the first `count` rows: page `i` lies at i * page size in INPUT, its number in PGNOS.
 * @returns their XOR
 */
export function checksumPages(count: u32, pageSize: u32): u64 {
  let xor: u64 = 0;
  for (let row: u32 = 0; row < count; row += 1) {
    const behindPgno = updateU32(~0, bswap<u32>(load<u32>(pgnoOf(row))));
    const checksum = ~update(behindPgno, INPUT_OFFSET + row * pageSize, pageSize) | CHECKSUM_FLAG;
    store<u64>(newChecksumOf(row), checksum);
    xor ^= checksum;
  }
  return xor;
}
