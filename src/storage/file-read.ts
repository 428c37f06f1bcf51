import { createHash } from "node:crypto";
import { closeSync, constants, fstatSync, openSync, readSync } from "node:fs";
import { open } from "node:fs/promises";
import { WalrustError } from "../errors.ts";
import { LTX_HEADER_SIZE, LTX_TRAILER_SIZE } from "../ltx/format.ts";
import { checkAborted } from "./abort.ts";
import { fileError } from "./file-error.ts";

const READ_SIZE_BYTES = 256 * 1024;

/** O_NONBLOCK: opening a FIFO that somebody put there must not hang. */
const READ_FLAGS = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;

/** What a file system says of a file. */
export interface FileFacts {
  readonly ino: number;
  readonly size: number;
  readonly mtimeMs: number;
  isFile(): boolean;
  isDirectory(): boolean;
}

/** A file that is open to be read. */
export interface OpenFile {
  readonly facts: FileFacts;
  /** Memory to read it into, until it is closed. */
  buffer(sizeBytes: number): Uint8Array;
  /** Fills the start of `into` from `position` on. How many bytes it was; 0 behind the end. */
  read(into: Uint8Array, position: number): Promise<number> | number;
  close(): Promise<void> | void;
}

/** Opens a file off this thread, and reads it there. Throws what the file system says. */
export async function openFile(path: string): Promise<OpenFile> {
  const handle = await open(path, READ_FLAGS);
  try {
    return {
      facts: await handle.stat(),
      buffer: (sizeBytes) => Buffer.allocUnsafe(sizeBytes),
      read: async (into, position) => (await handle.read(into, 0, into.length, position)).bytesRead,
      close: () => handle.close(),
    };
  } catch (error) {
    await handle.close();
    throw error;
  }
}

/** The same on this thread: for small files that the system has in memory a fifth of the work. Throws what the file system says. */
export function openFileHere(path: string): OpenFile {
  const fd = openSync(path, READ_FLAGS);
  try {
    return {
      facts: fstatSync(fd),
      buffer: (sizeBytes) => Buffer.allocUnsafe(sizeBytes),
      read: (into, position) => readSync(fd, into, 0, into.length, position),
      close: () => closeSync(fd),
    };
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

/** The bytes [start, end) of an open file, in one buffer that is used again for each piece. */
export async function* pieces(
  file: OpenFile,
  key: string,
  start: number,
  end: number,
  signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array> {
  const buffer = file.buffer(Math.max(0, Math.min(READ_SIZE_BYTES, end - start)));
  for (let position = start; position < end; ) {
    checkAborted(signal);
    const bytesRead = await readPiece(file, key, buffer.subarray(0, end - position), position);
    // Objects are never written in place: somebody else's hand was here.
    if (bytesRead === 0) throw new WalrustError("STORAGE_CONFLICT", `${key} was cut while it was read`);
    position += bytesRead;
    yield buffer.subarray(0, bytesRead);
  }
}

async function readPiece(file: OpenFile, key: string, into: Uint8Array, position: number): Promise<number> {
  try {
    return await file.read(into, position);
  } catch (error) {
    throw fileError(error, `read ${key}`);
  }
}

/** SHA-256 of what lies between an LTX header and trailer (formats.md, section 3). */
export async function ltxBodySha256(
  file: OpenFile,
  key: string,
  sizeBytes: number,
  signal: AbortSignal | undefined,
): Promise<string | undefined> {
  if (sizeBytes < LTX_HEADER_SIZE + LTX_TRAILER_SIZE) return undefined;
  const hash = createHash("sha256");
  for await (const piece of pieces(file, key, LTX_HEADER_SIZE, sizeBytes - LTX_TRAILER_SIZE, signal)) {
    hash.update(piece);
  }
  return hash.digest("hex");
}
