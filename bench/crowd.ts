import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Child } from "../src/bench/child.ts";
import { sampleTree } from "../src/bench/process-tree.ts";
import { assertRunning, drain, makeDatabases, prove } from "../src/bench/session.ts";
import { commitsOf, type SpreadCommit, type SpreadLoad } from "../src/bench/spread.ts";
import type { BenchDatabase, Job, Tool } from "../src/bench/tools/tool.ts";
import { until } from "../src/bench/until.ts";
import type { Bench } from "../src/bench/workload.ts";
import { lagsOf } from "./lags.ts";
import { type StorageProcess, withStorageProcess } from "./storage-process.ts";

const MEGABYTES = 0.1;
const PROTECTED_LIMIT_MS = { base: 120_000, perDatabase: 100 } as const;
const LOOK_EVERY_MS = 250;
/** Nobody has just written to the databases when a tool begins: a file's times prove nothing of the moment in which they were set. */
const AT_REST_MS = 2_000;
/** What a first start is measured with, for the page. */
export const FIRST_START = {
  databases: (count: number) =>
    `${count} databases of ${MEGABYTES} MB, at rest for ${AT_REST_MS / 1000} s; nothing is deleted between runs`,
  protected:
    "protected: from the start of the daemon until the first copy of the last database was in storage",
} as const;
/** After a load: longer than two sync intervals without an upload, or so long at most. */
const QUIET_MS = 2_500;
const SETTLE_LIMIT_MS = 120_000;

/** Many databases, and the server to which they are copied. */
export interface Crowd {
  readonly tool: Tool;
  readonly bench: Bench;
  readonly server: StorageProcess;
  readonly job: Job;
  /** The last row of each database: that of its last commit. */
  readonly rows: Map<BenchDatabase, number>;
}

export interface CrowdOptions {
  readonly count: number;
  readonly megabytes?: number;
  /** So much later than otherwise the storage's answers come. */
  readonly distanceMs?: number;
}

/** Whatever happens, the server ends. */
export function withCrowd<T>(
  tool: Tool,
  bench: Bench,
  { count, megabytes = MEGABYTES, distanceMs = 0 }: CrowdOptions,
  work: (crowd: Crowd) => Promise<T>,
): Promise<T> {
  return withStorageProcess({ distanceMs }, async (server) => {
    const { job, rows } = await makeDatabases(bench, { count, megabytes, storage: server.storage });
    await sleep(AT_REST_MS);
    const rowsOfEach = new Map(job.databases.map((database) => [database, rows]));
    return work({ tool, bench, server, job, rows: rowsOfEach });
  });
}

export interface Protected {
  readonly daemon: Child;
  /** From the start of the daemon until the first copy of the last database was in storage. */
  readonly seconds: number;
}

/** Starts the daemon, for the first time. */
export async function protect({ tool, server, job }: Crowd): Promise<Protected> {
  const startNs = process.hrtime.bigint();
  const daemon = tool.watch(job);
  const firstNs = await until(
    `first copies of ${job.databases.length} databases`,
    async () => {
      assertRunning(tool, daemon);
      const arrivals = await server.ask("arrivals");
      const first = job.databases.map((one) => arrivals.get(tool.publications("s3", one))?.firstNs);
      return first.every((atNs) => atNs !== undefined) && first;
    },
    {
      limitMs: PROTECTED_LIMIT_MS.base + PROTECTED_LIMIT_MS.perDatabase * job.databases.length,
      everyMs: LOOK_EVERY_MS,
    },
  );
  const lastNs = firstNs.reduce((latest, atNs) => (atNs > latest ? atNs : latest));
  return { daemon, seconds: Number(lastNs - startNs) / 1e9 };
}

/** What one load cost. Memory and CPU are those of the tool's processes alone. */
export interface Loaded {
  readonly commits: ReadonlyMap<BenchDatabase, readonly SpreadCommit[]>;
  /** The rate that the writer reached. */
  readonly commitsPerSecond: number;
  /** Percent of one processor. */
  readonly cpuShare: number;
  readonly putsPerSecond: number;
  /** At the last commit. */
  readonly rssBytes: number;
  /** Since the daemon began. */
  readonly peakRssBytes: number;
}

/** Commits to all databases, and waits until nothing is uploaded any more. */
export async function spreadOver(crowd: Crowd, daemon: Child, load: SpreadLoad): Promise<Loaded> {
  const { bench, job, rows, server } = crowd;
  const paths = job.databases.map(({ path }) => path);
  const spreading = await bench.writer.spread(join(bench.scratch, "spread.list"), paths, load);
  const before = await observe(daemon, server);
  const record = await spreading.done;
  const after = await observe(daemon, server);
  await settle(server);
  await spreading.end();
  const ofEach = commitsOf(record);
  const commits = new Map(job.databases.map((database, at) => [database, ofEach[at] ?? []]));
  for (const [database, made] of commits) {
    const last = made.at(-1);
    if (last !== undefined) rows.set(database, last.rows);
  }
  const seconds = (after.atMs - before.atMs) / 1000;
  const count = ofEach.reduce((sum, made) => sum + made.length, 0);
  return {
    commits,
    commitsPerSecond: count / record.seconds,
    cpuShare: (100 * (after.cpuSeconds - before.cpuSeconds)) / seconds,
    putsPerSecond: (after.puts - before.puts) / seconds,
    rssBytes: after.rssBytes,
    peakRssBytes: after.peakRssBytes,
  };
}

async function observe(daemon: Child, server: StorageProcess) {
  const tree = sampleTree(daemon.pid);
  const atMs = performance.now();
  return { ...tree, atMs, puts: await putsAt(server) };
}

export async function putsAt(server: StorageProcess): Promise<number> {
  return (await server.ask("requests"))["PutObject"] ?? 0;
}

/** What is left over then, a tool publishes when it ends: its lag shows it. */
async function settle(server: StorageProcess): Promise<void> {
  const endMs = performance.now() + SETTLE_LIMIT_MS;
  for (let before = -1, puts = await putsAt(server); puts !== before && performance.now() < endMs; ) {
    before = puts;
    await sleep(QUIET_MS);
    puts = await putsAt(server);
  }
}

/** So many of the crowd's databases, or a few more, evenly spread over the list. */
export function someOf({ job }: Crowd, count: number): readonly BenchDatabase[] {
  const step = Math.max(1, Math.floor(job.databases.length / count));
  return job.databases.filter((_, at) => at % step === 0);
}

/** Ends the daemon, and proves every copy, or those of `sample`. */
export async function drainAndProve(
  { tool, bench, job, rows }: Crowd,
  daemon: Child,
  sample = job.databases,
): Promise<void> {
  await drain(tool, daemon);
  await prove(bench, tool, { ...job, databases: sample }, rows);
}

/** Of all commits of all databases; only when the daemon has ended. Errors: VoidRun. */
export async function lagsOfLoad(
  { tool, server }: Crowd,
  loaded: Pick<Loaded, "commits">,
): Promise<readonly number[]> {
  const publications = await server.ask("publications");
  return [...loaded.commits].flatMap(([database, commits]) =>
    lagsOf(commits, publications.get(tool.publications("s3", database)) ?? []),
  );
}
