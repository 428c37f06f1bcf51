import { PAGE_SIZE_MAX, PAGE_SIZE_MIN } from "../wasm/layout.ts";
import { WAL_HEADER_SIZE } from "./position.ts";

/**
 * The header of a log (formats.md, section 1; SQLite file format, section 4.1). Big-endian.
 *
 *   0  magic u32        the last bit gives the order of the words in checksums
 *   4  version u32
 *   8  page size u32
 *  12  checkpoint sequence u32
 *  16  salt-1 u32
 *  20  salt-2 u32
 *  24  checksum-1 u32   over the first 24 bytes
 *  28  checksum-2 u32
 */
export interface WalHeader {
  readonly bigEndianChecksums: boolean;
  readonly pageSizeBytes: number;
  readonly sequence: number;
  readonly salt1: number;
  readonly salt2: number;
  readonly checksum1: number;
  readonly checksum2: number;
}

const MAGIC_LITTLE_ENDIAN = 0x377f0682;
const MAGIC_BIG_ENDIAN = 0x377f0683;
const VERSION = 3007000;
const CHECKED_SIZE = 24;

/**
 * The header in the first 32 of `bytes`, or undefined where SQLite would find no log either: too short,
 * zeroed, another magic or version, a page size that is none, or a checksum that does not hold
 * (walIndexRecover in wal.c decides alike).
 */
export function decodeWalHeader(bytes: Uint8Array): WalHeader | undefined {
  if (bytes.length < WAL_HEADER_SIZE) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, WAL_HEADER_SIZE);
  const magic = view.getUint32(0);
  if (magic !== MAGIC_LITTLE_ENDIAN && magic !== MAGIC_BIG_ENDIAN) return undefined;
  if (view.getUint32(4) !== VERSION) return undefined;
  const pageSizeBytes = view.getUint32(8);
  if (!isPageSize(pageSizeBytes)) return undefined;

  const bigEndianChecksums = magic === MAGIC_BIG_ENDIAN;
  const checksum1 = view.getUint32(24);
  const checksum2 = view.getUint32(28);
  const [s0, s1] = headerChecksum(view, !bigEndianChecksums);
  if (s0 !== checksum1 || s1 !== checksum2) return undefined;
  return {
    bigEndianChecksums,
    pageSizeBytes,
    sequence: view.getUint32(12),
    salt1: view.getUint32(16),
    salt2: view.getUint32(20),
    checksum1,
    checksum2,
  };
}

/** One that SQLite knows: a power of two from 512 to 65536. */
export function isPageSize(bytes: number): boolean {
  return bytes >= PAGE_SIZE_MIN && bytes <= PAGE_SIZE_MAX && (bytes & (bytes - 1)) === 0;
}

/** The running checksum over the first 24 bytes, from nothing. */
function headerChecksum(view: DataView, littleEndian: boolean): readonly [number, number] {
  let s0 = 0;
  let s1 = 0;
  for (let at = 0; at < CHECKED_SIZE; at += 8) {
    s0 = (s0 + view.getUint32(at, littleEndian) + s1) >>> 0;
    s1 = (s1 + view.getUint32(at + 4, littleEndian) + s0) >>> 0;
  }
  return [s0, s1];
}
