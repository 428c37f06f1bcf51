import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { KNOBS_TEXT } from "../../src/bench/tools/tool.ts";
import type { BenchOptions, Measure, Workload } from "../../src/bench/workload.ts";
import { drainAndProve, protect, spreadOver, withCrowd } from "../crowd.ts";
import { COUNTING_SERVER_TEXT } from "../storage-process.ts";

/** Of the end of the load. */
const GOAL_MEGABYTES = { many: 150, fewer: 100 } as const;

/** Memory of the process tree while many databases are written to. */
export const M2: Workload = {
  id: "M2",
  title: "memory under load, many databases",
  compares: true,
  storage: "s3",
  knobs: ({ databases, fewerDatabases, rate, seconds }) => [
    `${databases} and ${fewerDatabases} databases of 0.1 MB; one writer, ${rate} commits/s over all in turn, one row each, ${seconds} s`,
    "RSS at the last commit; peak since the start, the first copies included",
    ...KNOBS_TEXT,
    `storage: ${COUNTING_SERVER_TEXT}`,
    "proof: all databases",
  ],
  measures: (options) => sizesOf(options).flatMap(({ count, goal }) => measuresOf(count, goal)),
  run: async (tool, bench) => {
    const { rate, seconds } = bench.options;
    const values: Record<string, number> = {};
    for (const { count } of sizesOf(bench.options)) {
      const scratch = join(bench.scratch, String(count));
      mkdirSync(scratch);
      await withCrowd(tool, { ...bench, scratch }, { count }, async (crowd) => {
        const { daemon } = await protect(crowd);
        const loaded = await spreadOver(crowd, daemon, { rate, seconds });
        await drainAndProve(crowd, daemon);
        values[`RSS, ${count}`] = loaded.rssBytes / 1e6;
        values[`peak RSS, ${count}`] = loaded.peakRssBytes / 1e6;
        values[`commits, ${count}`] = loaded.commitsPerSecond;
      });
      rmSync(scratch, { recursive: true });
    }
    return values;
  },
};

function sizesOf({ databases, fewerDatabases }: BenchOptions) {
  return [
    { count: databases, goal: GOAL_MEGABYTES.many },
    { count: fewerDatabases, goal: GOAL_MEGABYTES.fewer },
  ];
}

function measuresOf(count: number, goal: number): readonly Measure[] {
  return [
    { name: `RSS, ${count}`, unit: "MB", better: "less", goal },
    { name: `peak RSS, ${count}`, unit: "MB", better: "less" },
    { name: `commits, ${count}`, unit: "/s", better: "more" },
  ];
}
