import { drain, makeDatabases, prove, theOnly, watchOne } from "../session.ts";
import { quantile } from "../statistics.ts";
import { KNOBS_TEXT } from "../tools/tool.ts";
import { until } from "../until.ts";
import { VoidRun, type Workload } from "../workload.ts";
import { LONE_GAP_SECONDS, type LoneCommit } from "../writer.ts";

const LATEST_ARRIVAL_MS = 20_000;

/** From the return of a lone COMMIT to the moment its object is durable in a folder. */
export const L1: Workload = {
  id: "L1",
  name: "latency",
  title: "lone commit to durable",
  compares: true,
  knobs: (options) => [
    "1 database of 0.1 MB",
    `${options.commits} commits, ${LONE_GAP_SECONDS.least} to ${LONE_GAP_SECONDS.most} s apart`,
    ...KNOBS_TEXT,
    "storage: a folder",
  ],
  measures: () => [
    { name: "p50", unit: "s", better: "less", goal: 0.06 },
    { name: "p95", unit: "s", better: "less", goal: 0.15 },
    { name: "worst", unit: "s", better: "less" },
  ],
  run: async (tool, bench) => {
    const { job } = await makeDatabases(bench, { count: 1, megabytes: 0.1 });
    const { daemon, arrivals } = await watchOne(tool, job);
    const writer = bench.writer.lone(theOnly(job).path, {
      commits: bench.options.commits,
      seed: bench.run + 1,
    });
    await until(
      "all lone commits",
      () => writer.lines.length === bench.options.commits || !writer.running(),
      {
        limitMs: bench.options.commits * (LONE_GAP_SECONDS.most + 5) * 1000,
      },
    );
    const commits = writer.lines.map((line) => JSON.parse(line) as LoneCommit);
    const last = commits.at(-1);
    if (last === undefined || commits.length < bench.options.commits) {
      throw new VoidRun(`the writer failed: ${writer.stderr()}`);
    }
    await until("the last commit's object", () => arrivals.seen.some((arrival) => isAfter(arrival, last)), {
      limitMs: LATEST_ARRIVAL_MS,
    });
    writer.write("\n");
    await writer.exited;
    await drain(tool, daemon);
    arrivals.close();
    await prove(bench, tool, job, last.rows);
    // The next arrival after a commit is its own as long as publications take less than the gap; a lag beyond the gap shows as such.
    const lags = commits.map((commit) => {
      const arrival = arrivals.seen.find((one) => isAfter(one, commit));
      if (arrival === undefined) throw new Error("a commit without an arrival");
      return Number(arrival.atNs - BigInt(commit.committedNs)) / 1e9;
    });
    return { p50: quantile(lags, 0.5), p95: quantile(lags, 0.95), worst: Math.max(...lags) };
  },
};

function isAfter(arrival: { readonly atNs: bigint }, commit: LoneCommit): boolean {
  return arrival.atNs > BigInt(commit.committedNs);
}
