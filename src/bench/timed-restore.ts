import { followTree } from "./process-tree.ts";
import type { BenchDatabase, Job, Tool } from "./tools/tool.ts";
import { VoidRun } from "./workload.ts";

const SAMPLE_EVERY_MS = 25;

export interface TimedRestore {
  readonly seconds: number;
  readonly cpuSeconds: number;
  readonly peakRssBytes: number;
}

/** Restores `database` to `out`: seconds from the start of the program to its end, its memory and CPU. */
export async function timedRestore(
  tool: Tool,
  job: Job,
  { database, out }: { readonly database: BenchDatabase; readonly out: string },
): Promise<TimedRestore> {
  const start = performance.now();
  const restore = tool.restore(job, database, out);
  const tree = followTree(restore.pid, SAMPLE_EVERY_MS);
  const exit = await restore.exited;
  const seconds = (performance.now() - start) / 1000;
  tree.stop();
  if (exit.code !== 0) throw new VoidRun(`${tool.name} cannot restore ${database.name}: ${exit.stderr}`);
  const { peakRssBytes, cpuSeconds } = tree.last();
  return { seconds, peakRssBytes, cpuSeconds };
}
