import { copyFileSync } from "node:fs";
import { join } from "node:path";
import { makeDatabases, theOnly } from "../../src/bench/session.ts";
import type { Bench, Workload } from "../../src/bench/workload.ts";
import type { Flood } from "../../src/bench/writer.ts";

/**
 * How much of its speed SQLite itself leaves the writer of L2 when anybody holds the log, whatever else he does: without that the log could be begun
 * anew over commits that nobody has copied. Nothing but one idle reader runs beside it.
 *
 * A held log grows, and from the 1,000th frame on each commit tries a checkpoint that can do nothing. The checkpoints that come once it is let go
 * cost what they cost the writer alone. What remains is what the sum of the two leaves.
 */
export const L2_LIMIT: Workload = {
  id: "L2-limit",
  title: "one writer at full speed beside nothing but a reader",
  compares: false,
  knobs: (options) => [
    `one row a commit, synchronous NORMAL, ${options.seconds} s each`,
    "alone; beside one process with an open read transaction; the same without autocheckpoint",
    "checkpoints: what a commit takes on average beyond the median one, alone",
    "share: a commit alone by one in a held log and its checkpoints",
  ],
  measures: () => [
    { name: "commit alone, median", unit: "us", better: "less" },
    { name: "checkpoints alone, a commit", unit: "us", better: "less" },
    { name: "commit in a held log, median", unit: "us", better: "less" },
    { name: "the same, no autocheckpoint", unit: "us", better: "less" },
    { name: "share that can remain", unit: "", better: "more" },
  ],
  run: async (_, bench) => {
    const { job } = await makeDatabases(bench, { count: 1, megabytes: 0.1 });
    const { path } = theOnly(job);
    const alone = await flood(bench, path, "alone");
    const held = await flood(bench, path, "held");
    const quiet = await flood(bench, path, "held", 0);
    const meanUs = (1e6 * alone.seconds) / alone.commits;
    const checkpointsUs = meanUs - alone.medianUs;
    return {
      "commit alone, median": alone.medianUs,
      "checkpoints alone, a commit": checkpointsUs,
      "commit in a held log, median": held.medianUs,
      "the same, no autocheckpoint": quiet.medianUs,
      "share that can remain": meanUs / (held.medianUs + checkpointsUs),
    };
  },
};

async function flood(
  { scratch, writer, options }: Bench,
  from: string,
  how: "alone" | "held",
  autocheckpointPages?: number,
): Promise<Flood> {
  const path = join(scratch, `${how}-${autocheckpointPages ?? "auto"}.db`);
  copyFileSync(from, path);
  const holder = how === "held" ? await writer.hold(path) : undefined;
  const flooded = await writer.flood(path, options.seconds, autocheckpointPages);
  await flooded.end();
  await holder?.end();
  await writer.check(path, flooded.rows);
  return flooded;
}
