import { isWalrustError, WalrustError } from "../../errors.ts";
import type { CallOptions } from "../storage.ts";
import { ChunkCipher } from "./chunk-cipher.ts";
import type { MasterKey } from "./master-key.ts";
import {
  chunkAt,
  decodeHeader,
  HEADER_BYTES,
  plainStart,
  sealedBytes,
  sealedStart,
} from "./object-format.ts";
import type { SaltCache, SaltedObject } from "./salt-cache.ts";
import { SealedFrames } from "./sealed-frames.ts";

/** Bytes of a body: [start, end), or up to its end where `end` is beyond it. */
export interface PlainRange {
  readonly start: number;
  readonly end: number;
}

export interface SealedObject extends SaltedObject {
  readonly master: MasterKey;
  readonly salts: SaltCache;
}

const MAX_TRIES = 3;

/**
 * Reads a range of an encrypted object: the chunks that it touches, and nothing else. Where it reaches the end, the last chunk proves that it is
 * the last. A piece is valid until the next one is asked for. Errors: INTEGRITY_CHECKSUM, INTEGRITY_FORMAT; STORAGE_*.
 */
export async function* decryptRange(
  object: SealedObject,
  range: PlainRange,
  options: CallOptions,
): AsyncGenerator<Uint8Array> {
  const { storage, stored, key, salts } = object;
  const first = chunkAt(range.start);
  const length = sealedStart(chunkAt(range.end - 1) + 1) + 1; // one byte more tells whether the last chunk is the object's last
  if (first === 0) {
    const source = storage.read(stored, { ...options, ...(Number.isFinite(length) && { length }) });
    yield* openFromHeader(object, source, range);
    return;
  }
  const offset = sealedStart(first);
  for (let tries = 1; ; tries += 1) {
    const salt = await salts.get(object);
    const source = storage.read(stored, {
      ...options,
      offset,
      ...(Number.isFinite(length) && { length: length - offset }),
    });
    const frames = new SealedFrames(source);
    let hasGiven = false;
    try {
      for await (const piece of openChunks(object, frames, salt, first, range)) {
        hasGiven = true;
        yield piece;
      }
      return;
    } catch (error) {
      if (!isWalrustError(error, "INTEGRITY_CHECKSUM")) throw error;
      // The salt came with another request: the object may have been replaced in between.
      if (!(await salts.isStale(object, salt))) throw error;
      if (hasGiven || tries === MAX_TRIES) {
        throw new WalrustError("STORAGE_CONFLICT", `${key} was changed while it was read`, { cause: error });
      }
    } finally {
      await frames.close();
    }
  }
}

/** Opens an object whose bytes come from its beginning on. */
export async function* openFromHeader(
  object: SealedObject,
  source: AsyncIterable<Uint8Array>,
  range: PlainRange,
): AsyncGenerator<Uint8Array> {
  const frames = new SealedFrames(source);
  try {
    const salt = decodeHeader((await frames.next(HEADER_BYTES)).bytes, object.key);
    object.salts.set(object.stored, salt);
    yield* openChunks(object, frames, salt, 0, range);
  } finally {
    await frames.close();
  }
}

async function* openChunks(
  { master, key }: SealedObject,
  frames: SealedFrames,
  salt: Uint8Array,
  first: number,
  { start, end }: PlainRange,
): AsyncGenerator<Uint8Array> {
  const cipher = new ChunkCipher(master.forObject(salt, key));
  for (let chunk = first; ; chunk += 1) {
    const { bytes, isLast } = await frames.next(sealedBytes(chunk));
    if (bytes.length === 0 && chunk === first && first > 0) return; // the range begins behind the end
    const plain = cipher.open(chunk, isLast, bytes);
    if (plain === undefined) throw damaged(key);
    const begin = plainStart(chunk);
    const wanted = plain.subarray(Math.max(0, start - begin), Math.max(0, end - begin));
    if (wanted.length > 0) yield wanted;
    if (isLast || begin + plain.length >= end) return;
  }
}

function damaged(key: string): WalrustError {
  return new WalrustError(
    "INTEGRITY_CHECKSUM",
    `${key} cannot be decrypted: it was damaged, cut, or put in the place of another object`,
    { hint: "Run `walrust verify` to see what it costs.", details: { object: key } },
  );
}
