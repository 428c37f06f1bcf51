import { quantile } from "../../src/bench/statistics.ts";
import { KNOBS_TEXT } from "../../src/bench/tools/tool.ts";
import type { Workload } from "../../src/bench/workload.ts";
import { drainAndProve, lagsOfLoad, protect, spreadOver, withCrowd } from "../crowd.ts";
import { COUNTING_SERVER_TEXT } from "../storage-process.ts";

/** From the return of a COMMIT to the moment its object is durable, with many databases that are written to now and then. */
export const L1_MANY: Workload = {
  id: "L1-many",
  title: "commit to durable, many databases",
  compares: true,
  storage: "s3",
  knobs: ({ fewerDatabases, calmRate, seconds }) => [
    `${fewerDatabases} databases of 0.1 MB; one writer, ${calmRate} commits/s over all, each to a database picked at random, one row each, ${seconds} s`,
    "lag: from the return of each COMMIT until the server had the first object with its row, and all before that",
    ...KNOBS_TEXT,
    `storage: ${COUNTING_SERVER_TEXT}`,
    "proof: all databases",
  ],
  measures: () => [
    { name: "p50", unit: "s", better: "less", goal: 0.15 },
    { name: "p95", unit: "s", better: "less", goal: 0.6 },
    { name: "worst", unit: "s", better: "less" },
    { name: "CPU share", unit: "%", better: "less" },
  ],
  run: (tool, bench) => {
    const { fewerDatabases, calmRate, seconds } = bench.options;
    return withCrowd(tool, bench, { count: fewerDatabases }, async (crowd) => {
      const { daemon } = await protect(crowd);
      const loaded = await spreadOver(crowd, daemon, { rate: calmRate, seconds, seed: bench.run + 1 });
      await drainAndProve(crowd, daemon);
      const lags = await lagsOfLoad(crowd, loaded);
      return {
        p50: quantile(lags, 0.5),
        p95: quantile(lags, 0.95),
        worst: quantile(lags, 1),
        "CPU share": loaded.cpuShare,
      };
    });
  },
};
