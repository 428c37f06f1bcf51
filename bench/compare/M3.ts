import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { FOLDER, withPlace } from "../../src/bench/place.ts";
import { followTree, sampleTree } from "../../src/bench/process-tree.ts";
import { drain, makeDatabases, prove, theOnly, watchOne } from "../../src/bench/session.ts";
import { timedRestore } from "../../src/bench/timed-restore.ts";
import { KNOBS_TEXT, type Tool } from "../../src/bench/tools/tool.ts";
import { until } from "../../src/bench/until.ts";
import type { Bench, Measure, Workload } from "../../src/bench/workload.ts";
import { ABSENCES, ABSENCES_TEXT, throughAbsence } from "../absence.ts";
import { COUNTING_SERVER_TEXT } from "../storage-process.ts";

const SAMPLE_EVERY_MS = 200;
const COMMITS_PER_SECOND = 200;
const PUBLISHED_LIMIT_MS = 600_000;
const MOST_MEGABYTES = 100;

/** The greatest memory in the hardest hours: large databases, a large transaction, storage that is away. */
export const M3: Workload = {
  id: "M3",
  title: "peak memory with large databases, a large transaction and without storage",
  compares: true,
  knobs: (options) => [
    `snapshot and restore: ${options.largeMegabytes.join(" and ")} MB of text rows, page size 4096`,
    `transaction: ${options.giantMegabytes} MB in one commit while the database is watched, left to the tool to checkpoint`,
    `storage away: ${options.outageSeconds} s under ${COMMITS_PER_SECOND} commits a second; ${ABSENCES_TEXT}`,
    "VmHWM of the process tree",
    ...KNOBS_TEXT,
    `storage: a folder; where it goes away: ${COUNTING_SERVER_TEXT}`,
  ],
  measures: (options) =>
    [
      ...options.largeMegabytes.flatMap((size) => [`snapshot, ${size} MB`, `restore, ${size} MB`]),
      `transaction, ${options.giantMegabytes} MB`,
      ...ABSENCES.map((absence) => `storage ${absence}`),
    ].map((name): Measure => ({ name, unit: "MB", better: "less", goal: MOST_MEGABYTES, needsProc: true })),
  run: async (tool, bench) => {
    const { largeMegabytes, giantMegabytes, outageSeconds: awaySeconds } = bench.options;
    const values: Record<string, number> = {};
    for (const megabytes of largeMegabytes) {
      const peaks = await inScratch(bench, (part) => copyAndRestore(tool, part, megabytes));
      values[`snapshot, ${megabytes} MB`] = peaks.snapshotBytes / 1e6;
      values[`restore, ${megabytes} MB`] = peaks.restoreBytes / 1e6;
    }
    const transactionBytes = await inScratch(bench, (part) => publishTransaction(tool, part, giantMegabytes));
    values[`transaction, ${giantMegabytes} MB`] = transactionBytes / 1e6;
    for (const absence of ABSENCES) {
      const options = { absence, awaySeconds, commitsPerSecond: COMMITS_PER_SECOND };
      const { peakRssBytes } = await inScratch(bench, (part) => throughAbsence(tool, part, options));
      values[`storage ${absence}`] = peakRssBytes / 1e6;
    }
    return values;
  },
};

/** A folder for each part, gone after it: two large ones at a time would need much of a disk. */
async function inScratch<T>(bench: Bench, work: (part: Bench) => Promise<T>): Promise<T> {
  const scratch = join(bench.scratch, "part");
  mkdirSync(scratch);
  const result = await work({ ...bench, scratch });
  rmSync(scratch, { recursive: true });
  return result;
}

function copyAndRestore(
  tool: Tool,
  bench: Bench,
  megabytes: number,
): Promise<{ readonly snapshotBytes: number; readonly restoreBytes: number }> {
  return withPlace(FOLDER, bench, async ({ storage }) => {
    const { job, rows } = await makeDatabases(bench, { count: 1, megabytes, storage });
    const { daemon, arrivals } = await watchOne(tool, job);
    const { peakRssBytes: snapshotBytes } = sampleTree(daemon.pid);
    await drain(tool, daemon);
    arrivals.close();
    const out = join(bench.scratch, "out.db");
    const { peakRssBytes: restoreBytes } = await timedRestore(tool, job, { database: theOnly(job), out });
    await bench.writer.check(out, rows);
    return { snapshotBytes, restoreBytes };
  });
}

async function publishTransaction(tool: Tool, bench: Bench, megabytes: number): Promise<number> {
  const { job } = await makeDatabases(bench, { count: 1, megabytes: 0.1 });
  const { daemon, arrivals } = await watchOne(tool, job);
  const tree = followTree(daemon.pid, SAMPLE_EVERY_MS);
  const transaction = await bench.writer.transact(theOnly(job).path, megabytes);
  const committedNs = BigInt(transaction.committedNs);
  await until("the transaction's object", () => arrivals.seen.some(({ atNs }) => atNs > committedNs), {
    limitMs: PUBLISHED_LIMIT_MS,
  });
  await transaction.end();
  await drain(tool, daemon);
  tree.stop();
  arrivals.close();
  await prove(bench, tool, job, transaction.rows);
  return tree.last().peakRssBytes;
}
