import { appendFileSync, lstatSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { folderState } from "../../src/bench/folder.ts";
import { quantile } from "../../src/bench/statistics.ts";
import type { Applications } from "./applications.ts";
import type { Course } from "./course.ts";
import type { Daemon } from "./daemon.ts";
import { type Metric, parseMetrics } from "./metrics-text.ts";
import type { Place } from "./place.ts";
import { sampleProcess } from "./process-sample.ts";
import type { SoakStorage } from "./storage.ts";

/** What is known of one moment; a number that is missing could not be had. Rates are of the time since the sample before. */
export interface Sample {
  /** Since the run began. */
  readonly atMs: number;
  /** Of the daemon. */
  readonly life: number;
  /** Of the daemon's work on its databases: begins anew with a reload, too. */
  readonly workLife: number;
  /** The daemon and its storage are in order, and were for a while: what is measured now may be judged. */
  readonly isCalm: boolean;
  readonly values: Readonly<Partial<Record<SeriesName, number>>>;
  /** Requests by kind, since the sample before. */
  readonly requests: Readonly<Record<string, number>>;
}

export type SeriesName =
  | `${"" | "replica_"}${"rss" | "private_dirty" | "descriptors" | "sockets" | "threads"}`
  | "cpu_share"
  | "wal_largest"
  | "wal_total"
  | "shadow"
  | "objects"
  | "stored"
  | "requests"
  | "sent"
  | "lag"
  | "lag_txids"
  | "pending"
  | "commits"
  | "stall_max"
  | "stall_p99"
  | "restore";

export interface Watched {
  readonly place: Place;
  readonly course: Course;
  readonly daemon: Daemon;
  readonly replica: Daemon;
  readonly storage: SoakStorage;
  readonly applications: Applications;
  /** Of the daemon's metrics. */
  readonly metricsUrl: string;
  /** Times of the restores that were made since it was last asked, ms. */
  readonly takeRestores: () => readonly number[];
}

const SCRAPE_LIMIT_MS = 5000;

/** Samples until the run ends. Each sample is a line of samples.jsonl, too. */
export async function keepSampling(watched: Watched, everyMs: number): Promise<readonly Sample[]> {
  const samples: Sample[] = [];
  const { course, place } = watched;
  let before: Totals | undefined;
  while (!course.ending.aborted) {
    const totals = await totalsOf(watched);
    const sample = sampleOf(watched, totals, before);
    before = totals;
    samples.push(sample);
    appendFileSync(join(place.out, "samples.jsonl"), `${JSON.stringify(sample)}\n`);
    await sleep(everyMs, undefined, { signal: course.ending }).catch(() => {});
  }
  return samples;
}

interface Totals {
  readonly atMs: number;
  readonly life: number;
  readonly cpuSeconds: number | undefined;
  readonly requests: Readonly<Record<string, number>>;
  readonly sentBytes: number | undefined;
  readonly metrics: readonly Metric[];
}

/** Requests to storage since it began: of all of its users, or, where the storage does not count, of the daemon alone. */
export async function requestsSoFar(storage: SoakStorage, metricsUrl: string): Promise<number> {
  const requests = storage.counts().requests ?? requestsIn(await scrape(metricsUrl));
  return Object.values(requests).reduce((total, count) => total + count, 0);
}

/** Whether the daemon serves its metrics. */
export async function isUp(metricsUrl: string): Promise<boolean> {
  return (await scrape(metricsUrl)).length > 0;
}

/** Every database is published within its interval, and without trouble. */
export async function isReady(metricsUrl: string): Promise<boolean> {
  const ready = (await scrape(metricsUrl)).filter(({ name }) => name === "walrust_ready");
  return ready.length > 0 && ready.every(({ value }) => value === 1);
}

async function totalsOf({ course, daemon, storage, metricsUrl }: Watched): Promise<Totals> {
  const metrics = await scrape(metricsUrl);
  const counts = storage.counts();
  return {
    atMs: course.now(),
    life: daemon.life,
    cpuSeconds: daemon.pid === undefined ? undefined : sampleProcess(daemon.pid)?.cpuSeconds,
    requests: { ...(counts.requests ?? requestsIn(metrics)) },
    sentBytes: counts.sentBytes,
    metrics,
  };
}

function sampleOf(watched: Watched, totals: Totals, before: Totals | undefined): Sample {
  const { course, place, daemon, replica, storage, applications, takeRestores } = watched;
  const { commits, stallsMs } = applications.take();
  const seconds = (totals.atMs - (before?.atMs ?? 0)) / 1000;
  const sameLife = before?.life === totals.life;
  const counts = storage.counts();
  const requests = increase(totals.requests, before?.requests ?? {});
  const logs = logSizes(place.live);
  const since = (now: number | undefined, then: number | undefined) =>
    now === undefined || then === undefined ? undefined : now - then;
  const cpuSeconds = sameLife ? since(totals.cpuSeconds, before?.cpuSeconds) : undefined;
  const sentBytes = since(totals.sentBytes, before?.sentBytes);
  const restores = takeRestores();
  const values: Record<string, number | undefined> = {
    ...processValues("", daemon.pid),
    ...processValues("replica_", replica.pid),
    cpu_share: cpuSeconds && cpuSeconds / seconds,
    wal_largest: Math.max(0, ...logs),
    wal_total: logs.reduce((sum, size) => sum + size, 0),
    shadow: folderState(place.shadow).bytes,
    objects: counts.objects,
    stored: counts.storedBytes,
    requests: (Object.values(requests).reduce((sum, count) => sum + count, 0) / seconds) * 60,
    sent: sentBytes && (sentBytes / seconds) * 60,
    lag: most(totals.metrics, "walrust_lag_seconds"),
    lag_txids: lagTxids(totals.metrics),
    pending: sum(totals.metrics, "walrust_pending_bytes"),
    commits: commits / seconds,
    stall_max: stallsMs.length === 0 ? undefined : Math.max(...stallsMs),
    stall_p99: stallsMs.length === 0 ? undefined : quantile(stallsMs, 0.99),
    restore: restores.length === 0 ? undefined : Math.max(...restores),
  };
  const known = Object.entries(values).filter(([, value]) => value !== undefined);
  return {
    atMs: totals.atMs,
    life: totals.life,
    workLife: course.beginnings,
    isCalm: course.isCalm() && totals.metrics.length > 0,
    values: Object.fromEntries(known) as Sample["values"],
    requests,
  };
}

function processValues(prefix: string, pid: number | undefined): Record<string, number> {
  const sample = pid === undefined ? undefined : sampleProcess(pid);
  if (sample === undefined) return {};
  const { rssBytes, privateDirtyBytes, descriptors, sockets, threads } = sample;
  const values = { rss: rssBytes, private_dirty: privateDirtyBytes, descriptors, sockets, threads };
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [`${prefix}${name}`, value]));
}

/** Empty while nobody answers. */
async function scrape(url: string): Promise<readonly Metric[]> {
  let text: string;
  try {
    text = await (await fetch(url, { signal: AbortSignal.timeout(SCRAPE_LIMIT_MS) })).text();
  } catch {
    return [];
  }
  return parseMetrics(text);
}

/** Of the daemon alone, where the storage does not count. */
function requestsIn(metrics: readonly Metric[]): Record<string, number> {
  const requests: Record<string, number> = {};
  for (const { name, labels, value } of metrics) {
    if (name !== "walrust_storage_request_duration_seconds_count") continue;
    const operation = labels["operation"] ?? "";
    requests[operation] = (requests[operation] ?? 0) + value;
  }
  return requests;
}

/** By kind; a count that began anew counts from 0. */
function increase(
  now: Readonly<Record<string, number>>,
  then: Readonly<Record<string, number>>,
): Record<string, number> {
  const kinds = Object.entries(now).map(([kind, count]) => [kind, count - (then[kind] ?? 0)] as const);
  return Object.fromEntries(kinds.map(([kind, more]) => [kind, more < 0 ? (now[kind] ?? 0) : more]));
}

function most(metrics: readonly Metric[], wanted: string): number | undefined {
  const values = metrics.filter(({ name }) => name === wanted).map(({ value }) => value);
  return values.length === 0 ? undefined : Math.max(...values);
}

function sum(metrics: readonly Metric[], wanted: string): number | undefined {
  const values = metrics.filter(({ name }) => name === wanted).map(({ value }) => value);
  return values.length === 0 ? undefined : values.reduce((a, b) => a + b, 0);
}

/** Captured and not yet in storage, of the database that is furthest behind. */
function lagTxids(metrics: readonly Metric[]): number | undefined {
  const replicated = new Map(
    metrics
      .filter(({ name }) => name === "walrust_replicated_txid")
      .map(({ labels, value }) => [labels["database"], value]),
  );
  const behind = metrics
    .filter(({ name }) => name === "walrust_current_txid")
    .map(({ labels, value }) => value - (replicated.get(labels["database"]) ?? value));
  return behind.length === 0 ? undefined : Math.max(...behind);
}

/** Of all logs; by their names alone, since nobody may open what an application has open. */
function logSizes(live: string): readonly number[] {
  return readdirSync(live, { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith("-wal"))
    .map((name) => lstatSync(join(live, name), { throwIfNoEntry: false })?.size ?? 0);
}
