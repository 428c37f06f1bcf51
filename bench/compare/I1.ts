import { setTimeout as sleep } from "node:timers/promises";
import { sampleTree } from "../../src/bench/process-tree.ts";
import { KNOBS_TEXT } from "../../src/bench/tools/tool.ts";
import type { Workload } from "../../src/bench/workload.ts";
import { type Crowd, drainAndProve, protect, withCrowd } from "../crowd.ts";
import { COUNTING_SERVER_TEXT } from "../storage-process.ts";

const SETTLE_SECONDS = 10;
const LISTS = ["ListObjectsV2"];
const READS = ["GetObject", "HeadObject"];

/** What many databases cost while nobody writes to them. */
export const I1: Workload = {
  id: "I1",
  title: "many idle databases",
  compares: true,
  storage: "s3",
  knobs: (options) => [
    `${options.databases} databases of 0.1 MB, ${options.seconds} s from ${SETTLE_SECONDS} s after the first copies were done`,
    ...KNOBS_TEXT,
    `storage: ${COUNTING_SERVER_TEXT}`,
    "proof: all databases",
  ],
  measures: () => [
    { name: "CPU share", unit: "%", better: "less", goal: 1 },
    { name: "requests", unit: "/s", better: "less", goal: 0 },
    { name: "lists", unit: "/s", better: "less" },
    { name: "reads", unit: "/s", better: "less" },
    { name: "writes and deletions", unit: "/s", better: "less" },
    { name: "descriptors", unit: "", better: "less" },
  ],
  run: (tool, bench) =>
    withCrowd(tool, bench, { count: bench.options.databases }, async (crowd) => {
      const { daemon } = await protect(crowd);
      await sleep(SETTLE_SECONDS * 1000);
      const before = await observe(daemon.pid, crowd);
      await sleep(bench.options.seconds * 1000);
      const after = await observe(daemon.pid, crowd);
      await drainAndProve(crowd, daemon);
      const seconds = (after.atMs - before.atMs) / 1000;
      return {
        "CPU share": ((after.cpuSeconds - before.cpuSeconds) * 100) / seconds,
        requests: (after.requests - before.requests) / seconds,
        lists: (after.lists - before.lists) / seconds,
        reads: (after.reads - before.reads) / seconds,
        "writes and deletions": (after.changes - before.changes) / seconds,
        descriptors: after.descriptors,
      };
    }),
};

async function observe(pid: number, { server }: Crowd) {
  const tree = sampleTree(pid);
  const atMs = performance.now();
  const counts = Object.entries(await server.ask("requests"));
  const sumOf = (isMeant: (operation: string) => boolean) =>
    counts.reduce((sum, [operation, count]) => sum + (isMeant(operation) ? count : 0), 0);
  return {
    ...tree,
    atMs,
    requests: sumOf(() => true),
    lists: sumOf((operation) => LISTS.includes(operation)),
    reads: sumOf((operation) => READS.includes(operation)),
    changes: sumOf((operation) => !LISTS.includes(operation) && !READS.includes(operation)),
  };
}
