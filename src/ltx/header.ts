import { LATEST_TIME_MS } from "../clock.ts";
import { WalrustError } from "../errors.ts";
import { PAGE_SIZE_MAX, PAGE_SIZE_MIN } from "../wasm/layout.ts";
import { ltxDefect } from "./defect.ts";
import {
  CHECKSUM_FLAG,
  hasChecksums,
  isSnapshot,
  LTX_FLAG_NO_CHECKSUM,
  LTX_HEADER_SIZE,
  type LtxHeader,
} from "./format.ts";

/*
 * The header (formats.md, section 2), big-endian:
 *
 *    0 magic "LTX1"      4 flags u32        8 page size u32    12 commit u32
 *   16 min TXID u64     24 max TXID u64    32 timestamp i64    40 pre-apply u64
 *   48 WAL offset i64   56 WAL size i64    64 salt-1 u32       68 salt-2 u32
 *   72 node id u64      80 body checksum u64                   88 zeros to 100
 */
const MAGIC = 0x4c545831;

const MAX_U64 = 2n ** 64n - 1n;
const MAX_I64 = 2n ** 63n - 1n;

/** The 100 bytes of a header that `decodeHeader` accepts; any other is our own mistake (INTERNAL). */
export function encodeHeader(header: LtxHeader): Uint8Array {
  const defect = findDefect(header);
  if (defect) throw new WalrustError("INTERNAL", `an LTX header cannot be written: ${defect.what}`);
  const bytes = new Uint8Array(LTX_HEADER_SIZE);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, MAGIC);
  view.setUint32(4, header.flags);
  view.setUint32(8, header.pageSizeBytes);
  view.setUint32(12, header.commit);
  view.setBigUint64(16, header.minTxid);
  view.setBigUint64(24, header.maxTxid);
  view.setBigUint64(32, BigInt(header.timestampMs));
  view.setBigUint64(40, header.preApply);
  view.setBigUint64(48, header.walOffset);
  view.setBigUint64(56, header.walSize);
  view.setUint32(64, header.walSalt1);
  view.setUint32(68, header.walSalt2);
  view.setBigUint64(72, header.nodeId);
  view.setBigUint64(80, header.bodyChecksum);
  return bytes;
}

/**
 * Reads and validates the first 100 bytes of a file.
 * @param objectName for the message of an error
 * @throws INTEGRITY_FORMAT for bytes that no LTX version 3 file of a sound writer begins with
 */
export function decodeHeader(bytes: Uint8Array, objectName = "LTX file"): LtxHeader {
  const bad = (offset: number, what: string) => ltxDefect("INTEGRITY_FORMAT", objectName, offset, what);
  if (bytes.length < LTX_HEADER_SIZE) throw bad(bytes.length, "it ends inside the header");
  const view = new DataView(bytes.buffer, bytes.byteOffset, LTX_HEADER_SIZE);
  if (view.getUint32(0) !== MAGIC) throw bad(0, "it does not begin as an LTX file");
  const header: LtxHeader = {
    flags: view.getUint32(4),
    pageSizeBytes: view.getUint32(8),
    commit: view.getUint32(12),
    minTxid: view.getBigUint64(16),
    maxTxid: view.getBigUint64(24),
    timestampMs: Number(view.getBigInt64(32)),
    preApply: view.getBigUint64(40),
    walOffset: view.getBigUint64(48),
    walSize: view.getBigUint64(56),
    walSalt1: view.getUint32(64),
    walSalt2: view.getUint32(68),
    nodeId: view.getBigUint64(72),
    bodyChecksum: view.getBigUint64(80),
  };
  if (view.getBigUint64(88) !== 0n || view.getUint32(96) !== 0) throw bad(88, "reserved bytes are in use");
  const defect = findDefect(header);
  if (defect) throw bad(defect.offset, defect.what);
  return header;
}

interface HeaderDefect {
  readonly offset: number;
  readonly what: string;
}

/** The rules for single fields and between them; `offset` is that of the field to blame. */
function findDefect(header: LtxHeader): HeaderDefect | undefined {
  const { pageSizeBytes: size, timestampMs, walOffset, walSize } = header;
  if ((header.flags & ~LTX_FLAG_NO_CHECKSUM) !== 0) return { offset: 4, what: "unknown header flags" };
  if (size < PAGE_SIZE_MIN || size > PAGE_SIZE_MAX || !isPowerOfTwo(size)) {
    return { offset: 8, what: `page size ${size}` };
  }
  if (!isU32(header.commit)) return { offset: 12, what: `a database of ${header.commit} pages` };
  if (header.minTxid < 1n) return { offset: 16, what: "no first TXID" };
  if (header.maxTxid < header.minTxid || header.maxTxid > MAX_U64) {
    return { offset: 24, what: `TXIDs from ${header.minTxid} to ${header.maxTxid}` };
  }
  if (!Number.isSafeInteger(timestampMs) || timestampMs < 0 || timestampMs > LATEST_TIME_MS)
    return { offset: 32, what: "an impossible time" };
  if (walOffset < 0n || walOffset > MAX_I64) return { offset: 48, what: "a negative WAL offset" };
  if (walSize < 0n || walSize > MAX_I64) return { offset: 56, what: "a negative WAL size" };
  if (walOffset === 0n && walSize > 0n) return { offset: 56, what: "a WAL size without a WAL offset" };
  if (!isU32(header.walSalt1) || !isU32(header.walSalt2)) return { offset: 64, what: "impossible WAL salts" };
  if (walOffset === 0n && (header.walSalt1 !== 0 || header.walSalt2 !== 0)) {
    return { offset: 64, what: "WAL salts without a WAL offset" };
  }
  if (header.nodeId < 0n || header.nodeId > MAX_U64) return { offset: 72, what: "an impossible node id" };
  return findChecksumDefect(header);
}

function findChecksumDefect(header: LtxHeader): HeaderDefect | undefined {
  const { preApply, bodyChecksum } = header;
  if (preApply !== 0n && !hasChecksums(header)) {
    return { offset: 40, what: "a pre-apply checksum in a file without checksums" };
  }
  if (preApply !== 0n && isSnapshot(header)) {
    return { offset: 40, what: "a pre-apply checksum in a snapshot" };
  }
  if (preApply === 0n && hasChecksums(header) && !isSnapshot(header)) {
    return { offset: 40, what: "no pre-apply checksum" };
  }
  if (!isChecksumOrNone(preApply)) return { offset: 40, what: "a pre-apply checksum without bit 63" };
  if (!isChecksumOrNone(bodyChecksum)) return { offset: 80, what: "a body checksum without bit 63" };
  return undefined;
}

const isU32 = (value: number): boolean => Number.isInteger(value) && value >= 0 && value <= 0xffffffff;
const isPowerOfTwo = (value: number): boolean => (value & (value - 1)) === 0;
const isChecksumOrNone = (value: bigint): boolean =>
  value === 0n || (value >= CHECKSUM_FLAG && value <= MAX_U64);
