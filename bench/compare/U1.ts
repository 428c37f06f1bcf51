import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { sampleTree } from "../../src/bench/process-tree.ts";
import { assertRunning, drain } from "../../src/bench/session.ts";
import { commitsOf } from "../../src/bench/spread.ts";
import { type BenchDatabase, KNOBS_TEXT } from "../../src/bench/tools/tool.ts";
import { until } from "../../src/bench/until.ts";
import { VoidRun, type Workload } from "../../src/bench/workload.ts";
import { type Crowd, drainAndProve, FIRST_START, protect, putsAt, withCrowd } from "../crowd.ts";
import { COUNTING_SERVER_TEXT } from "../storage-process.ts";

/** How long a restart is watched in which nothing has changed. */
const WATCHED_SECONDS = 10;
/** It is over, and not only slow, when the daemon needs less than half a processor in a second. */
const CALM_CPU_SECONDS = 0.5;
const CALM_LIMIT_MS = 120_000;
/** Databases that got a commit while no daemon ran, from the first to the last of the list. */
const MARKED = 5;
const RESTART_LIMIT_MS = 60_000;

/** How long it takes until many databases are protected: the first time, and after a restart. */
export const U1: Workload = {
  id: "U1",
  title: "until many databases are protected",
  compares: true,
  storage: "s3",
  keepsFiles: true,
  knobs: ({ databases }) => [
    FIRST_START.databases(databases),
    FIRST_START.protected,
    `unchanged restart: nothing was written; uploads and CPU in the ${WATCHED_SECONDS} s from its start, or more until the daemon is calm`,
    `restart: until one commit to each of ${MARKED} databases, made while no daemon ran, was in storage`,
    ...KNOBS_TEXT,
    `storage: ${COUNTING_SERVER_TEXT}`,
    "proof: all databases",
  ],
  measures: () => [
    { name: "protected", unit: "s", better: "less", goal: 4 },
    { name: "CPU until protected", unit: "s", better: "less" },
    { name: "unchanged restart, uploads", unit: "", better: "less", goal: 0 },
    { name: "unchanged restart, CPU", unit: "s", better: "less" },
    { name: "restart", unit: "s", better: "less", goal: 1 },
  ],
  run: (tool, bench) =>
    withCrowd(tool, bench, { count: bench.options.databases }, async (crowd) => {
      const { daemon, seconds } = await protect(crowd);
      const { cpuSeconds } = sampleTree(daemon.pid);
      await drain(tool, daemon);
      const unchanged = await restartUnchanged(crowd);
      const restartSeconds = await restartAfterCommits(crowd);
      return {
        protected: seconds,
        "CPU until protected": cpuSeconds,
        "unchanged restart, uploads": unchanged.uploads,
        "unchanged restart, CPU": unchanged.cpuSeconds,
        restart: restartSeconds,
      };
    }),
};

async function restartUnchanged({ tool, job, server }: Crowd) {
  const before = await putsAt(server);
  const daemon = tool.watch(job);
  await sleep(WATCHED_SECONDS * 1000);
  assertRunning(tool, daemon);
  await calm(daemon.pid);
  const { cpuSeconds } = sampleTree(daemon.pid);
  const uploads = (await putsAt(server)) - before;
  await drain(tool, daemon);
  return { cpuSeconds, uploads };
}

async function calm(pid: number): Promise<void> {
  let cpuSeconds = Number.NEGATIVE_INFINITY; // the first look only begins the second
  await until(
    "the daemon has little to do",
    () => {
      const before = cpuSeconds;
      cpuSeconds = sampleTree(pid).cpuSeconds;
      return cpuSeconds - before < CALM_CPU_SECONDS;
    },
    { limitMs: CALM_LIMIT_MS, everyMs: 1_000 },
  );
}

/** Seconds until all that was committed meanwhile is durable. Proves all databases. */
async function restartAfterCommits(crowd: Crowd): Promise<number> {
  const { tool, bench, job, server, rows } = crowd;
  const marked = markedOf(job.databases);
  const paths = marked.map(({ path }) => path);
  // one commit each, within a second
  const load = { rate: marked.length, seconds: 1 };
  const writing = await bench.writer.spread(join(bench.scratch, "marked.list"), paths, load);
  const commits = commitsOf(await writing.done);
  for (const [at, database] of marked.entries()) {
    const [commit] = commits[at] ?? [];
    if (commit === undefined) throw new VoidRun("the writer did not commit in time");
    rows.set(database, commit.rows);
  }
  const startNs = process.hrtime.bigint();
  const daemon = tool.watch(job);
  const lastNs = await until(
    "what was committed meanwhile",
    async () => {
      assertRunning(tool, daemon);
      const arrivals = await server.ask("arrivals");
      const ofMarked = marked.map((one) => arrivals.get(tool.publications("s3", one))?.lastNs ?? 0n);
      return ofMarked.every((atNs) => atNs > startNs) && ofMarked;
    },
    { limitMs: RESTART_LIMIT_MS },
  );
  await writing.end();
  await calm(daemon.pid); // the marked ones may be the first of many that are looked at
  await drainAndProve(crowd, daemon);
  return Math.max(...lastNs.map((atNs) => Number(atNs - startNs))) / 1e9;
}

function markedOf(databases: readonly BenchDatabase[]): readonly BenchDatabase[] {
  const step = Math.max(1, Math.floor((databases.length - 1) / (MARKED - 1)));
  return databases.filter((_, at) => at % step === 0).slice(0, MARKED);
}
