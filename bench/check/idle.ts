import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { sampleTree } from "../../src/bench/process-tree.ts";
import { KNOBS_TEXT } from "../../src/bench/tools/tool.ts";
import type { Workload } from "../../src/bench/workload.ts";
import { drainAndProve, protect, withCrowd } from "../crowd.ts";
import { COUNTING_SERVER_TEXT } from "../storage-process.ts";

/** After the first copies, until what they needed is done and given back. */
const SETTLE_SECONDS = 8;
/** Each of so many databases is restored and compared: that all are is what the full measurements show. */
const PROVED = 20;

/** Memory, CPU and requests of idle databases in one go. */
export const IDLE: Workload = {
  id: "idle",
  title: "idle databases: memory, CPU, requests",
  compares: true,
  storage: "s3",
  knobs: ({ sizes, seconds }) => [
    `${sizes.join(", ")} databases of 0.1 MB, ${seconds} s from ${SETTLE_SECONDS} s after the first copies were done`,
    ...KNOBS_TEXT,
    `storage: ${COUNTING_SERVER_TEXT}`,
    `proof: ${PROVED} databases`,
  ],
  measures: ({ sizes }) =>
    sizes.flatMap((size) => [
      { name: `RSS, ${size}`, unit: "MB", better: "less" as const },
      { name: `CPU, ${size}`, unit: "s", better: "less" as const },
      { name: `requests, ${size}`, unit: "", better: "less" as const },
      { name: `requests of first copies, ${size}`, unit: "per database", better: "less" as const },
    ]),
  run: async (tool, bench) => {
    const values: Record<string, number> = {};
    for (const size of bench.options.sizes) {
      const part = { ...bench, scratch: join(bench.scratch, String(size)) };
      mkdirSync(part.scratch);
      const measured = await withCrowd(tool, part, { count: size }, async (crowd) => {
        const { daemon } = await protect(crowd);
        await sleep(SETTLE_SECONDS * 1000);
        const requests = async () =>
          Object.values(await crowd.server.ask("requests")).reduce((sum, count) => sum + count, 0);
        const before = { ...sampleTree(daemon.pid), requests: await requests() };
        await sleep(bench.options.seconds * 1000);
        const after = { ...sampleTree(daemon.pid), requests: await requests() };
        await drainAndProve(crowd, daemon, crowd.job.databases.slice(0, PROVED));
        return {
          [`RSS, ${size}`]: after.rssBytes / 1e6,
          [`CPU, ${size}`]: after.cpuSeconds - before.cpuSeconds,
          [`requests, ${size}`]: after.requests - before.requests,
          [`requests of first copies, ${size}`]: before.requests / size,
        };
      });
      Object.assign(values, measured);
      rmSync(part.scratch, { recursive: true });
    }
    return values;
  },
};
