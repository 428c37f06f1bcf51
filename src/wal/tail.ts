import type { LogTail } from "./continuity.ts";
import { type LogPosition, WAL_FRAME_HEADER_SIZE, WAL_HEADER_SIZE } from "./position.ts";
import type { ReadAt } from "./read-at.ts";

/*
 * A frame's header (SQLite file format, section 4.1): pgno u32 | commit u32 | salt-1 u32 | salt-2 u32 | checksum-1 u32 | checksum-2 u32, big-endian.
 */
const SALT_1 = 8;
const SALT_2 = 12;
const CHECKSUM_1 = 16;
const CHECKSUM_2 = 20;

/**
 * Looks at what lies in the log's file around the cursor: see ContinuityFacts.tail. Two small reads. A file that ends just behind the last captured
 * frame counts as whole. It may have been longer, only if journal_size_limit is exactly that many bytes: a size that is no round number, for
 * which there is no other sign.
 */
export function logTail(cursor: LogPosition, pageSizeBytes: number, read: ReadAt): LogTail {
  if (cursor.offset === WAL_HEADER_SIZE) return "unknown"; // no frame of it to look for
  const last = new Uint8Array(WAL_FRAME_HEADER_SIZE);
  if (read(last, cursor.offset - WAL_FRAME_HEADER_SIZE - pageSizeBytes) < last.length) return "unknown";
  if (!isOf(cursor, last) || !endsAt(cursor, last)) return "unknown";

  // The last byte of that frame, and the header of the next one.
  const behind = new Uint8Array(1 + WAL_FRAME_HEADER_SIZE);
  const got = read(behind, cursor.offset - 1);
  if (got === 1) return "whole";
  // Less, or half a header: the file was cut within a frame.
  return got < behind.length || isOf(cursor, behind.subarray(1)) ? "unknown" : "whole";
}

function endsAt(cursor: LogPosition, frame: Uint8Array): boolean {
  return word(frame, CHECKSUM_1) === cursor.checksum1 && word(frame, CHECKSUM_2) === cursor.checksum2;
}

function isOf(cursor: LogPosition, frame: Uint8Array): boolean {
  return word(frame, SALT_1) === cursor.salt1 && word(frame, SALT_2) === cursor.salt2;
}

function word(bytes: Uint8Array, at: number): number {
  return new DataView(bytes.buffer, bytes.byteOffset).getUint32(at);
}
