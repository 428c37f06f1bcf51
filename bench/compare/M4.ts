import { setTimeout as sleep } from "node:timers/promises";
import type { Child } from "../../src/bench/child.ts";
import { sampleTree } from "../../src/bench/process-tree.ts";
import { median } from "../../src/bench/statistics.ts";
import { KNOBS_TEXT } from "../../src/bench/tools/tool.ts";
import { until } from "../../src/bench/until.ts";
import type { Workload } from "../../src/bench/workload.ts";
import { drainAndProve, protect, someOf, withCrowd } from "../crowd.ts";
import { COUNTING_SERVER_TEXT } from "../storage-process.ts";

/** Three pages. */
const MEGABYTES = 0.009;
/** The daemon has parked what it parks when it opens and closes nothing for so long: longer than the quiet that it waits for. */
const STEADY_MS = 16_000;
const PARKED_LIMIT_MS = 180_000;
const SAMPLES = 5;
const PROVEN = 50;

/** What very many databases cost that nobody writes to. */
export const M4: Workload = {
  id: "M4",
  title: "very many parked databases",
  compares: false,
  knobs: ({ parkedDatabases, seconds }) => [
    `${parkedDatabases} databases of three pages; ${seconds} s from when the daemon had opened and closed nothing for ${STEADY_MS / 1000} s`,
    `memory sampled ${SAMPLES} times meanwhile`,
    "walrust alone: Litestream holds every database open, and its cost goes with their number (M1, I1)",
    ...KNOBS_TEXT,
    `storage: ${COUNTING_SERVER_TEXT}`,
    `proof: ${PROVEN} databases, evenly spread over the list`,
  ],
  measures: () => [
    { name: "RSS", unit: "MB", better: "less", goal: 120 },
    { name: "private dirty", unit: "MB", better: "less" },
    { name: "peak RSS", unit: "MB", better: "less" },
    { name: "descriptors", unit: "", better: "less", goal: 100 },
    { name: "CPU share", unit: "%", better: "less", goal: 3 },
    { name: "requests", unit: "/s", better: "less" },
    { name: "protected", unit: "s", better: "less" },
  ],
  run: (tool, bench) => {
    const { parkedDatabases: count, seconds: watchedSeconds } = bench.options;
    return withCrowd(tool, bench, { count, megabytes: MEGABYTES }, async (crowd) => {
      const { daemon, seconds } = await protect(crowd);
      await parked(daemon);
      const requestsBefore = sumOf(await crowd.server.ask("requests"));
      const idle = await watchIdle(daemon, watchedSeconds);
      const requests = sumOf(await crowd.server.ask("requests")) - requestsBefore;
      await drainAndProve(crowd, daemon, someOf(crowd, PROVEN));
      return { ...idle, requests: requests / watchedSeconds, protected: seconds };
    });
  },
};

async function parked(daemon: Child): Promise<void> {
  let descriptors = -1;
  let sinceMs = performance.now();
  await until(
    "the daemon opens and closes nothing",
    () => {
      const now = sampleTree(daemon.pid).descriptors;
      if (now !== descriptors) sinceMs = performance.now();
      descriptors = now;
      return performance.now() - sinceMs >= STEADY_MS;
    },
    { limitMs: PARKED_LIMIT_MS, everyMs: 100 },
  );
}

async function watchIdle(daemon: Child, seconds: number): Promise<Record<string, number>> {
  const begunMs = performance.now();
  const before = sampleTree(daemon.pid);
  const samples = [];
  for (let sample = 0; sample < SAMPLES; sample += 1) {
    await sleep((seconds * 1000) / SAMPLES);
    samples.push(sampleTree(daemon.pid));
  }
  const watchedSeconds = (performance.now() - begunMs) / 1000;
  const last = samples.at(-1) ?? before;
  return {
    RSS: median(samples.map(({ rssBytes }) => rssBytes)) / 1e6,
    "private dirty": median(samples.map(({ privateDirtyBytes }) => privateDirtyBytes)) / 1e6,
    "peak RSS": last.peakRssBytes / 1e6,
    descriptors: median(samples.map(({ descriptors }) => descriptors)),
    "CPU share": (100 * (last.cpuSeconds - before.cpuSeconds)) / watchedSeconds,
  };
}

function sumOf(requests: Readonly<Record<string, number>>): number {
  return Object.values(requests).reduce((sum, count) => sum + count, 0);
}
