import { copyFileSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { folderState } from "../folder.ts";
import { followTree } from "../process-tree.ts";
import { drain, makeDatabases, prove, theOnly, watchOne } from "../session.ts";
import { KNOBS_TEXT } from "../tools/tool.ts";
import type { Workload } from "../workload.ts";

const SAMPLE_EVERY_MS = 50;

/** What the tool costs an application that commits without a pause, and what that costs in disk and memory. */
export const L2: Workload = {
  id: "L2",
  name: "throughput",
  title: "one writer at full speed",
  compares: true,
  knobs: (options) => [
    `one row a commit, synchronous NORMAL, its own autocheckpoint at 1000 pages, ${options.seconds} s`,
    "the same writer alone just before",
    ...KNOBS_TEXT,
    "storage: a folder",
  ],
  measures: () => [
    { name: "share of its speed alone", unit: "", better: "more", goal: 0.85 },
    { name: "commits alone", unit: "/s", better: "more" },
    { name: "commits beside", unit: "/s", better: "more" },
    { name: "worst stall alone", unit: "ms", better: "less" },
    { name: "worst stall beside", unit: "ms", better: "less" },
    { name: "stall that it adds", unit: "ms", better: "less", goal: 50 },
    { name: "largest log", unit: "MB", better: "less" },
    { name: "largest local copy", unit: "MB", better: "less" },
    { name: "peak RSS", unit: "MB", better: "less", goal: 100, needsProc: true },
  ],
  run: async (tool, bench) => {
    const { job } = await makeDatabases(bench, { count: 1, megabytes: 0.1 });
    const { path } = theOnly(job);
    const alonePath = join(bench.scratch, "alone.db");
    copyFileSync(path, alonePath);
    const alone = await bench.writer.flood(alonePath, bench.options.seconds);
    await alone.end();

    const { daemon } = await watchOne(tool, job);
    const tree = followTree(daemon.pid, SAMPLE_EVERY_MS * 4);
    const disk = followDisk(path);
    const beside = await bench.writer.flood(path, bench.options.seconds);
    disk.stop();
    const { peakRssBytes } = tree.last();
    tree.stop();
    await beside.end();
    await drain(tool, daemon);
    await prove(bench, tool, job, beside.rows);
    return {
      "share of its speed alone": beside.commits / beside.seconds / (alone.commits / alone.seconds),
      "commits alone": alone.commits / alone.seconds,
      "commits beside": beside.commits / beside.seconds,
      "worst stall alone": alone.worstStallMs,
      "worst stall beside": beside.worstStallMs,
      "stall that it adds": Math.max(0, beside.worstStallMs - alone.worstStallMs),
      "largest log": disk.largestLogBytes() / 1e6,
      "largest local copy": disk.largestCopyBytes() / 1e6,
      "peak RSS": peakRssBytes / 1e6,
    };
  },
};

/** The log, and what the tool keeps beside the database. */
function followDisk(path: string): { largestLogBytes(): number; largestCopyBytes(): number; stop(): void } {
  const sizeOf = (file: string) => statSync(file, { throwIfNoEntry: false })?.size ?? 0;
  let largestLogBytes = 0;
  let largestCopyBytes = 0;
  const timer = setInterval(() => {
    const logBytes = sizeOf(`${path}-wal`);
    const ownBytes = sizeOf(path) + logBytes + sizeOf(`${path}-shm`);
    largestLogBytes = Math.max(largestLogBytes, logBytes);
    largestCopyBytes = Math.max(largestCopyBytes, folderState(dirname(path)).bytes - ownBytes);
  }, SAMPLE_EVERY_MS);
  return {
    largestLogBytes: () => largestLogBytes,
    largestCopyBytes: () => largestCopyBytes,
    stop: () => clearInterval(timer),
  };
}
