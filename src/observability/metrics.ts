import type { Clock } from "../clock.ts";
import type { DatabaseStatus } from "./database-status.ts";
import { isReady } from "./database-status.ts";
import type { DatabaseCounts, EventCounts } from "./event-counts.ts";
import { type Family, familyText, histogramText } from "./exposition.ts";
import type { RequestCounts } from "./request-counts.ts";

/** What a scrape is made of. */
export interface MetricsSource {
  readonly clock: Clock;
  readonly version: string;
  /** Unix ms */
  readonly startedAtMs: number;
  readonly events: EventCounts;
  readonly requests: RequestCounts;
  /** Undefined while the daemon starts. */
  readonly statuses: () => readonly DatabaseStatus[] | undefined;
}

interface Facts {
  readonly status: DatabaseStatus;
  readonly counts: Readonly<DatabaseCounts> | undefined;
  /** Unix ms */
  readonly nowMs: number;
}

type DatabaseMetric = readonly [
  name: string,
  type: Family["type"],
  help: string,
  value: (facts: Facts) => number | bigint | undefined,
];

/** One sample a database each, labelled `database`. Times are Unix seconds; what is not known has no sample. */
const DATABASE_METRICS: readonly DatabaseMetric[] = [
  ["walrust_current_txid", "gauge", "TXID of the last captured commit", ({ status }) => status.capturedTxid],
  [
    "walrust_replicated_txid",
    "gauge",
    "TXID up to which storage has everything",
    ({ status }) => status.publishedTxid,
  ],
  [
    "walrust_lag_seconds",
    "gauge",
    "Age of the oldest commit that storage lacks; 0 if it lacks none",
    ({ status }) => status.lagMs / 1000,
  ],
  [
    "walrust_pending_bytes",
    "gauge",
    "Captured bytes of the log that storage lacks",
    ({ status }) => status.pendingBytes,
  ],
  ["walrust_wal_size_bytes", "gauge", "Size of the log file", ({ status }) => status.walSizeBytes],
  [
    "walrust_last_sync_timestamp",
    "gauge",
    "When something was last published",
    ({ status }) => seconds(status.lastPublishedAtMs),
  ],
  [
    "walrust_last_success_timestamp",
    "gauge",
    "When storage last had everything: now, less the lag",
    ({ status, nowMs }) => (status.publishedTxid === undefined ? undefined : seconds(nowMs - status.lagMs)),
  ],
  [
    "walrust_ready",
    "gauge",
    "1 if published within its interval, without trouble",
    ({ status }) => Number(isReady(status)),
  ],
  [
    "walrust_snapshot_age_seconds",
    "gauge",
    "Age of the newest snapshot",
    ({ status, nowMs }) => status.lastSnapshot && Math.max(0, nowMs - status.lastSnapshot.takenAtMs) / 1000,
  ],
  [
    "walrust_next_snapshot_timestamp",
    "gauge",
    "When the next snapshot is due, if changes ask for one",
    ({ status }) => seconds(status.nextSnapshotAtMs),
  ],
  ["walrust_snapshot_count_total", "counter", "Snapshots taken", ({ counts }) => counts?.snapshots ?? 0],
  [
    "walrust_error_count_total",
    "counter",
    "Failed tries to publish or to open",
    ({ counts }) => counts?.errors ?? 0,
  ],
  [
    "walrust_gaps_repaired_total",
    "counter",
    "Repairs of missing history",
    ({ counts }) => counts?.gapsRepaired ?? 0,
  ],
  [
    "walrust_validation_success_total",
    "counter",
    "Validations that found the backup sound",
    ({ counts }) => counts?.validations ?? 0,
  ],
  [
    "walrust_validation_failure_total",
    "counter",
    "Validations that found something",
    ({ counts }) => counts?.failedValidations ?? 0,
  ],
  [
    "walrust_last_validation_timestamp",
    "gauge",
    "When the backup was last validated",
    ({ counts }) => seconds(counts?.lastValidatedAtMs || undefined),
  ],
];

/** The exposition, a family a piece, so that thousands of databases never make one string. */
export function* metricsText(source: MetricsSource): Generator<string> {
  const { clock, version, startedAtMs, events, requests } = source;
  const nowMs = clock.now();
  const statuses = source.statuses() ?? [];
  yield* processText(startedAtMs);
  yield single("walrust_build_info", "Version", { version }, 1);
  yield single("walrust_uptime_seconds", "Time since the start", {}, Math.max(0, nowMs - startedAtMs) / 1000);
  yield single("walrust_databases_total", "Watched databases", {}, statuses.length);
  for (const [name, type, help, value] of DATABASE_METRICS) {
    yield familyText(
      { name, type, help },
      samples(statuses, (status) => value({ status, counts: events.of(status.name), nowMs })),
    );
  }
  yield familyText(
    { name: "walrust_state", type: "gauge", help: "1 for the state that the database is in" },
    statuses.map(({ name, state }) => ({ labels: { database: name, state }, value: 1 })),
  );
  yield histogramText("walrust_barrier_duration_seconds", "Time that the write lock was held", [
    { durations: events.barriers },
  ]);
  yield familyText(
    { name: "walrust_handovers_total", type: "counter", help: "Handovers, by how" },
    [...events.handovers].map(([how, value]) => ({ labels: { how }, value })),
  );
  yield histogramText(
    "walrust_storage_request_duration_seconds",
    "Requests to storage, to the head of the answer",
    requests.kinds.map(({ operation, outcome, durations }) => ({
      labels: { operation, outcome },
      durations,
    })),
  );
}

function* samples(
  statuses: readonly DatabaseStatus[],
  value: (status: DatabaseStatus) => number | bigint | undefined,
) {
  for (const status of statuses) yield { labels: { database: status.name }, value: value(status) };
}

/** Under the names that every client library gives them. */
function* processText(startedAtMs: number): Generator<string> {
  const { user, system } = process.cpuUsage();
  yield familyText({ name: "process_cpu_seconds_total", type: "counter", help: "CPU time of the process" }, [
    { value: (user + system) / 1e6 },
  ]);
  yield single("process_resident_memory_bytes", "Resident memory", {}, process.memoryUsage.rss());
  yield single("process_start_time_seconds", "When the process started", {}, startedAtMs / 1000);
}

function single(name: string, help: string, labels: Readonly<Record<string, string>>, value: number): string {
  return familyText({ name, type: "gauge", help }, [{ labels, value }]);
}

function seconds(timestampMs: number | undefined): number | undefined {
  return timestampMs === undefined ? undefined : timestampMs / 1000;
}
