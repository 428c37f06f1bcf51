import { LOCK_BYTE } from "../wasm/layout.ts";

/** LTX version 3 (formats.md, section 2): sizes, the header and the trailer. Everything is big-endian. */

/** A transaction's number. Unsigned 64 bits; a snapshot carries the TXID of the last commit that it contains. */
export type Txid = bigint;
/** CRC-64 with bit 63 set, or 0 for "none". Never a JS number. */
export type Checksum = bigint;

export const LTX_HEADER_SIZE = 100;
export const LTX_TRAILER_SIZE = 16;
export const LTX_FLAG_NO_CHECKSUM = 0x2;
export const CHECKSUM_FLAG = 1n << 63n;

export interface LtxHeader {
  readonly flags: number;
  readonly pageSizeBytes: number;
  /** Database size in pages after this file. */
  readonly commit: number;
  readonly minTxid: Txid;
  readonly maxTxid: Txid;
  /** Unix ms at which the last commit in the file was captured. */
  readonly timestampMs: number;
  /** Database checksum before this file; 0 for a snapshot. */
  readonly preApply: Checksum;
  /** Where the first frame lay in the source WAL; 0 for a snapshot. */
  readonly walOffset: bigint;
  /** Bytes of WAL covered; 0 with walOffset > 0 marks a repair. */
  readonly walSize: bigint;
  readonly walSalt1: number;
  readonly walSalt2: number;
  /** The writer's id (writer.json). */
  readonly nodeId: bigint;
  /** SHA-256 of the body truncated to 64 bits, bit 63 set; 0 in files of other writers. */
  readonly bodyChecksum: Checksum;
}

export interface LtxTrailer {
  /** Database checksum after this file; 0 with NoChecksum. */
  readonly postApply: Checksum;
  readonly fileChecksum: Checksum;
}

/** (TXID, post-apply checksum): what a database is at one moment. */
export interface Position {
  readonly txid: Txid;
  readonly postApply: Checksum;
}

/** The page that SQLite keeps for its locks (SQLite file format, section 1.6): in no file and in no checksum. */
export function lockPage(pageSizeBytes: number): number {
  return LOCK_BYTE / pageSizeBytes + 1;
}

/** How many pages a snapshot of a database of `commit` pages holds. */
export function snapshotPageCount(commit: number, pageSizeBytes: number): number {
  return commit < lockPage(pageSizeBytes) ? commit : commit - 1;
}

export function isSnapshot(header: Pick<LtxHeader, "minTxid">): boolean {
  return header.minTxid === 1n;
}

/** Whether the single commits in the file's range are not known (formats.md, section 2, WAL size). */
export function isRepair(header: Pick<LtxHeader, "walOffset" | "walSize">): boolean {
  return header.walOffset > 0n && header.walSize === 0n;
}

export function hasChecksums(header: Pick<LtxHeader, "flags">): boolean {
  return (header.flags & LTX_FLAG_NO_CHECKSUM) === 0;
}
