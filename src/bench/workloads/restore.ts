import { join } from "node:path";
import { followTree } from "../process-tree.ts";
import { drain, makeDatabases, theOnly, watchOne } from "../session.ts";
import { KNOBS_TEXT } from "../tools/tool.ts";
import { VoidRun, type Workload } from "../workload.ts";

const SAMPLE_EVERY_MS = 25;

/** From the start of the restore program to its end: one large snapshot out of a folder. */
export const R1: Workload = {
  id: "R1",
  name: "restore",
  title: "restore of one large database",
  compares: true,
  knobs: (options) => [
    `${options.megabytes} MB of text rows, page size 4096`,
    "integrity check of the tool off (the harness checks)",
    ...KNOBS_TEXT,
    "storage: a folder",
  ],
  measures: () => [
    { name: "restore", unit: "MB/s", better: "more" },
    { name: "peak RSS", unit: "MB", better: "less" },
  ],
  run: async (tool, bench) => {
    const { job, rows, bytes } = await makeDatabases(bench, { count: 1, megabytes: bench.options.megabytes });
    const { daemon } = await watchOne(tool, job);
    await drain(tool, daemon);
    const out = join(bench.scratch, "out.db");
    const start = performance.now();
    const restore = tool.restore(job, theOnly(job), out);
    const tree = followTree(restore.pid, SAMPLE_EVERY_MS);
    const exit = await restore.exited;
    const seconds = (performance.now() - start) / 1000;
    tree.stop();
    if (exit.code !== 0) throw new VoidRun(`${tool.name} cannot restore: ${exit.stderr}`);
    await bench.writer.check(out, rows);
    return { restore: bytes / 1e6 / seconds, "peak RSS": tree.last().peakRssBytes / 1e6 };
  },
};
