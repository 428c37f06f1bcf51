import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { KNOBS_TEXT } from "../../src/bench/tools/tool.ts";
import type { Workload } from "../../src/bench/workload.ts";
import { ABSENCES, ABSENCES_TEXT, throughAbsence } from "../absence.ts";
import { COUNTING_SERVER_TEXT } from "../storage-process.ts";

const COMMITS_PER_SECOND = 5;

/** From the moment storage is there again, after it was away under a writer. */
export const L5: Workload = {
  id: "L5",
  title: "uploads go on after storage was away",
  compares: true,
  storage: "s3",
  knobs: (options) => [
    `1 database of 0.1 MB, ${COMMITS_PER_SECOND} commits a second; storage away for ${options.awaySeconds} s`,
    ABSENCES_TEXT,
    "first object: until one more is stored; caught up: until all is durable that was committed while storage was away",
    ...KNOBS_TEXT,
    `storage: ${COUNTING_SERVER_TEXT}`,
  ],
  measures: () => [
    { name: "refused, first object", unit: "s", better: "less", goal: 2 },
    { name: "refused, caught up", unit: "s", better: "less" },
    // What was under way when it stalled is stored by itself at its return: that tells nothing of the tool.
    { name: "stalled, caught up", unit: "s", better: "less", goal: 2 },
  ],
  run: async (tool, bench) => {
    const values: Record<string, number> = {};
    for (const absence of ABSENCES) {
      const scratch = join(bench.scratch, absence);
      mkdirSync(scratch);
      const { firstObjectSeconds, caughtUpSeconds } = await throughAbsence(
        tool,
        { ...bench, scratch },
        {
          absence,
          awaySeconds: bench.options.awaySeconds,
          commitsPerSecond: COMMITS_PER_SECOND,
        },
      );
      values[`${absence}, first object`] = firstObjectSeconds;
      values[`${absence}, caught up`] = caughtUpSeconds;
    }
    return values;
  },
};
