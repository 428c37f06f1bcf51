import { folderState } from "../../src/bench/folder.ts";
import { sampleTree } from "../../src/bench/process-tree.ts";
import { drain, makeDatabases, prove, storageFolder, watchOne } from "../../src/bench/session.ts";
import { KNOBS_TEXT } from "../../src/bench/tools/tool.ts";
import type { Workload } from "../../src/bench/workload.ts";

/** What the first copy of a large database costs, and leaves. */
export const FIRST_COPY: Workload = {
  id: "first-copy",
  title: "first copy of one large database",
  compares: true,
  knobs: ({ megabytes }) => [
    `${megabytes} MB of text rows, page size 4096`,
    ...KNOBS_TEXT,
    "storage: a folder",
  ],
  measures: () => [
    { name: "CPU", unit: "s/GB", better: "less" },
    { name: "stored / database", unit: "", better: "less" },
    { name: "peak RSS", unit: "MB", better: "less" },
  ],
  run: async (tool, bench) => {
    const { megabytes } = bench.options;
    const { job, rows, bytes } = await makeDatabases(bench, { count: 1, megabytes });
    const { daemon } = await watchOne(tool, job);
    const { cpuSeconds, peakRssBytes } = sampleTree(daemon.pid);
    await drain(tool, daemon);
    const stored = folderState(storageFolder(job)).bytes;
    await prove(bench, tool, job, rows);
    return {
      CPU: cpuSeconds / (bytes / 1e9),
      "stored / database": stored / bytes,
      "peak RSS": peakRssBytes / 1e6,
    };
  },
};
