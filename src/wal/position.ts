import { WAL_FRAME_HEADER_SIZE } from "../wasm/layout.ts";
import type { WalHeader } from "./header.ts";

export { WAL_FRAME_HEADER_SIZE };

/** A place in a log just behind a commit frame, or before the first frame. */
export interface LogPosition {
  /** The checkpoint sequence of the log's header; with the salts it names the generation. */
  readonly sequence: number;
  readonly salt1: number;
  readonly salt2: number;
  /** Bytes from the start of the log file; 32 = before the first frame. */
  readonly offset: number;
  /** The running checksum there. */
  readonly checksum1: number;
  readonly checksum2: number;
}

export const WAL_HEADER_SIZE = 32;

/** Before the first frame of the log that begins with this header. */
export function startOf(header: WalHeader): LogPosition {
  const { sequence, salt1, salt2, checksum1, checksum2 } = header;
  return { sequence, salt1, salt2, offset: WAL_HEADER_SIZE, checksum1, checksum2 };
}

/** Frames in the log before a position. */
export function framesBefore(position: LogPosition, pageSizeBytes: number): number {
  return (position.offset - WAL_HEADER_SIZE) / (WAL_FRAME_HEADER_SIZE + pageSizeBytes);
}

/** Whether a place in a log can be one: 0 or more whole frames lie before it. */
export function isBetweenFrames({ offset }: Pick<LogPosition, "offset">, pageSizeBytes: number): boolean {
  const frameSize = WAL_FRAME_HEADER_SIZE + pageSizeBytes;
  return (
    Number.isSafeInteger(offset) && offset >= WAL_HEADER_SIZE && (offset - WAL_HEADER_SIZE) % frameSize === 0
  );
}

export function isSameGeneration(a: Generation, b: Generation): boolean {
  return a.salt1 === b.salt1 && a.salt2 === b.salt2 && a.sequence === b.sequence;
}

type Generation = Pick<LogPosition, "sequence" | "salt1" | "salt2">;
