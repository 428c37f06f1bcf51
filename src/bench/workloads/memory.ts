import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Child } from "../child.ts";
import { sampleTree } from "../process-tree.ts";
import { drain, makeDatabases, prove, watchMany } from "../session.ts";
import { median } from "../statistics.ts";
import { KNOBS_TEXT } from "../tools/tool.ts";
import type { Workload } from "../workload.ts";

const SETTLE_SECONDS = 10;
const SAMPLES = 5;
/** MB of resident memory and of private dirty pages: what so many databases, and fewer, are to stay below. */
const GOALS = [
  { databases: 1, rss: 65, dirty: 20 },
  { databases: 10, rss: 66, dirty: 21 },
  { databases: 100, rss: 68, dirty: 23 },
  { databases: 500, rss: 72, dirty: 27 },
] as const;

const MEGABYTES = { unit: "MB", better: "less", needsProc: true } as const;

/** Memory of the process tree while nothing is written, by number of databases. */
export const M1: Workload = {
  id: "M1",
  name: "memory",
  title: "idle memory",
  compares: true,
  knobs: (options) => [
    `${options.sizes.join(", ")} databases of 0.1 MB`,
    `sampled ${SAMPLES} times, a second apart, from ${SETTLE_SECONDS} s after the first copies were done`,
    ...KNOBS_TEXT,
    "storage: a folder",
  ],
  measures: (options) =>
    options.sizes.flatMap((size) => {
      const goals = GOALS.find(({ databases }) => size <= databases);
      return [
        { ...MEGABYTES, name: `RSS, ${size}`, ...(goals && { goal: goals.rss }) },
        { ...MEGABYTES, name: `private dirty, ${size}`, ...(goals && { goal: goals.dirty }) },
      ];
    }),
  run: async (tool, bench) => {
    const values: Record<string, number> = {};
    for (const size of bench.options.sizes) {
      const scratch = join(bench.scratch, String(size));
      mkdirSync(scratch);
      const part = { ...bench, scratch };
      const { job, rows } = await makeDatabases(part, { count: size, megabytes: 0.1 });
      const daemon = await watchMany(tool, job);
      Object.assign(values, await idleMemory(daemon, size));
      await drain(tool, daemon);
      await prove(part, tool, job, rows);
      rmSync(scratch, { recursive: true });
    }
    return values;
  },
};

async function idleMemory(daemon: Child, size: number): Promise<Record<string, number>> {
  await sleep(SETTLE_SECONDS * 1000);
  const rss: number[] = [];
  const dirty: number[] = [];
  for (let sample = 0; sample < SAMPLES; sample++) {
    const { rssBytes, privateDirtyBytes } = sampleTree(daemon.pid);
    rss.push(rssBytes / 1e6);
    dirty.push(privateDirtyBytes / 1e6);
    await sleep(1000);
  }
  return { [`RSS, ${size}`]: median(rss), [`private dirty, ${size}`]: median(dirty) };
}
