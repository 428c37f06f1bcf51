import { quantile } from "../../src/bench/statistics.ts";
import { KNOBS, KNOBS_TEXT } from "../../src/bench/tools/tool.ts";
import type { Workload } from "../../src/bench/workload.ts";
import { drainAndProve, lagsOfLoad, protect, spreadOver, withCrowd } from "../crowd.ts";
import { COUNTING_SERVER_TEXT } from "../storage-process.ts";

/** What many databases cost that are written to, and how late their copies are when they are written to as fast as it goes. */
export const T1: Workload = {
  id: "T1",
  title: "many databases under load",
  compares: true,
  storage: "s3",
  knobs: ({ databases, rate, seconds, busyRate, busySeconds }) => [
    `${databases} databases of 0.1 MB; one writer, one row a commit, all databases in turn`,
    `${rate} commits/s over all for ${seconds} s; then (busy) ${busyRate} commits/s to each for ${busySeconds} s, or as many as the writer can make`,
    "lag: from the return of each COMMIT until the server had the first object with its row, and all before that",
    "CPU of the tool's process tree alone: 100 % is one processor",
    ...KNOBS_TEXT,
    `storage: ${COUNTING_SERVER_TEXT}`,
    "proof: all databases",
  ],
  measures: ({ seconds }) => [
    { name: "CPU share", unit: "%", better: "less", goal: 50 },
    { name: "PUTs", unit: "/s", better: "less" },
    { name: "PUTs a database and interval", unit: "", better: "less", goal: mostPuts(seconds) },
    { name: "commits", unit: "/s", better: "more" },
    { name: "lag p50", unit: "s", better: "less" },
    { name: "lag p95", unit: "s", better: "less" },
    { name: "lag worst", unit: "s", better: "less" },
    { name: "busy CPU share", unit: "%", better: "less" },
    { name: "busy PUTs", unit: "/s", better: "less" },
    { name: "busy commits", unit: "/s", better: "more" },
    { name: "busy lag p50", unit: "s", better: "less" },
    { name: "busy lag p95", unit: "s", better: "less", goal: 3 },
    { name: "busy lag worst", unit: "s", better: "less" },
  ],
  run: (tool, bench) => {
    const { databases, rate, seconds, busyRate, busySeconds } = bench.options;
    return withCrowd(tool, bench, { count: databases }, async (crowd) => {
      const { daemon } = await protect(crowd);
      const loaded = await spreadOver(crowd, daemon, { rate, seconds });
      const busy = await spreadOver(crowd, daemon, { rate: busyRate * databases, seconds: busySeconds });
      await drainAndProve(crowd, daemon);
      const lags = await lagsOfLoad(crowd, loaded);
      const busyLags = await lagsOfLoad(crowd, busy);
      return {
        "CPU share": loaded.cpuShare,
        PUTs: loaded.putsPerSecond,
        "PUTs a database and interval": (loaded.putsPerSecond * KNOBS.syncIntervalSeconds) / databases,
        commits: loaded.commitsPerSecond,
        "lag p50": quantile(lags, 0.5),
        "lag p95": quantile(lags, 0.95),
        "lag worst": quantile(lags, 1),
        "busy CPU share": busy.cpuShare,
        "busy PUTs": busy.putsPerSecond,
        "busy commits": busy.commitsPerSecond,
        "busy lag p50": quantile(busyLags, 0.5),
        "busy lag p95": quantile(busyLags, 0.95),
        "busy lag worst": quantile(busyLags, 1),
      };
    });
  },
};

/** One in each interval, and one more: a time of whole intervals may begin and end with an upload. */
function mostPuts(seconds: number): number {
  return 1 + KNOBS.syncIntervalSeconds / seconds;
}
