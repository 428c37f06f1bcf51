import { WalrustError } from "../../errors.ts";

/**
 * An encrypted object (docs/encryption.md). Offsets are bytes.
 *
 *     0         8          40                    156                  156 + 65552
 *     | magic   | salt     | chunk 0             | chunk 1            | chunk 2 ...
 *     | 8       | 32       | 0 to 100, tag of 16 | to 65536, tag      |
 *
 * Every chunk but the last is full, and only chunk 0 may be empty. Chunk 0 is small because an upload learns the first bytes of its body, the
 * header of an LTX file, last of all (`Upload.complete`): it is sealed then, and put in place as the head of the upload below.
 */
export const HEADER_BYTES = 40;
/** "WALRENC" and the version, 1. */
const MAGIC = Buffer.from("57414c52454e4301", "hex");
const VERSION_OFFSET = 7;
export const SALT_BYTES = 32;
export const TAG_BYTES = 16;
export const FIRST_CHUNK_BYTES = 100;
export const CHUNK_BYTES = 65_536;

const FIRST_SEALED_BYTES = FIRST_CHUNK_BYTES + TAG_BYTES;
const SEALED_BYTES = CHUNK_BYTES + TAG_BYTES;
/** Where chunk 1 begins. */
export const HEAD_BYTES = HEADER_BYTES + FIRST_SEALED_BYTES;

export function encodeHeader(salt: Uint8Array): Buffer {
  return Buffer.concat([MAGIC, salt], HEADER_BYTES);
}

/** The salt. @param key for messages. Errors: INTEGRITY_FORMAT; INTEGRITY_VERSION for an object of a newer walrust. */
export function decodeHeader(bytes: Uint8Array, key: string): Uint8Array {
  if (bytes.length >= HEADER_BYTES && hasMagic(bytes)) return bytes.slice(MAGIC.length, HEADER_BYTES);
  const details = { object: key };
  if (isNewer(bytes)) {
    throw new WalrustError("INTEGRITY_VERSION", `${key} was encrypted by a newer walrust`, {
      hint: "Update walrust.",
      details,
    });
  }
  throw new WalrustError("INTEGRITY_FORMAT", `${key} is not an object that walrust encrypted`, {
    hint: "It was damaged or put there by hand.",
    details,
  });
}

function isNewer(bytes: Uint8Array): boolean {
  const name = (of: Uint8Array) => of.subarray(0, VERSION_OFFSET);
  const version = (of: Uint8Array) => of[VERSION_OFFSET] ?? 0;
  return Buffer.compare(name(bytes), name(MAGIC)) === 0 && version(bytes) > version(MAGIC);
}

export function hasMagic(bytes: Uint8Array): boolean {
  return Buffer.compare(bytes.subarray(0, MAGIC.length), MAGIC) === 0;
}

/** Size of the whole object. */
export function storedSizeOf(plainBytes: number): number {
  const rest = plainBytes - FIRST_CHUNK_BYTES;
  if (rest <= 0) return HEADER_BYTES + plainBytes + TAG_BYTES;
  return HEAD_BYTES + rest + Math.ceil(rest / CHUNK_BYTES) * TAG_BYTES;
}

/** Size of the body; undefined for a size that no whole object has. */
export function plainSizeOf(storedBytes: number): number | undefined {
  const rest = storedBytes - HEAD_BYTES;
  const plainBytes =
    rest <= 0
      ? storedBytes - HEADER_BYTES - TAG_BYTES
      : FIRST_CHUNK_BYTES + rest - Math.ceil(rest / SEALED_BYTES) * TAG_BYTES;
  return plainBytes >= 0 && storedSizeOf(plainBytes) === storedBytes ? plainBytes : undefined;
}

/** The chunk in which the byte at `offset` of the body is. */
export function chunkAt(offset: number): number {
  return offset < FIRST_CHUNK_BYTES ? 0 : 1 + Math.floor((offset - FIRST_CHUNK_BYTES) / CHUNK_BYTES);
}

/** Offset in the body at which a chunk begins. */
export function plainStart(chunk: number): number {
  return chunk === 0 ? 0 : FIRST_CHUNK_BYTES + (chunk - 1) * CHUNK_BYTES;
}

/** Offset in the object at which a chunk begins. */
export function sealedStart(chunk: number): number {
  return chunk === 0 ? HEADER_BYTES : HEAD_BYTES + (chunk - 1) * SEALED_BYTES;
}

/** Size of a full chunk with its tag. */
export function sealedBytes(chunk: number): number {
  return chunk === 0 ? FIRST_SEALED_BYTES : SEALED_BYTES;
}
