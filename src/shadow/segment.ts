import { closeSync, existsSync, fsyncSync, mkdirSync, openSync, readSync } from "node:fs";
import { dirname, join } from "node:path";
import { setImmediate } from "node:timers/promises";
import { crc32 } from "node:zlib";
import { LATEST_TIME_MS } from "../clock.ts";
import type { Txid } from "../ltx/format.ts";
import { decodeWalHeader, type WalHeader } from "../wal/header.ts";
import { isBetweenFrames, type LogPosition, startOf, WAL_HEADER_SIZE } from "../wal/position.ts";
import type { ReadAt } from "../wal/read-at.ts";
import { fsyncFolder, fsyncOffThread, syncPath, writeFully } from "./durable-file.ts";
import { localError, onLocalFile } from "./local-error.ts";
import { filesIn, removeLocalFile } from "./local-files.ts";

/**
 * A segment of the shadow WAL: frames [from, to) of one generation of a log, verbatim, from behind one commit to behind another. Their own
 * checksums make it self-verifying: the header holds what the chain starts from.
 *
 * Header, 88 bytes, big-endian:
 *   0  magic            8   `WALRUSTS`
 *   8  version          u32 1
 *  12  (zero)           u32
 *  16  TXID before the first frame  u64
 *  24  header of the source log     32, verbatim
 *  56  offset of the first frame in the source log  u64
 *  64  running checksum there       2 x u32
 *  72  captured at, Unix ms         u64
 *  80  CRC-32 of the 80 bytes before  u32
 *  84  (zero)           u32
 */
export interface SegmentHeader {
  readonly txidBefore: Txid;
  /** The source log's first 32 bytes. */
  readonly logHeader: Uint8Array;
  readonly from: LogPosition;
  readonly capturedAtMs: number;
}

const MAGIC = "WALRUSTS";
const VERSION = 1;
export const SEGMENT_HEADER_SIZE = 88;
const CHECKED_SIZE = 80;

export function encodeSegmentHeader(header: SegmentHeader): Buffer {
  const bytes = Buffer.alloc(SEGMENT_HEADER_SIZE);
  bytes.write(MAGIC, 0, "latin1");
  bytes.writeUInt32BE(VERSION, 8);
  bytes.writeBigUInt64BE(header.txidBefore, 16);
  bytes.set(header.logHeader.subarray(0, WAL_HEADER_SIZE), 24);
  bytes.writeBigUInt64BE(BigInt(header.from.offset), 56);
  bytes.writeUInt32BE(header.from.checksum1, 64);
  bytes.writeUInt32BE(header.from.checksum2, 68);
  bytes.writeBigUInt64BE(BigInt(header.capturedAtMs), 72);
  bytes.writeUInt32BE(crc32(bytes.subarray(0, CHECKED_SIZE)), 80);
  return bytes;
}

/** Undefined: not a segment, or not written whole. */
export function decodeSegmentHeader(
  bytes: Buffer,
): (SegmentHeader & { readonly log: WalHeader }) | undefined {
  if (bytes.length < SEGMENT_HEADER_SIZE || bytes.toString("latin1", 0, 8) !== MAGIC) return undefined;
  if (bytes.readUInt32BE(8) !== VERSION) return undefined;
  if (bytes.readUInt32BE(80) !== crc32(bytes.subarray(0, CHECKED_SIZE))) return undefined;
  const logHeader = bytes.subarray(24, 24 + WAL_HEADER_SIZE);
  const log = decodeWalHeader(logHeader);
  const offset = Number(bytes.readBigUInt64BE(56));
  const capturedAtMs = Number(bytes.readBigUInt64BE(72));
  if (log === undefined || !isBetweenFrames({ offset }, log.pageSizeBytes) || capturedAtMs > LATEST_TIME_MS)
    return undefined;
  return {
    txidBefore: bytes.readBigUInt64BE(16),
    logHeader,
    log,
    from: {
      ...startOf(log),
      offset,
      checksum1: bytes.readUInt32BE(64),
      checksum2: bytes.readUInt32BE(68),
    },
    capturedAtMs,
  };
}

/** The header of the segment at `path`; undefined: it is none. Errors: LOCAL_IO. */
export function readSegmentHeader(path: string): ReturnType<typeof decodeSegmentHeader> {
  const bytes = Buffer.alloc(SEGMENT_HEADER_SIZE);
  try {
    const fd = openSync(path, "r");
    try {
      return decodeSegmentHeader(bytes.subarray(0, readSync(fd, bytes, 0, bytes.length, 0)));
    } finally {
      closeSync(fd);
    }
  } catch (error) {
    throw localError(error, "read", path);
  }
}

/** Reads by offsets of the source log, so that nobody needs to know whether frames lie in the log or in a segment. */
export class Segment {
  readonly path: string;
  readonly fromOffset: number;
  readonly sizeBytes: number;
  /** Opened by the first read: many segments may wait while storage is away. */
  #fd: number | undefined;

  constructor(path: string, fromOffset: number, sizeBytes: number) {
    this.path = path;
    this.fromOffset = fromOffset;
    this.sizeBytes = sizeBytes;
  }

  /**
   * Copies frames and makes them durable, at once: for the few frames that are left inside a barrier.
   * @param toOffset end of the last frame, exclusive. Errors: LOCAL_DISK_FULL, LOCAL_IO; then nothing stays behind.
   */
  static write(folder: string, header: SegmentHeader, toOffset: number, readLog: ReadAt): Segment {
    const draft = new SegmentDraft(folder, header, toOffset);
    try {
      for (const _ of draft.copy(readLog));
      draft.sync();
      return draft.publish();
    } finally {
      draft.close();
    }
  }

  /** The same for any number of frames: lets others run between pieces, and waits for the disk off this thread. */
  static async writeInSlices(
    folder: string,
    header: SegmentHeader,
    toOffset: number,
    readLog: ReadAt,
  ): Promise<Segment> {
    const draft = new SegmentDraft(folder, header, toOffset);
    try {
      for (const _ of draft.copy(readLog)) await setImmediate();
      await draft.syncOffThread();
      return draft.publish();
    } finally {
      draft.close();
    }
  }

  /** Errors: LOCAL_IO. */
  readAt(into: Uint8Array, logOffset: number): number {
    return onLocalFile("read", this.path, () => {
      this.#fd ??= openSync(this.path, "r");
      return readSync(this.#fd, into, 0, into.length, SEGMENT_HEADER_SIZE + logOffset - this.fromOffset);
    });
  }

  /** A later read opens it again. */
  close(): void {
    if (this.#fd !== undefined) closeSync(this.#fd);
    this.#fd = undefined;
  }

  /** After everything in it was published. Errors: LOCAL_IO; it is found to be of no use at the next start. */
  discard(): void {
    this.close();
    removeLocalFile(this.path);
  }
}

/** In the order of their TXIDs; also those that were never finished. Errors: LOCAL_IO. */
export function segmentPaths(folder: string): readonly string[] {
  return filesIn(folder);
}

/** None of them comes back, not with a loss of power either. Errors: LOCAL_IO. */
export async function removeSegments(folder: string): Promise<void> {
  for (const path of segmentPaths(folder)) removeLocalFile(path);
  await syncSegments(folder);
}

/** Makes durable which segments there are. Where there is no folder there never was one. Errors: LOCAL_IO. */
export async function syncSegments(folder: string): Promise<void> {
  if (existsSync(folder)) await syncPath(folder);
}

/**
 * In order: by TXID, and by the order in which they were made where several begin behind the same one (the Litestream layout). Nothing in the log
 * tells that order: its generations begin at the same offset, and each connection counts them for itself.
 * @param ordinal from 1
 */
export function segmentName({ txidBefore }: Pick<SegmentHeader, "txidBefore">, ordinal: number): string {
  return `${txidBefore.toString().padStart(20, "0")}-${String(ordinal).padStart(10, "0")}.frames`;
}

/** Behind that of every segment in the folder. Errors: LOCAL_IO. */
function nextOrdinal(folder: string): number {
  const ordinals = filesIn(folder).map((path) => Number(ORDINAL.exec(path)?.[1] ?? 0));
  return ordinals.reduce((most, ordinal) => Math.max(most, ordinal), 0) + 1;
}

const ORDINAL = /-(\d+)\.frames$/;

/** In a folder that nobody else can enter. */
function makeFolder(path: string): void {
  mkdirSync(path, { mode: 0o700 });
  fsyncFolder(dirname(path));
}

/** Bytes moved per step. */
const COPY_PIECE_BYTES = 1 << 20;

/**
 * A segment that is being written, deleted by `close` unless it was published. It has its name from the start: what a death leaves of it is found out by
 * its checksums, and a rename would make the disk write twice while a writer waits.
 */
class SegmentDraft {
  readonly #folder: string;
  readonly #path: string;
  readonly #header: SegmentHeader;
  readonly #toOffset: number;
  readonly #fd: number;
  #published = false;

  constructor(folder: string, header: SegmentHeader, toOffset: number) {
    this.#folder = folder;
    this.#path = join(folder, segmentName(header, nextOrdinal(folder)));
    this.#header = header;
    this.#toOffset = toOffset;
    this.#fd = this.#guard(() => {
      if (!existsSync(folder)) makeFolder(folder);
      return openSync(this.#path, "wx", 0o600);
    });
  }

  *copy(readLog: ReadAt): Generator<void> {
    this.#guard(() => writeFully(this.#fd, encodeSegmentHeader(this.#header), 0));
    const from = this.#header.from.offset;
    const buffer = Buffer.allocUnsafe(Math.min(COPY_PIECE_BYTES, this.#toOffset - from));
    for (let offset = from; offset < this.#toOffset; offset += buffer.length) {
      const piece = buffer.subarray(0, this.#toOffset - offset);
      this.#guard(() => {
        const read = readLog(piece, offset);
        if (read !== piece.length)
          throw new Error(`the log ends at ${offset + read}, before ${this.#toOffset}`);
        writeFully(this.#fd, piece, SEGMENT_HEADER_SIZE + offset - from);
      });
      yield;
    }
  }

  sync(): void {
    this.#guard(() => fsyncSync(this.#fd));
  }

  async syncOffThread(): Promise<void> {
    await fsyncOffThread(this.#fd).catch((error) => {
      throw localError(error, "write", this.#path);
    });
  }

  publish(): Segment {
    this.#guard(() => fsyncFolder(this.#folder));
    this.#published = true;
    const from = this.#header.from.offset;
    return new Segment(this.#path, from, SEGMENT_HEADER_SIZE + this.#toOffset - from);
  }

  close(): void {
    closeSync(this.#fd);
    if (!this.#published) removeLocalFile(this.#path);
  }

  #guard<T>(operation: () => T): T {
    return onLocalFile("write", this.#path, operation);
  }
}
