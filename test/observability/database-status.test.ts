import { expect, test } from "vitest";
import { isReady } from "../../src/observability/database-status.ts";
import { daemonDocument } from "../../src/observability/status-document.ts";
import { databaseStatus } from "../helpers/database-status.ts";

test.each([
  ["well", {}, true],
  ["parked", { state: "parked", walSizeBytes: undefined }, true],
  ["a publication is on its way", { lagMs: 7000 }, true],
  ["behind", { lagMs: 7001 }, false],
  ["behind, but its interval is long", { lagMs: 60_000, syncIntervalMs: 60_000 }, true],
  ["trouble", { lastError: { code: "STORAGE_AUTH", message: "no" } }, false],
  ["nothing published yet", { publishedTxid: undefined }, false],
  ["stopped", { state: "stopped" }, false],
] as const)("%s: ready %s", (_, changes, ready) => {
  expect(isReady(databaseStatus(changes))).toBe(ready);
});

test("as a document: what is not known is null", () => {
  const unknown = {
    capturedTxid: undefined,
    publishedTxid: undefined,
    lastSnapshot: undefined,
    walSizeBytes: undefined,
  };
  const status = databaseStatus({ ...unknown, lastPublishedAtMs: undefined, lagMs: 12.6 });
  const daemon = { pid: 7, version: "1.2.3", startedAtMs: 0, storage: "s3://copies", databases: [status] };
  expect(daemonDocument(daemon)).toEqual({
    pid: 7,
    version: "1.2.3",
    started: "1970-01-01T00:00:00.000Z",
    storage: "s3://copies",
    databases: [
      {
        name: "app",
        path: "/data/app.db",
        state: "serving",
        since: "2026-01-31T11:59:00.000Z",
        ready: false,
        captured_txid: null,
        published_txid: null,
        lag_ms: 13,
        pending: 0,
        wal_size: null,
        last_published: null,
        snapshot_txid: null,
        snapshot_taken: null,
        next_snapshot: null,
        error: null,
      },
    ],
  });
});
