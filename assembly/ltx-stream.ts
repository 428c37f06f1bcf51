// What encoding and decoding of one LTX file share. There is one stream at a time; whoever begins one owns it (core.ts).
import { update } from "./crc64";
import {
  BAD_LOCK_PAGE, BAD_PAGE_ABOVE_COMMIT, BAD_PAGE_NUMBER_ZERO, BAD_PAGE_ORDER, LOCK_BYTE,
  NEW_CHECKSUMS_OFFSET, OLD_CHECKSUMS_OFFSET, PGNOS_OFFSET,
} from "./memory";

export const HEADER_SIZE: u64 = 100;
export const PAGE_HEADER_SIZE: u32 = 6;
export const PAGE_FLAG_SIZED: u32 = 1;
/** Header and size field of a page whose data is an LZ4 block. */
export const SIZED_HEADER_SIZE: u32 = 10;
export const CHECKSUM_FLAG: u64 = 1 << 63;

export class Stream {
  static pageSize: u32 = 0;
  static commit: u32 = 0;
  static lockPage: u32 = 0;
  static lastPgno: u32 = 0;
  static pageCount: u32 = 0;
  /** Where the next page lies in the file. */
  static offset: u64 = 0;
  /** The register of the file checksum, over all but what was never given (the encoder leaves the header out). */
  static register: u64 = 0;
  /** How many bytes it has seen: pages count as decompressed. */
  static summed: u64 = 0;
  /** XOR of page checksums: of all pages, or of what changed. */
  static databaseXor: u64 = 0;
}

export function streamBegin(pageSize: u32, commit: u32): void {
  Stream.pageSize = pageSize;
  Stream.commit = commit;
  Stream.lockPage = <u32>LOCK_BYTE / pageSize + 1;
  Stream.lastPgno = 0;
  Stream.pageCount = 0;
  Stream.offset = HEADER_SIZE;
  Stream.register = ~0;
  Stream.summed = 0;
  Stream.databaseXor = 0;
}

/** Extends the file checksum by bytes as they are stored. */
export function streamSum(at: usize, length: u32): void {
  Stream.register = update(Stream.register, at, length);
  Stream.summed += length;
}

/** The CRC-64 of all that was summed, without the flag in bit 63. */
export function streamChecksum(): u64 {
  return ~Stream.register;
}

export function streamSummed(): u64 {
  return Stream.summed;
}

export function streamPageCount(): u32 {
  return Stream.pageCount;
}

export function streamDatabaseXor(): u64 {
  return Stream.databaseXor;
}

/** Pages ascend, and are none that a database of `commit` pages cannot have. */
// @ts-ignore: decorator
@inline
export function checkPgno(pgno: u32): i32 {
  if (pgno == 0) return BAD_PAGE_NUMBER_ZERO;
  if (pgno <= Stream.lastPgno) return BAD_PAGE_ORDER;
  if (pgno > Stream.commit) return BAD_PAGE_ABOVE_COMMIT;
  if (pgno == Stream.lockPage) return BAD_LOCK_PAGE;
  return 0;
}

// @ts-ignore: decorator
@inline
export function pgnoOf(row: u32): usize {
  return PGNOS_OFFSET + (<usize>row << 2);
}

// @ts-ignore: decorator
@inline
export function oldChecksumOf(row: u32): usize {
  return OLD_CHECKSUMS_OFFSET + (<usize>row << 3);
}

// @ts-ignore: decorator
@inline
export function newChecksumOf(row: u32): usize {
  return NEW_CHECKSUMS_OFFSET + (<usize>row << 3);
}
