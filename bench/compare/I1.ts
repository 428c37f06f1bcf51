import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { sampleTree } from "../../src/bench/process-tree.ts";
import { drain, makeDatabases, prove, watchMany } from "../../src/bench/session.ts";
import { type BenchStorage, KNOBS_TEXT, type Tool } from "../../src/bench/tools/tool.ts";
import type { Bench, Workload } from "../../src/bench/workload.ts";
import { type S3Server, startS3Server } from "../../test/helpers/s3-server/server.ts";

const SETTLE_SECONDS = 10;
const IDENTITY = { bucket: "bench", accessKeyId: "bench", secretAccessKey: "bench-secret" } as const;

/** What many databases cost while nobody writes to them. */
export const I1: Workload = {
  id: "I1",
  title: "many idle databases",
  compares: true,
  knobs: (options) => [
    `${options.databases} databases of 0.1 MB, ${options.seconds} s from ${SETTLE_SECONDS} s after the first copies were done`,
    ...KNOBS_TEXT,
    "storage: an S3 server in memory, which counts",
  ],
  measures: () => [
    { name: "CPU share", unit: "%", better: "less" },
    { name: "requests", unit: "/s", better: "less" },
    { name: "objects written", unit: "", better: "less" },
    { name: "descriptors", unit: "", better: "less" },
  ],
  run: async (tool, bench) => {
    const server = await startS3Server(IDENTITY);
    const storage = { kind: "s3", endpoint: server.endpoint, ...IDENTITY } as const;
    const { job, rows } = await makeDatabases(bench, {
      count: bench.options.databases,
      megabytes: 0.1,
      storage,
    });
    const stored = (prefix: string) => [...server.objects.keys()].filter((key) => key.startsWith(prefix));
    const daemon = await watchMany(tool, job, stored);
    await sleep(SETTLE_SECONDS * 1000);
    const before = observe(daemon.pid, server);
    await sleep(bench.options.seconds * 1000);
    const after = observe(daemon.pid, server);
    await drain(tool, daemon);
    await prove(bench, tool, { ...job, storage: copyToFolder(bench, tool, server) }, rows);
    await server.close();
    const seconds = (after.atMs - before.atMs) / 1000;
    return {
      "CPU share": ((after.cpuSeconds - before.cpuSeconds) * 100) / seconds,
      requests: (after.requests - before.requests) / seconds,
      "objects written": after.puts - before.puts,
      descriptors: after.descriptors,
    };
  },
};

function observe(pid: number, server: S3Server) {
  const puts = server.requests.filter(({ operation }) => operation === "PutObject").length;
  return { ...sampleTree(pid), requests: server.requests.length, puts, atMs: performance.now() };
}

/** The proof reads from a folder: Litestream's restore lists in a way that the strict server does not know. */
function copyToFolder(bench: Bench, tool: Tool, server: S3Server): BenchStorage {
  const path = join(bench.scratch, "storage");
  for (const [key, { body }] of server.objects) {
    const file = join(path, tool.folderPath(key));
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, body);
  }
  return { kind: "folder", path };
}
