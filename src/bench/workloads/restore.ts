import { join } from "node:path";
import { FOLDER, type Place, withPlace } from "../place.ts";
import { drain, makeDatabases, theOnly, watchOne } from "../session.ts";
import { timedRestore } from "../timed-restore.ts";
import { KNOBS_TEXT } from "../tools/tool.ts";
import { DEFAULT_OPTIONS, type Measure, type Workload } from "../workload.ts";

export const R1: Workload = {
  ...restoreFrom(FOLDER, { goal: 200, goalRatio: 2.4 }),
  id: "R1",
  name: "restore",
};

/** From the start of the restore program to its end: one large snapshot. @param speed its goals */
export function restoreFrom(
  place: Place,
  speed: Pick<Measure, "goal" | "goalRatio">,
): Omit<Workload, "id" | "name"> {
  return {
    title: "restore of one large database",
    compares: true,
    knobs: (options) => [
      `${options.megabytes} MB of text rows, page size 4096`,
      "integrity check of the tool off (the harness checks)",
      ...KNOBS_TEXT,
      `storage: ${place.title}`,
    ],
    measures: ({ megabytes }) => [
      // Of something smaller, half of the time is the start of the program.
      {
        name: "restore",
        unit: "MB/s",
        better: "more",
        ...(megabytes >= DEFAULT_OPTIONS.megabytes && speed),
      },
      { name: "CPU", unit: "s/GB", better: "less", needsProc: true },
      { name: "peak RSS", unit: "MB", better: "less", goal: 100, needsProc: true },
    ],
    run: (tool, bench) =>
      withPlace(place, bench, async ({ storage, arrivals }) => {
        const { megabytes } = bench.options;
        const { job, rows, bytes } = await makeDatabases(bench, { count: 1, megabytes, storage });
        const { daemon } = await watchOne(tool, job, arrivals);
        await drain(tool, daemon);
        const out = join(bench.scratch, "out.db");
        const restored = await timedRestore(tool, job, { database: theOnly(job), out });
        await bench.writer.check(out, rows);
        return {
          restore: bytes / 1e6 / restored.seconds,
          CPU: restored.cpuSeconds / (bytes / 1e9),
          "peak RSS": restored.peakRssBytes / 1e6,
        };
      }),
  };
}
