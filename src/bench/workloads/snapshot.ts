import { sampleTree } from "../process-tree.ts";
import { drain, makeDatabases, prove, watchOne } from "../session.ts";
import { KNOBS_TEXT } from "../tools/tool.ts";
import type { Workload } from "../workload.ts";

/** From the start of the daemon until the first copy of a large closed database is durable in a folder. */
export const S1: Workload = {
  id: "S1",
  name: "snapshot",
  title: "first snapshot of one large database",
  compares: true,
  knobs: (options) => [
    `${options.megabytes} MB of text rows, page size 4096`,
    ...KNOBS_TEXT,
    "storage: a folder",
  ],
  measures: () => [
    { name: "snapshot", unit: "MB/s", better: "more" },
    { name: "CPU", unit: "s/GB", better: "less" },
    { name: "peak RSS", unit: "MB", better: "less" },
  ],
  run: async (tool, bench) => {
    const { job, rows, bytes } = await makeDatabases(bench, { count: 1, megabytes: bench.options.megabytes });
    const { daemon, firstCopySeconds } = await watchOne(tool, job);
    const { cpuSeconds, peakRssBytes } = sampleTree(daemon.pid);
    await drain(tool, daemon);
    await prove(bench, tool, job, rows);
    return {
      snapshot: bytes / 1e6 / firstCopySeconds,
      CPU: cpuSeconds / (bytes / 1e9),
      "peak RSS": peakRssBytes / 1e6,
    };
  },
};
