import { setTimeout as sleep } from "node:timers/promises";
import { folderState } from "../../src/bench/folder.ts";
import { drain, makeDatabases, prove, storageFolder, watchOne } from "../../src/bench/session.ts";
import { KNOBS_TEXT } from "../../src/bench/tools/tool.ts";
import type { Workload } from "../../src/bench/workload.ts";

/** Longer than the 30 s after which Litestream merges for the first time. */
const SETTLE_SECONDS = 35;

/** What storage holds once the first copy of a large database was made and nothing more happened. */
export const Q1: Workload = {
  id: "Q1",
  title: "bytes stored after the first copy",
  compares: true,
  knobs: (options) => [
    `${options.megabytes} MB of text rows, page size 4096; counted ${SETTLE_SECONDS} s after the first copy`,
    ...KNOBS_TEXT,
    "storage: a folder",
  ],
  measures: () => [
    { name: "stored", unit: "MB", better: "less" },
    { name: "stored / database", unit: "", better: "less", goal: 0.85 },
  ],
  run: async (tool, bench) => {
    const { job, rows, bytes } = await makeDatabases(bench, { count: 1, megabytes: bench.options.megabytes });
    const { daemon } = await watchOne(tool, job);
    await sleep(SETTLE_SECONDS * 1000);
    const stored = folderState(storageFolder(job)).bytes;
    await drain(tool, daemon);
    await prove(bench, tool, job, rows);
    return { stored: stored / 1e6, "stored / database": stored / bytes };
  },
};
