import type { LtxHeader } from "../../../src/ltx/format.ts";

/** A valid header, to change a field of. */
export const INCREMENTAL: LtxHeader = {
  flags: 0,
  pageSizeBytes: 512,
  commit: 6,
  minTxid: 7n,
  maxTxid: 8n,
  timestampMs: 1_767_323_045_678,
  preApply: (1n << 63n) | 0x55n,
  walOffset: 32n,
  walSize: 1608n,
  walSalt1: 9,
  walSalt2: 0xfffffffe,
  nodeId: 0x8102030405060708n,
  bodyChecksum: 0n,
};

export const SNAPSHOT: LtxHeader = {
  ...INCREMENTAL,
  minTxid: 1n,
  preApply: 0n,
  walOffset: 0n,
  walSize: 0n,
  walSalt1: 0,
  walSalt2: 0,
};
