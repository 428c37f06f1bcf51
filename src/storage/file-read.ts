import { createHash } from "node:crypto";
import type { FileHandle } from "node:fs/promises";
import { WalrustError } from "../errors.ts";
import { LTX_HEADER_SIZE, LTX_TRAILER_SIZE } from "../ltx/format.ts";
import { checkAborted } from "./abort.ts";
import { fileError } from "./file-error.ts";

const READ_SIZE_BYTES = 256 * 1024;

/** The bytes [start, end) of an open file, in one buffer that is used again for each piece. */
export async function* pieces(
  handle: FileHandle,
  key: string,
  start: number,
  end: number,
  signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array> {
  const buffer = Buffer.allocUnsafe(Math.max(0, Math.min(READ_SIZE_BYTES, end - start)));
  for (let position = start; position < end; ) {
    checkAborted(signal);
    const { bytesRead } = await handle
      .read(buffer, 0, Math.min(buffer.length, end - position), position)
      .catch((error: unknown) => {
        throw fileError(error, `read ${key}`);
      });
    // Objects are never written in place: somebody else's hand was here.
    if (bytesRead === 0) throw new WalrustError("STORAGE_CONFLICT", `${key} was cut while it was read`);
    position += bytesRead;
    yield buffer.subarray(0, bytesRead);
  }
}

/** SHA-256 of what lies between an LTX header and trailer (formats.md, section 3). */
export async function ltxBodySha256(
  handle: FileHandle,
  key: string,
  sizeBytes: number,
  signal: AbortSignal | undefined,
): Promise<string | undefined> {
  if (sizeBytes < LTX_HEADER_SIZE + LTX_TRAILER_SIZE) return undefined;
  const hash = createHash("sha256");
  for await (const piece of pieces(handle, key, LTX_HEADER_SIZE, sizeBytes - LTX_TRAILER_SIZE, signal)) {
    hash.update(piece);
  }
  return hash.digest("hex");
}
