import type { DatabaseStatus } from "../../src/observability/database-status.ts";

/** A database that is well, of 2026-01-31T12:00:00Z. */
export function databaseStatus(changes: Partial<DatabaseStatus> = {}): DatabaseStatus {
  const nowMs = Date.UTC(2026, 0, 31, 12);
  return {
    name: "app",
    path: "/data/app.db",
    state: "serving",
    sinceMs: nowMs - 60_000,
    capturedTxid: 12n,
    publishedTxid: 12n,
    lagMs: 0,
    pendingBytes: 0,
    walSizeBytes: 4152,
    lastPublishedAtMs: nowMs - 2000,
    lastSnapshot: { txid: 9n, takenAtMs: nowMs - 30_000 },
    nextSnapshotAtMs: undefined,
    lastError: undefined,
    syncIntervalMs: 1000,
    ...changes,
  };
}
