import { type DatabaseStatus, isReady } from "./database-status.ts";

/** One daemon, as it tells of itself. */
export interface DaemonStatus {
  readonly pid: number;
  readonly version: string;
  /** Unix ms */
  readonly startedAtMs: number;
  /** Address of its storage, without secrets. */
  readonly storage: string;
  readonly databases: readonly DatabaseStatus[];
}

/** What `status --json`, `/status.json` and the control socket tell of one daemon. The keys are stable: users parse them. */
export type DaemonDocument = ReturnType<typeof daemonDocument>;

export type DatabaseDocument = ReturnType<typeof databaseDocument>;

export function daemonDocument({ pid, version, startedAtMs, storage, databases }: DaemonStatus) {
  return {
    pid,
    version,
    started: timeText(startedAtMs),
    storage,
    databases: databases.map(databaseDocument),
  };
}

function databaseDocument(status: DatabaseStatus) {
  const { lastSnapshot, lastError } = status;
  return {
    name: status.name,
    path: status.path,
    state: status.state,
    since: timeText(status.sinceMs),
    ready: isReady(status),
    captured_txid: txidOf(status.capturedTxid),
    published_txid: txidOf(status.publishedTxid),
    lag_ms: Math.round(status.lagMs),
    pending: status.pendingBytes,
    wal_size: status.walSizeBytes ?? null,
    last_published: timeText(status.lastPublishedAtMs),
    snapshot_txid: txidOf(lastSnapshot?.txid),
    snapshot_taken: timeText(lastSnapshot?.takenAtMs),
    next_snapshot: timeText(status.nextSnapshotAtMs),
    error: lastError === undefined ? null : { code: lastError.code, message: lastError.message },
  };
}

/** A JSON integer of up to 64 bits: whoever reads the document gets a number where one holds it. */
function txidOf(txid: bigint | undefined): bigint | number | null {
  return txid ?? null;
}

function timeText(timestampMs: number | undefined): string | null {
  return timestampMs === undefined ? null : new Date(timestampMs).toISOString();
}
