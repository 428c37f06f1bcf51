import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { systemClock } from "../../src/clock.ts";
import { WalrustError } from "../../src/errors.ts";
import type { WalrustEvent } from "../../src/events.ts";
import { eventFacts } from "../../src/observability/event-facts.ts";
import { createLog } from "../../src/observability/log.ts";
import { jsonReporter, logReporter } from "../../src/observability/reporter.ts";

const clock = { ...systemClock, now: () => Date.UTC(2026, 0, 31, 12) };
const error = new WalrustError("STORAGE_NETWORK", "s3://copies: no route", { hint: "Check the network." });
const errorJson =
  '"error":{"code":"STORAGE_NETWORK","message":"s3://copies: no route","hint":"Check the network.","exit_code":4,"retryable":true,"details":{}}';
const database = "app";

/** Event, its JSON behind time, type and database, its line of text. */
const CASES: readonly (readonly [event: WalrustEvent, json: string, text: string])[] = [
  [
    { database, type: "opened", path: "/d/app.db", how: "resume", txid: 7n },
    '"path":"/d/app.db","how":"resume","txid":7',
    "INFO  app: watching /d/app.db from TXID 7 (resume)",
  ],
  [
    {
      database,
      type: "published",
      file: "00000002-00000010.ltx",
      minTxid: 2n,
      maxTxid: 2n ** 63n + 1n,
      pages: 3,
      sizeBytes: 4100,
      lagMs: 45.4,
    },
    '"file":"00000002-00000010.ltx","min_txid":2,"max_txid":9223372036854775809,"pages":3,"size":4100,"lag_ms":45',
    "DEBUG app: published TXID 2-9223372036854775809: 3 pages, 4.1 kB, 45ms behind",
  ],
  [
    { database, type: "snapshot", file: "f", txid: 9n, sizeBytes: 2e8, durationMs: 1300, trigger: "first" },
    '"file":"f","txid":9,"size":200000000,"duration_ms":1300,"trigger":"first"',
    "INFO  app: snapshot at TXID 9: 200 MB in 1.3s (first)",
  ],
  [
    { database, type: "handover", how: "barrier", frames: 12, heldMs: 1.23456 },
    '"how":"barrier","frames":12,"held_ms":1.235',
    "TRACE app: handover (barrier) after 12 frames",
  ],
  [
    { database, type: "gap_repaired", reason: "checkpoint sequence jumped", txid: 11n, pages: 5 },
    '"reason":"checkpoint sequence jumped","txid":11,"pages":5',
    "WARN  app: gap repaired at TXID 11: 5 pages (checkpoint sequence jumped)",
  ],
  [
    { database, type: "sync_failed", error, attempts: 3 },
    `"attempts":3,${errorJson}`,
    "ERROR app: sync failed, attempt 3: s3://copies: no route (Check the network.)",
  ],
  [
    { database, type: "recovered", afterMs: 15_000 },
    '"after_ms":15000',
    "INFO  app: in sync again after 15s",
  ],
  [
    { database, type: "auth_failure", error },
    errorJson,
    "ERROR app: storage refuses the credentials: s3://copies: no route (Check the network.)",
  ],
  [
    { database, type: "circuit_breaker_open", error },
    errorJson,
    "WARN  app: storage is left alone for a while: s3://copies: no route (Check the network.)",
  ],
  [
    { database, type: "corruption_detected", error },
    errorJson,
    "ERROR app: corruption: s3://copies: no route (Check the network.)",
  ],
  [
    { database, type: "wal_size_exceeded", pages: 200, thresholdPages: 100 },
    '"pages":200,"threshold_pages":100',
    "WARN  app: the log has 200 pages, more than 100",
  ],
  [
    { database, type: "shadow_full", sizeBytes: 5e9, limitBytes: 5e9 },
    '"size":5000000000,"limit":5000000000',
    "ERROR app: the shadow WAL is full (5 GB of 5 GB): history pauses until storage returns",
  ],
  [
    { database, type: "fenced", error },
    errorJson,
    "ERROR app: fenced, nothing is published any more: s3://copies: no route (Check the network.)",
  ],
  [
    { database, type: "parked", txid: 12n },
    '"txid":12',
    "DEBUG app: parked at TXID 12: nothing of it is held open until it changes",
  ],
  [
    {
      ...{ database, type: "compacted", keptSnapshots: 24, mergedFiles: 120, deletedFiles: 130 },
      ...{ freedBytes: 5e6, durationMs: 1200.4 },
    },
    '"kept_snapshots":24,"merged_files":120,"deleted_files":130,"freed":5000000,"duration_ms":1200',
    "INFO  app: compacted in 1.2s: 24 snapshots stay, 120 files merged, 130 deleted, 5 MB freed",
  ],
  [
    { database, type: "validated", files: 30, sizeBytes: 5e6, durationMs: 2000 },
    '"files":30,"size":5000000,"duration_ms":2000',
    "INFO  app: validated in 2s: 30 files, 5 MB, all sound",
  ],
  [
    { database, type: "validation_failed", findings: 2, error },
    `"findings":2,${errorJson}`,
    "ERROR app: validation found 2 defects: s3://copies: no route (Check the network.)",
  ],
  [
    {
      ...{ database, type: "replica_applied", path: "/r/app.db", txid: 12n },
      ...{ how: "incremental", files: 2, lagMs: 1500.2 },
    },
    '"path":"/r/app.db","txid":12,"how":"incremental","files":2,"lag_ms":1500',
    "DEBUG app: /r/app.db is at TXID 12 (incremental, 2 files), 1.5s behind",
  ],
  [
    {
      ...{ database, type: "replica_applied", path: "/r/app.db", txid: 9n },
      ...{ how: "bootstrap", files: 1, lagMs: 1500 },
    },
    '"path":"/r/app.db","txid":9,"how":"bootstrap","files":1,"lag_ms":1500',
    "INFO  app: /r/app.db is at TXID 9 (bootstrap, 1 file), 1.5s behind",
  ],
  [
    { database, type: "replica_diverged", path: "/r/app.db", error },
    `"path":"/r/app.db",${errorJson}`,
    "WARN  app: /r/app.db diverged and is copied anew: s3://copies: no route (Check the network.)",
  ],
  [
    { database, type: "closed", txid: 12n, unpublished: 0n },
    '"txid":12,"unpublished":0',
    "INFO  app: stopped at TXID 12, all published",
  ],
  [
    { database, type: "closed", txid: 12n, unpublished: 2n },
    '"txid":12,"unpublished":2',
    "ERROR app: stopped at TXID 12 with 2 commits unpublished",
  ],
];

describe.each(CASES)("$type", (event, json, text) => {
  test("as a line of watch --json", () => {
    const written: string[] = [];
    jsonReporter(clock, (line) => written.push(line))(event);
    expect(written).toEqual([
      `{"time":"2026-01-31T12:00:00.000Z","type":"${event.type}","database":"app",${json}}\n`,
    ]);
  });

  test("as a line of the log", () => {
    const written: string[] = [];
    const log = createLog(
      { level: "trace", format: "text" },
      { clock, color: false, write: (l) => written.push(l) },
    );
    logReporter(log)(event);
    expect(written).toEqual([`2026-01-31T12:00:00.000Z ${text}\n`]);
  });
});

test("what the level of the log leaves out is not written", () => {
  const written: string[] = [];
  const output = { clock, color: false, write: (line: string) => void written.push(line) };
  const log = createLog({ level: "error", format: "text" }, output);
  const report = logReporter(log);
  for (const [event] of CASES) report(event);
  const errors = written.length;
  log.setLevel("trace");
  for (const [event] of CASES) report(event);
  expect(errors).toBeGreaterThan(0);
  expect(written).toHaveLength(errors + CASES.length);
});

test("docs/json.md shows every event, with its keys in their order", () => {
  const [, lines = ""] = /```jsonl\n([\s\S]*?)```/.exec(readFileSync("docs/json.md", "utf8")) ?? [];
  const shown = lines
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));
  const shapes = new Map(shown.map((event) => [event.type, Object.keys(event)]));
  const made = new Map(CASES.map(([event]) => [event.type, ["time", ...Object.keys(eventFacts(event))]]));
  expect(shapes).toEqual(made);
});
