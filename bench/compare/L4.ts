import { drain, makeDatabases, prove, theOnly, watchOne } from "../../src/bench/session.ts";
import { KNOBS_TEXT } from "../../src/bench/tools/tool.ts";
import { until } from "../../src/bench/until.ts";
import type { Workload } from "../../src/bench/workload.ts";
import { type CheckpointTry, endWriter, lastLine } from "../../src/bench/writer.ts";

const WITHIN_MS = 200;
const MODES = ["FULL", "RESTART", "TRUNCATE"] as const;

/** Whether an application can still checkpoint its own log: a tool that pins the log has to give way in time. */
export const L4: Workload = {
  id: "L4",
  title: "the application's own checkpoints",
  compares: true,
  knobs: (options) => [
    "1 database of 0.1 MB, 100 commits of one row a second, synchronous NORMAL",
    `${options.checkpoints} checkpoints, ${MODES.join(", ")} in turn, 250 ms apart, each with a busy timeout of ${WITHIN_MS} ms`,
    ...KNOBS_TEXT,
    "storage: a folder",
  ],
  measures: () => [
    { name: "succeed", unit: "%", better: "more", goal: 90 },
    ...MODES.map((mode) => ({ name: mode, unit: "%", better: "more" as const })),
    { name: "longest", unit: "ms", better: "less" },
  ],
  run: async (tool, bench) => {
    const { checkpoints } = bench.options;
    const { job } = await makeDatabases(bench, { count: 1, megabytes: 0.1 });
    const { daemon, arrivals } = await watchOne(tool, job);
    const writer = bench.writer.checkpoint(theOnly(job).path, { count: checkpoints, withinMs: WITHIN_MS });
    await until("all checkpoints", () => writer.lines.length === checkpoints || !writer.running(), {
      limitMs: 60_000 + checkpoints * 2000,
    });
    const tries = writer.lines.map((line) => JSON.parse(line) as CheckpointTry);
    const { rows } = lastLine<CheckpointTry>(writer);
    await endWriter(writer);
    await drain(tool, daemon);
    arrivals.close();
    await prove(bench, tool, job, rows);
    return {
      succeed: successPercent(tries),
      ...Object.fromEntries(
        MODES.map((mode) => [mode, successPercent(tries.filter((one) => one.mode === mode))]),
      ),
      longest: Math.max(...tries.map(({ ms }) => ms)),
    };
  },
};

function successPercent(tries: readonly CheckpointTry[]): number {
  return (100 * tries.filter(({ isDone, ms }) => isDone && ms <= WITHIN_MS).length) / tries.length;
}
