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

/** Looks at what lies in the log's file around the cursor: see ContinuityFacts.tail. Two small reads. */
export function logTail(cursor: LogPosition, pageSizeBytes: number, read: ReadAt): LogTail {
  if (cursor.offset === WAL_HEADER_SIZE) return "unknown"; // no frame of it to look for
  const last = frameHeader(read, cursor.offset - WAL_FRAME_HEADER_SIZE - pageSizeBytes);
  if (last === undefined || !isOf(cursor, last)) return "unknown";
  const isLast =
    last.getUint32(CHECKSUM_1) === cursor.checksum1 && last.getUint32(CHECKSUM_2) === cursor.checksum2;
  if (!isLast) return "unknown";
  const next = frameHeader(read, cursor.offset);
  return next !== undefined && isOf(cursor, next) ? "unknown" : "whole";
}

/** Undefined: the file ends before. */
function frameHeader(read: ReadAt, offset: number): DataView | undefined {
  const bytes = new Uint8Array(WAL_FRAME_HEADER_SIZE);
  return read(bytes, offset) === bytes.length ? new DataView(bytes.buffer) : undefined;
}

function isOf(cursor: LogPosition, frame: DataView): boolean {
  return frame.getUint32(SALT_1) === cursor.salt1 && frame.getUint32(SALT_2) === cursor.salt2;
}
