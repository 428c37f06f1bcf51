import { readdirSync } from "node:fs";
import { join } from "node:path";
import type { Arrivals } from "../../src/bench/arrivals.ts";
import type { Child } from "../../src/bench/child.ts";
import { drain, makeDatabases, storageFolder, theOnly, watchOne } from "../../src/bench/session.ts";
import { median } from "../../src/bench/statistics.ts";
import { type TimedRestore, timedRestore } from "../../src/bench/timed-restore.ts";
import { type Job, KNOBS, knobsText, type Tool } from "../../src/bench/tools/tool.ts";
import { NoHope, until } from "../../src/bench/until.ts";
import { type Bench, VoidRun, type Workload } from "../../src/bench/workload.ts";
import { endWriter } from "../../src/bench/writer.ts";

const DATABASE_MEGABYTES = 10;
const PAGES = 20;
/** Of every number of incrementals. */
const RESTORES = 3;
/** So short that every commit is published by itself: the writer waits for each. */
const MANY_FILES = { ...KNOBS, syncIntervalSeconds: 0.01, merges: false };
/** What a tool may publish beside the commits, on its own account. */
const OWN_FILES = { share: 0.05, least: 5 } as const;
const SECONDS = { unit: "s", better: "less" } as const;

/** From the start of the restore program to its end: a snapshot, and many small files behind it. */
export const R1_INCREMENTS: Workload = {
  id: "R1-increments",
  title: "restore of a snapshot and many incrementals",
  compares: true,
  knobs: (options) => [
    `${DATABASE_MEGABYTES} MB of text rows, then ${options.increments.join(" and ")} commits that change ${PAGES} pages each`,
    "each commit waits until the one before is durable: a file each, which is counted",
    `the median of ${RESTORES} restores; integrity check of the tool off (the harness checks)`,
    ...knobsText(MANY_FILES),
    "storage: a folder",
  ],
  measures: (options) =>
    options.increments.flatMap((count) => [
      {
        ...SECONDS,
        name: nameOf(count),
        ...(count <= 600 ? { goal: 0.35, goalRatio: 0.9 } : { goalRatio: 0.5 }),
      },
      { ...SECONDS, name: `${nameOf(count)}, CPU`, needsProc: true },
    ]),
  run: async (tool, bench) => {
    const { increments } = bench.options;
    const commits = increments.at(-1) ?? 0;
    const made = await makeDatabases(bench, { count: 1, megabytes: DATABASE_MEGABYTES });
    const job = { ...made.job, knobs: MANY_FILES };
    const { daemon, arrivals } = await watchOne(tool, job);
    const writer = bench.writer.revise(theOnly(job).path, { commits, pages: PAGES });
    const values: Record<string, number> = {};
    for (const count of increments) {
      await reviseTo(writer, count, arrivals);
      assertPublished(tool, job, count);
      const restores = await restoreAll(tool, bench, { job, rows: made.rows, commits: count });
      values[nameOf(count)] = median(restores.map(({ seconds }) => seconds));
      values[`${nameOf(count)}, CPU`] = median(restores.map(({ cpuSeconds }) => cpuSeconds));
    }
    await endWriter(writer);
    await drain(tool, daemon);
    arrivals.close();
    return values;
  },
};

function nameOf(count: number): string {
  return `${count} incrementals`;
}

/** Commit by commit, until revision `count` is durable. */
async function reviseTo(writer: Child, count: number, arrivals: Arrivals): Promise<void> {
  while (writer.lines.length < count) {
    const before = { commits: writer.lines.length, files: arrivals.seen.length };
    writer.write("\n");
    await until(
      "a commit and its incremental",
      () => {
        if (!writer.running()) throw new NoHope(`the writer failed: ${writer.stderr()}`);
        return writer.lines.length > before.commits && arrivals.seen.length > before.files;
      },
      { everyMs: 1 },
    );
  }
}

/** The figures are of so many files, or of nothing. */
export function assertPublished(tool: Tool, job: Job, commits: number): void {
  const folder = join(storageFolder(job), tool.publications("folder", theOnly(job)));
  const incrementals = readdirSync(folder).filter((name) => name.endsWith(".ltx")).length - 1;
  const most = commits + Math.max(OWN_FILES.least, OWN_FILES.share * commits);
  if (incrementals >= commits && incrementals <= most) return;
  throw new VoidRun(`${tool.name} made ${incrementals} incrementals of ${commits} commits`);
}

async function restoreAll(
  tool: Tool,
  bench: Bench,
  { job, rows, commits }: { readonly job: Job; readonly rows: number; readonly commits: number },
): Promise<readonly TimedRestore[]> {
  const restores: TimedRestore[] = [];
  for (let restore = 0; restore < RESTORES; restore++) {
    const out = join(bench.scratch, `${commits}-${restore}.db`);
    restores.push(await timedRestore(tool, job, { database: theOnly(job), out }));
    await bench.writer.check(out, rows, { commits, pages: PAGES });
  }
  return restores;
}
