import { FOLDER, type Place, withPlace } from "../place.ts";
import { sampleTree } from "../process-tree.ts";
import { drain, makeDatabases, prove, watchOne } from "../session.ts";
import { KNOBS_TEXT } from "../tools/tool.ts";
import { DEFAULT_OPTIONS, type Measure, type Workload } from "../workload.ts";

export const S1: Workload = {
  ...snapshotInto(FOLDER, { goal: 120, goalRatio: 2.6 }),
  id: "S1",
  name: "snapshot",
};

/** From the start of the daemon until the first copy of a large closed database is durable. @param speed its goals */
export function snapshotInto(
  place: Place,
  speed: Pick<Measure, "goal" | "goalRatio">,
): Omit<Workload, "id" | "name"> {
  return {
    title: "first snapshot of one large database",
    compares: true,
    knobs: (options) => [
      `${options.megabytes} MB of text rows, page size 4096`,
      ...KNOBS_TEXT,
      `storage: ${place.title}`,
    ],
    measures: ({ megabytes }) => [
      // Of something smaller, half of the time is the start of the program.
      {
        name: "snapshot",
        unit: "MB/s",
        better: "more",
        ...(megabytes >= DEFAULT_OPTIONS.megabytes && speed),
      },
      { name: "CPU", unit: "s/GB", better: "less", goalRatio: 0.5, needsProc: true },
      { name: "peak RSS", unit: "MB", better: "less", goal: 100, needsProc: true },
    ],
    run: (tool, bench) =>
      withPlace(place, bench, async ({ storage, arrivals }) => {
        const { megabytes } = bench.options;
        const { job, rows, bytes } = await makeDatabases(bench, { count: 1, megabytes, storage });
        const { daemon, firstCopySeconds } = await watchOne(tool, job, arrivals);
        const { cpuSeconds, peakRssBytes } = sampleTree(daemon.pid);
        await drain(tool, daemon);
        await prove(bench, tool, job, rows);
        return {
          snapshot: bytes / 1e6 / firstCopySeconds,
          CPU: cpuSeconds / (bytes / 1e9),
          "peak RSS": peakRssBytes / 1e6,
        };
      }),
  };
}
