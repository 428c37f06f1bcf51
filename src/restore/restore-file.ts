import type { Checksum, Txid } from "../ltx/format.ts";

/**
 * An LTX file in storage, as far as planning must know it. What only the manifest or the header tells may
 * still be unknown.
 */
export interface RestoreFile {
  readonly key: string;
  /** 1 if and only if it is a snapshot. */
  readonly minTxid: Txid;
  readonly maxTxid: Txid;
  readonly sizeBytes: number;
  /** Unix ms; undefined for what is only named by the manifest. */
  readonly lastModifiedMs: number | undefined;
  /** Unix ms at which its last commit was captured. */
  readonly timestampMs: number | undefined;
  /** The single commits in it are not known. Undefined until its header was read. */
  readonly isRepair: boolean | undefined;
  readonly preApply: Checksum | undefined;
  readonly postApply: Checksum | undefined;
  /**
   * Of a file in the Litestream layout: 0 as published, 1 to 8 merged, 9 a snapshot. Several levels hold the
   * same TXIDs. Absent in our own layout.
   */
  readonly level?: number;
  /** Of the body, 64 hex digits: as the manifest has it. */
  readonly bodySha256: string | undefined;
}

/** A state that can be restored exactly. */
export interface RestorePoint {
  readonly txid: Txid;
  /** Unix ms; undefined where no header was read yet. */
  readonly timestampMs: number | undefined;
}

export function isSnapshotFile(file: Pick<RestoreFile, "minTxid">): boolean {
  return file.minTxid === 1n;
}

/** What exists of one database. */
export interface RestoreFiles {
  readonly name: string;
  readonly present: readonly RestoreFile[];
  /** Named by the manifest, and not there. */
  readonly missing: readonly RestoreFile[];
  /** The newest TXID that the manifest or a file names; 0 without any. */
  readonly headTxid: Txid;
}

export function knownFiles({ present, missing }: RestoreFiles): RestoreFile[] {
  return [...present, ...missing];
}
