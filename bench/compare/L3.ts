import { renameSync, statSync } from "node:fs";
import { join } from "node:path";
import { prove } from "../../src/bench/session.ts";
import { quantile } from "../../src/bench/statistics.ts";
import { type BenchDatabase, KNOBS_TEXT } from "../../src/bench/tools/tool.ts";
import { until } from "../../src/bench/until.ts";
import type { BenchOptions, Workload } from "../../src/bench/workload.ts";
import {
  type Crowd,
  drainAndProve,
  type Loaded,
  lagsOfLoad,
  protect,
  spreadOver,
  withCrowd,
} from "../crowd.ts";
import { COUNTING_SERVER_TEXT } from "../storage-process.ts";

/** The large database's own transaction, and with it the log that the tool has to checkpoint: this part of its size. */
const TRANSACTION_SHARE = 0.2;
const LIMIT_MS = 600_000;

/** Whether small databases wait for a large one that the same process copies. */
export const L3: Workload = {
  id: "L3",
  title: "small databases beside a large one",
  compares: true,
  storage: "s3",
  knobs: (options) => [
    `${options.fewerDatabases} databases of 0.1 MB; one writer, ${options.calmRate} commits/s over all, each to a database picked at random`,
    `alone: ${options.seconds} s with them only`,
    `beside: in rounds of ${options.seconds} s, from the moment one of ${options.giantMegabytes} MB appears until it has its snapshot, and a transaction of ${transactionMegabytes(options)} MB is published and checkpointed by the tool`,
    ...KNOBS_TEXT,
    `storage: ${COUNTING_SERVER_TEXT}`,
    "proof: all databases",
  ],
  measures: () => [
    { name: "p99 beside / alone", unit: "", better: "less", goal: 2 },
    { name: "p99 alone", unit: "s", better: "less" },
    { name: "p99 beside", unit: "s", better: "less" },
    { name: "worst beside", unit: "s", better: "less" },
  ],
  run: (tool, bench) => {
    const { fewerDatabases: count, calmRate: rate, seconds, giantMegabytes } = bench.options;
    return withCrowd(tool, bench, { count }, async (crowd) => {
      const large = { name: "large", path: join(bench.scratch, "live", "large.db") };
      const withLarge = { ...crowd.job, databases: [...crowd.job.databases, large] };
      const aside = join(bench.scratch, "large.db");
      await bench.writer.fill(aside, giantMegabytes);
      // It is watched from the start, and not there yet.
      const { daemon } = await protect({ ...crowd, tool: { ...tool, watch: () => tool.watch(withLarge) } });
      const load = { rate, seconds, seed: bench.run + 1 };
      const loadedAlone = await spreadOver(crowd, daemon, load);
      let isGrown = false;
      const growing = grow(crowd, { large, aside, megabytes: transactionMegabytes(bench.options) });
      growing.finally(() => (isGrown = true)).catch(() => {}); // it is asked below
      const rounds: Loaded[] = [];
      while (!isGrown) rounds.push(await spreadOver(crowd, daemon, load));
      const rows = await growing;
      await drainAndProve(crowd, daemon);
      await prove(bench, tool, { ...withLarge, databases: [large] }, rows);
      const alone = await lagsOfLoad(crowd, loadedAlone);
      const beside = await lagsOfLoad(crowd, { commits: commitsOfAll(crowd, rounds) });
      return {
        "p99 beside / alone": quantile(beside, 0.99) / quantile(alone, 0.99),
        "p99 alone": quantile(alone, 0.99),
        "p99 beside": quantile(beside, 0.99),
        "worst beside": quantile(beside, 1),
      };
    });
  },
};

function transactionMegabytes({ giantMegabytes }: BenchOptions): number {
  return giantMegabytes * TRANSACTION_SHARE;
}

/** Puts the large database in its place, and waits until nothing of it is left to do. @returns its last row */
async function grow(
  { tool, bench, server }: Crowd,
  {
    large,
    aside,
    megabytes,
  }: { readonly large: BenchDatabase; readonly aside: string; readonly megabytes: number },
): Promise<number> {
  const publishedAfter = (what: string, sinceNs: bigint) => {
    const folder = tool.publications("s3", large);
    const isThere = async () => ((await server.ask("arrivals")).get(folder)?.lastNs ?? 0n) > sinceNs;
    return until(what, isThere, { limitMs: LIMIT_MS, everyMs: 250 });
  };
  renameSync(aside, large.path);
  await publishedAfter("the snapshot of the large database", 0n);
  const { rows, bytes, committedNs, end } = await bench.writer.transact(large.path, megabytes);
  await publishedAfter("its transaction", BigInt(committedNs));
  const isCheckpointed = () => statSync(large.path).size >= bytes;
  await until("its checkpoint", isCheckpointed, { limitMs: LIMIT_MS, everyMs: 250 });
  await end();
  return rows;
}

/** Of all rounds, one behind the other. */
function commitsOfAll({ job }: Crowd, rounds: readonly Loaded[]): Loaded["commits"] {
  return new Map(
    job.databases.map((database) => [database, rounds.flatMap(({ commits }) => commits.get(database) ?? [])]),
  );
}
