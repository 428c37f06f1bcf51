import type { LogPosition } from "../wal/position.ts";
import { WAL_FRAME_HEADER_SIZE, WAL_HEADER_SIZE } from "../wal/position.ts";

/**
 * What SQLite itself counts as committed, from the first bytes of the -shm file (sqlite.org/walformat.html, section 2;
 * WalIndexHdr and WalCkptInfo in wal.c). Words in the machine's order, little-endian on every machine that runs us.
 *
 *    0   4  version, 3007000
 *    8   4  change counter, one more with each commit
 *   12   1  1 once it is initialised
 *   13   1  1: big-endian words in the checksums of the log
 *   14   2  page size; 1 means 65536
 *   16   4  committed frames in the log
 *   20   4  pages in the database; 0 if recovered from an empty log
 *   24   8  running checksum behind the last committed frame
 *   32   8  salts, as the log's header has them (big-endian)
 *   40   8  checksum of the 40 bytes before
 *   48  48  the same header once more: a writer changes this copy first
 *   96   4  backfilled frames
 *
 * Why the log file alone does not say what is committed: a writer puts a transaction's frames with valid checksums into the log,
 * fsyncs (synchronous=FULL), and only then publishes them here. If it dies in between, or the fsync fails, the
 * frames stay in the file, but the next writer overwrites them, since nobody who still has the database open runs a
 * recovery, and walrust is such a one. Whoever took those frames for a commit follows a chain that SQLite left.
 */
export interface WalIndex {
  readonly changeCounter: number;
  /** Committed frames; 0: the log is empty, whatever its file holds. */
  readonly frames: number;
  /** Of them, those that are in the database file. Read apart from the rest: may be newer. */
  readonly backfilledFrames: number;
  /** Database size; 0 where it was recovered from an empty log: then the main file says. */
  readonly commitPages: number;
  readonly salt1: number;
  readonly salt2: number;
  /** Behind the last committed frame; without frames it means nothing. */
  readonly checksum1: number;
  readonly checksum2: number;
}

export const WAL_INDEX_SIZE = 136;
const HEADER_SIZE = 48;
const CHECKED_SIZE = 40;
const VERSION = 3007000;

/** Undefined: not initialised, or caught while a writer changes it (then look again). */
export function decodeWalIndex(bytes: Buffer): WalIndex | undefined {
  if (bytes.length < WAL_INDEX_SIZE) return undefined;
  if (bytes.compare(bytes, HEADER_SIZE, 2 * HEADER_SIZE, 0, HEADER_SIZE) !== 0) return undefined;
  if (bytes.readUInt32LE(0) !== VERSION || bytes[12] !== 1 || !isChecksumRight(bytes)) return undefined;
  return {
    changeCounter: bytes.readUInt32LE(8),
    frames: bytes.readUInt32LE(16),
    backfilledFrames: bytes.readUInt32LE(96),
    commitPages: bytes.readUInt32LE(20),
    salt1: bytes.readUInt32BE(32),
    salt2: bytes.readUInt32BE(36),
    checksum1: bytes.readUInt32LE(24),
    checksum2: bytes.readUInt32LE(28),
  };
}

/** Whether nothing was committed, and the log not restarted, between two looks. */
export function isUnchanged(a: WalIndex, b: WalIndex): boolean {
  return a.changeCounter === b.changeCounter && a.frames === b.frames && isSameLog(a, b);
}

/**
 * How a position behind captured commits relates to what is committed:
 * `equal`, proved by the running checksum; `behind`: there is more to capture; `restarted`: SQLite has commits in another generation;
 * `astray`: the position lies behind frames that SQLite does not have, so what was captured is not its history.
 */
export type Standing = "equal" | "behind" | "restarted" | "astray";

/** @param position undefined: there was no log */
export function standing(
  position: LogPosition | undefined,
  index: WalIndex,
  pageSizeBytes: number,
): Standing {
  const captured = position === undefined ? 0 : framesBefore(position, pageSizeBytes);
  const sameLog = position !== undefined && isSameLog(position, index);
  if (index.frames === 0) return sameLog && captured > 0 ? "astray" : "equal";
  if (!sameLog) return position === undefined ? "behind" : "restarted";
  if (captured < index.frames) return "behind";
  const sameChecksum = position.checksum1 === index.checksum1 && position.checksum2 === index.checksum2;
  return captured === index.frames && sameChecksum ? "equal" : "astray";
}

/** The offset behind the last committed frame: a scan must end there, and not before or after. */
export function committedSize(index: WalIndex, pageSizeBytes: number): number {
  return WAL_HEADER_SIZE + index.frames * (WAL_FRAME_HEADER_SIZE + pageSizeBytes);
}

function framesBefore(position: LogPosition, pageSizeBytes: number): number {
  return (position.offset - WAL_HEADER_SIZE) / (WAL_FRAME_HEADER_SIZE + pageSizeBytes);
}

type Salts = Pick<WalIndex, "salt1" | "salt2">;

export function isSameLog(a: Salts, b: Salts): boolean {
  return a.salt1 === b.salt1 && a.salt2 === b.salt2;
}

function isChecksumRight(bytes: Buffer): boolean {
  let s0 = 0;
  let s1 = 0;
  for (let at = 0; at < CHECKED_SIZE; at += 8) {
    s0 = (s0 + bytes.readUInt32LE(at) + s1) >>> 0;
    s1 = (s1 + bytes.readUInt32LE(at + 4) + s0) >>> 0;
  }
  return s0 === bytes.readUInt32LE(40) && s1 === bytes.readUInt32LE(44);
}
