import { EMPTY_DATABASE_CHECKSUM } from "./checksum.ts";
import { CHECKSUM_FLAG, hasChecksums, LTX_TRAILER_SIZE, type LtxHeader, type LtxTrailer } from "./format.ts";

/*
 * The trailer (formats.md, section 2), big-endian:
 *
 *   0 post-apply u64    8 file checksum u64
 */

export function encodeTrailer(trailer: LtxTrailer): Uint8Array {
  const bytes = new Uint8Array(LTX_TRAILER_SIZE);
  const view = new DataView(bytes.buffer);
  view.setBigUint64(0, trailer.postApply);
  view.setBigUint64(8, trailer.fileChecksum);
  return bytes;
}

/** @param bytes the last 16 of a file; what they say is proved by the decoder */
export function decodeTrailer(bytes: Uint8Array): LtxTrailer {
  const view = new DataView(bytes.buffer, bytes.byteOffset, LTX_TRAILER_SIZE);
  return { postApply: view.getBigUint64(0), fileChecksum: view.getBigUint64(8) };
}

/** What is wrong with a post-apply checksum, as far as the header alone can tell. */
export function findPostApplyDefect(header: LtxHeader, postApply: bigint): string | undefined {
  if (!hasChecksums(header)) {
    return postApply === 0n ? undefined : "a post-apply checksum in a file without checksums";
  }
  if (postApply === 0n) return "no post-apply checksum";
  if (postApply < CHECKSUM_FLAG) return "a post-apply checksum without bit 63";
  if (header.commit === 0 && postApply !== EMPTY_DATABASE_CHECKSUM) {
    return "a post-apply checksum that is not that of an empty database";
  }
  return undefined;
}
