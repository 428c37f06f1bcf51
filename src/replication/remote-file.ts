import { WalrustError } from "../errors.ts";
import { LTX_HEADER_SIZE, LTX_TRAILER_SIZE, type LtxHeader, type LtxTrailer } from "../ltx/format.ts";
import { decodeHeader } from "../ltx/header.ts";
import { decodeTrailer } from "../ltx/trailer.ts";
import { type ListedFile, readRange } from "../storage/database-objects.ts";
import type { CallOptions, Storage } from "../storage/storage.ts";

/** What the two ends of a stored LTX file say. Nothing in between is read or proved. */
export interface RemoteFileEnds {
  readonly header: LtxHeader;
  readonly trailer: LtxTrailer;
}

/** Errors: STORAGE_NOT_FOUND and all others of storage; INTEGRITY_FORMAT when it is no LTX file. */
export async function readFileEnds(
  storage: Storage,
  { key, sizeBytes }: Pick<ListedFile, "key" | "sizeBytes">,
  options: CallOptions = {},
): Promise<RemoteFileEnds> {
  if (sizeBytes < LTX_HEADER_SIZE + LTX_TRAILER_SIZE) throw tooShort(storage, key, sizeBytes);
  const header = decodeHeader(
    await readRange(storage, key, { offset: 0, length: LTX_HEADER_SIZE }, options),
    key,
  );
  const trailerBytes = await readRange(
    storage,
    key,
    { offset: sizeBytes - LTX_TRAILER_SIZE, length: LTX_TRAILER_SIZE },
    options,
  );
  // It was replaced by a shorter one since it was listed.
  if (trailerBytes.length < LTX_TRAILER_SIZE) throw tooShort(storage, key, sizeBytes);
  return { header, trailer: decodeTrailer(trailerBytes) };
}

function tooShort(storage: Storage, key: string, sizeBytes: number): WalrustError {
  return new WalrustError(
    "INTEGRITY_FORMAT",
    `${key} in ${storage.url} is too short for an LTX file of ${sizeBytes} bytes`,
  );
}
