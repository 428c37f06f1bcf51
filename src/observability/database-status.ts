/**
 * - `opening`: not served yet, or again after a gap
 * - `snapshotting`, `repairing`: a snapshot, or the pages that differ, are on their way
 * - `serving`: every commit is published as it comes
 * - `waiting`: storage, or the local disk, does not take what is pending; tried again by itself
 * - `parked`: published, quiet, and nothing of it is held open
 * - `failed`: cannot be opened or served; tried again by itself
 * - `fenced`: another writer took the remote database over
 * - `stopped`: the last sync is done
 */
export type DatabaseState =
  | "opening"
  | "snapshotting"
  | "repairing"
  | "serving"
  | "waiting"
  | "parked"
  | "failed"
  | "fenced"
  | "stopped";

/** One watched database at this moment: plain data, for metrics, the status page and `walrust status`. Times are Unix ms. */
export interface DatabaseStatus {
  readonly name: string;
  readonly path: string;
  readonly state: DatabaseState;
  /** When that state began. */
  readonly sinceMs: number;
  /** Undefined: not known yet. */
  readonly capturedTxid: bigint | undefined;
  readonly publishedTxid: bigint | undefined;
  /** For how long storage has lacked something that was committed, or may have; 0: it has everything. */
  readonly lagMs: number;
  /** Captured frames that storage does not have. */
  readonly pendingBytes: number;
  /** Undefined while the database is not open. */
  readonly walSizeBytes: number | undefined;
  readonly lastPublishedAtMs: number | undefined;
  readonly lastSnapshot: { readonly txid: bigint; readonly takenAtMs: number } | undefined;
  readonly nextSnapshotAtMs: number | undefined;
  /** The trouble that lasts. */
  readonly lastError: { readonly code: string; readonly message: string } | undefined;
  /** The least distance between two publications. */
  readonly syncIntervalMs: number;
}

/** A publication may take so long beyond its interval. */
const GRACE_MS = 5000;

/** Everything is published as the settings ask for it: one interval until a publication begins, one for it. */
export function isReady(status: DatabaseStatus): boolean {
  if (status.lastError !== undefined || status.publishedTxid === undefined) return false;
  return status.state !== "stopped" && status.lagMs <= 2 * status.syncIntervalMs + GRACE_MS;
}
