import { CHECKSUM_FLAG, type Checksum } from "./format.ts";

/** The database checksum of a database without pages. */
export const EMPTY_DATABASE_CHECKSUM: Checksum = CHECKSUM_FLAG;

const HEX = /^[0-9a-f]{16}$/;

/** 16 hex digits: the form of manifests and messages. */
export function formatChecksum(checksum: Checksum): string {
  return checksum.toString(16).padStart(16, "0");
}

export function parseChecksum(text: string): Checksum | undefined {
  return HEX.test(text) ? BigInt(`0x${text}`) : undefined;
}

/**
 * A database checksum (formats.md, section 2) with page checksums taken out or put in: both are XOR.
 * @param xor of the old and new checksums of pages, such as LtxEncoder.databaseChecksumDelta; bit 63 does not matter
 */
export function applyToDatabaseChecksum(before: Checksum, xor: bigint): Checksum {
  return (before ^ xor) | CHECKSUM_FLAG;
}

/** What a header keeps of its body's SHA-256 (formats.md, section 3): the first 8 bytes, bit 63 set. */
export function bodyChecksumOf(sha256Hex: string): Checksum {
  return BigInt(`0x${sha256Hex.slice(0, 16)}`) | CHECKSUM_FLAG;
}
