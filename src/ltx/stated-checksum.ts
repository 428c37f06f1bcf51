import { CHECKSUM_FLAG, type Checksum, hasChecksums, type LtxHeader, type LtxTrailer } from "./format.ts";

/*
 * In the Litestream layout (formats.md, section 5) files carry NoChecksum: pre- and post-apply must be 0, or `litestream restore` refuses
 * them. So that our own files prove as much there as elsewhere, their node ID is the database checksum after the file, which LTX lets be
 * anything and Litestream leaves 0. The body checksum, which only we write, tells such a file from those of others.
 */

/** Puts the checksum of the database after the file where `statedChecksum` finds it. */
export function stateChecksum(postApply: Checksum): Pick<LtxHeader, "nodeId" | "preApply"> {
  return { nodeId: postApply, preApply: 0n };
}

/** The database checksum after a file without checksums, as its header states it; undefined for files of other writers. */
export function statedChecksum(header: LtxHeader): Checksum | undefined {
  if (hasChecksums(header) || header.bodyChecksum === 0n || header.nodeId < CHECKSUM_FLAG) return undefined;
  return header.nodeId;
}

/** The database checksum after a file, wherever it says so; undefined: it does not. */
export function checksumAfter(
  header: LtxHeader,
  trailer: Pick<LtxTrailer, "postApply">,
): Checksum | undefined {
  return hasChecksums(header) ? trailer.postApply : statedChecksum(header);
}
