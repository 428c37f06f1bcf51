import { expect, test } from "vitest";
import { WalrustError } from "../../src/errors.ts";
import type { DatabaseStatus } from "../../src/observability/database-status.ts";
import { EventCounts } from "../../src/observability/event-counts.ts";
import { familyText, histogramText } from "../../src/observability/exposition.ts";
import { Histogram } from "../../src/observability/histogram.ts";
import { metricsText } from "../../src/observability/metrics.ts";
import { RequestCounts } from "../../src/observability/request-counts.ts";
import { databaseStatus } from "../helpers/database-status.ts";
import { ManualClock } from "../helpers/manual-clock.ts";

const NOW_MS = Date.UTC(2026, 0, 31, 12);

function scene(statuses: readonly DatabaseStatus[] | undefined) {
  const clock = new ManualClock(NOW_MS);
  const events = new EventCounts(clock);
  const requests = new RequestCounts();
  const source = { clock, version: "1.2.3", startedAtMs: NOW_MS - 90_500, events, requests };
  const scrape = () => [...metricsText({ ...source, statuses: () => statuses })].join("");
  return { clock, events, requests, scrape };
}

/** The samples by name and labels; fails if one comes twice, or before the type of its family. */
function samplesOf(text: string): Map<string, string> {
  const samples = new Map<string, string>();
  const types = new Set<string>();
  for (const line of text.trimEnd().split("\n")) {
    const type = /^# TYPE (\S+) (gauge|counter|histogram)$/.exec(line);
    if (type?.[1] !== undefined) types.add(type[1]);
    if (line.startsWith("#")) continue;
    const [, sample = "", name = "", value = ""] = /^((\w+)(?:\{.*\})?) (\S+)$/.exec(line) ?? [];
    expect(types, line).toContain(types.has(name) ? name : name.replace(/_(bucket|sum|count)$/, ""));
    expect(samples.has(sample), `${sample} once`).toBe(false);
    samples.set(sample, value);
  }
  return samples;
}

test("what is known of a database, under the names of the contract", () => {
  const status = databaseStatus({
    capturedTxid: 2n ** 63n + 1n,
    lagMs: 1500,
    pendingBytes: 4096,
    nextSnapshotAtMs: NOW_MS + 60_000,
    state: "waiting",
    lastError: { code: "STORAGE_NETWORK", message: "no" },
  });
  const { events, scrape } = scene([status]);
  const error = new WalrustError("STORAGE_NETWORK", "no");
  events.hear({ database: "app", type: "sync_failed", error, attempts: 1 });
  events.hear({ database: "app", type: "sync_failed", error, attempts: 2 });
  events.hear({ database: "app", type: "gap_repaired", reason: "r", txid: 1n, pages: 1 });
  events.hear({ database: "app", type: "validated", files: 1, sizeBytes: 1, durationMs: 1 });
  events.hear({ database: "app", type: "validation_failed", findings: 1, error });
  const snapshot = {
    type: "snapshot",
    file: "f",
    txid: 1n,
    sizeBytes: 1,
    durationMs: 1,
    trigger: "first",
  } as const;
  events.hear({ database: "app", ...snapshot });
  expect(Object.fromEntries(samplesOf(scrape()))).toMatchObject({
    walrust_uptime_seconds: "90.5",
    walrust_databases_total: "1",
    'walrust_build_info{version="1.2.3"}': "1",
    'walrust_current_txid{database="app"}': "9223372036854775809",
    'walrust_replicated_txid{database="app"}': "12",
    'walrust_lag_seconds{database="app"}': "1.5",
    'walrust_pending_bytes{database="app"}': "4096",
    'walrust_wal_size_bytes{database="app"}': "4152",
    'walrust_last_sync_timestamp{database="app"}': String(NOW_MS / 1000 - 2),
    'walrust_last_success_timestamp{database="app"}': String(NOW_MS / 1000 - 1.5),
    'walrust_ready{database="app"}': "0",
    'walrust_snapshot_age_seconds{database="app"}': "30",
    'walrust_next_snapshot_timestamp{database="app"}': String(NOW_MS / 1000 + 60),
    'walrust_snapshot_count_total{database="app"}': "1",
    'walrust_error_count_total{database="app"}': "2",
    'walrust_gaps_repaired_total{database="app"}': "1",
    'walrust_validation_success_total{database="app"}': "1",
    'walrust_validation_failure_total{database="app"}': "1",
    'walrust_last_validation_timestamp{database="app"}': String(NOW_MS / 1000),
    'walrust_state{database="app",state="waiting"}': "1",
  });
});

test("of the process what every client library tells", () => {
  const samples = samplesOf(scene([]).scrape());
  expect(Number(samples.get("process_resident_memory_bytes"))).toBeGreaterThan(1e6);
  expect(Number(samples.get("process_cpu_seconds_total"))).toBeGreaterThan(0);
  expect(samples.get("process_start_time_seconds")).toBe(String(NOW_MS / 1000 - 90.5));
});

test("what is not known has no sample, and before the start there is no database", () => {
  const unknown = {
    capturedTxid: undefined,
    publishedTxid: undefined,
    walSizeBytes: undefined,
    lastPublishedAtMs: undefined,
    lastSnapshot: undefined,
  };
  const text = scene([databaseStatus({ ...unknown, state: "opening" })]).scrape();
  for (const name of [
    "current_txid",
    "replicated_txid",
    "wal_size",
    "last_sync",
    "last_success",
    "snapshot_age",
    "last_validation",
  ])
    expect(text).not.toContain(`walrust_${name}`);
  expect(text).not.toMatch(/NaN|undefined|Infinity/);
  expect(samplesOf(text).get('walrust_ready{database="app"}')).toBe("0");
  expect(samplesOf(scene(undefined).scrape()).get("walrust_databases_total")).toBe("0");
});

test("barriers, handovers and requests are counted by what they were", () => {
  const { events, requests, scrape } = scene([]);
  events.hear({ database: "app", type: "handover", how: "optimistic", frames: 1, heldMs: 0 });
  events.hear({ database: "app", type: "handover", how: "barrier", frames: 1, heldMs: 3 });
  events.hear({ database: "b", type: "handover", how: "barrier", frames: 1, heldMs: 700 });
  requests.note({ operation: "put", outcome: "ok", durationMs: 40 });
  requests.note({ operation: "put", outcome: "ok", durationMs: 60 });
  requests.note({ operation: "put", outcome: "unreachable", durationMs: 4000 });
  const put = (rest: string) => `walrust_storage_request_duration_seconds_${rest}`;
  expect(Object.fromEntries(samplesOf(scrape()))).toMatchObject({
    'walrust_handovers_total{how="optimistic"}': "1",
    'walrust_handovers_total{how="barrier"}': "2",
    'walrust_barrier_duration_seconds_bucket{le="0.002"}': "0",
    'walrust_barrier_duration_seconds_bucket{le="0.005"}': "1",
    'walrust_barrier_duration_seconds_bucket{le="0.5"}': "1",
    'walrust_barrier_duration_seconds_bucket{le="+Inf"}': "2",
    walrust_barrier_duration_seconds_count: "2",
    [put('bucket{operation="put",outcome="ok",le="0.05"}')]: "1",
    [put('count{operation="put",outcome="ok"}')]: "2",
    [put('sum{operation="put",outcome="ok"}')]: "0.1",
    [put('count{operation="put",outcome="unreachable"}')]: "1",
  });
});

test("labels and help cannot break out of their line", () => {
  const family = { name: "m", help: "a\\b\nc", type: "gauge" } as const;
  expect(familyText(family, [{ labels: { database: 'x"} 1\ny\\' }, value: 1 }])).toBe(
    '# HELP m a\\\\b\\nc\n# TYPE m gauge\nm{database="x\\"} 1\\ny\\\\"} 1\n',
  );
});

test("a bound belongs to its bucket", () => {
  const durations = new Histogram([0.1, 1]);
  for (const ms of [100, 100.1, 1000, 1001]) durations.observe(ms);
  expect(histogramText("h", "help", [{ durations }]).split("\n").slice(2, 5)).toEqual([
    'h_bucket{le="0.1"} 1',
    'h_bucket{le="1"} 3',
    'h_bucket{le="+Inf"} 4',
  ]);
});

test("a database that is no longer watched leaves no counts behind", () => {
  const { events } = scene([]);
  events.hear({ database: "app", type: "gap_repaired", reason: "r", txid: 1n, pages: 1 });
  expect(events.of("app")).toMatchObject({ gapsRepaired: 1 });
  events.hear({ database: "app", type: "closed", txid: 1n, unpublished: 0n });
  expect(events.of("app")).toBeUndefined();
});
