import { WalrustError } from "../errors.ts";
import { LTX_HEADER_SIZE, LTX_TRAILER_SIZE, type LtxHeader, type LtxTrailer } from "../ltx/format.ts";
import { decodeHeader } from "../ltx/header.ts";
import { decodeTrailer } from "../ltx/trailer.ts";
import type { CallOptions, Storage } from "../storage/storage.ts";

/** What the two ends of a stored LTX file say. Nothing in between is read or proved. */
export interface RemoteFileEnds {
  readonly header: LtxHeader;
  readonly trailer: LtxTrailer;
  readonly sizeBytes: number;
}

/** Errors: STORAGE_NOT_FOUND and all others of storage; INTEGRITY_FORMAT when it is no LTX file. */
export async function readFileEnds(
  storage: Storage,
  key: string,
  options: CallOptions = {},
): Promise<RemoteFileEnds> {
  const { sizeBytes } = await storage.head(key, options);
  if (sizeBytes < LTX_HEADER_SIZE + LTX_TRAILER_SIZE) {
    throw new WalrustError(
      "INTEGRITY_FORMAT",
      `${key} in ${storage.url} is too short for an LTX file: ${sizeBytes} bytes`,
    );
  }
  const header = decodeHeader(await readExactly(storage, key, 0, LTX_HEADER_SIZE, options), key);
  const trailerBytes = await readExactly(
    storage,
    key,
    sizeBytes - LTX_TRAILER_SIZE,
    LTX_TRAILER_SIZE,
    options,
  );
  return { header, trailer: decodeTrailer(trailerBytes), sizeBytes };
}

async function readExactly(
  storage: Storage,
  key: string,
  offset: number,
  length: number,
  options: CallOptions,
): Promise<Uint8Array> {
  const bytes = new Uint8Array(length);
  let done = 0;
  for await (const piece of storage.read(key, { ...options, offset, length })) {
    bytes.set(piece, done);
    done += piece.length;
  }
  return bytes;
}
