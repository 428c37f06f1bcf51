import { join } from "node:path";
import { spawnChild } from "../child.ts";
import { writeConfiguration } from "./configuration.ts";
import { type BenchStorage, type Job, KNOBS, type Tool } from "./tool.ts";

/** Litestream 0.5, one configuration file for all databases. `program`: its path, or its name on PATH. */
export function litestream(program: string): Tool {
  return {
    name: "litestream",
    version: async () => (await spawnChild(program, ["version"]).exited).stdout.trim(),
    watch: (job) => spawnChild(program, ["replicate", "-config", configuration(job)]),
    restore: (job, database, out) =>
      spawnChild(program, [
        ...["restore", "-config", configuration(job)],
        ...["-integrity-check", "none", "-o", out, database.path],
      ]),
    publications: (storage, { name }) => (storage === "folder" ? `${name}/ltx/0/` : `${name}/0000/`),
    // The level: four hex digits on S3, plain hex below `ltx` in folders.
    folderPath: (key) => key.replace(/\/0*([0-9a-f]+)\/([^/]+)$/, "/ltx/$1/$2"),
  };
}

function configuration(job: Job): string {
  const databases = job.databases.flatMap((database) => [
    `  - path: ${JSON.stringify(database.path)}`,
    `    monitor-interval: ${KNOBS.syncIntervalSeconds}s`,
    `    checkpoint-interval: ${KNOBS.checkpointIntervalSeconds}s`,
    `    min-checkpoint-page-count: ${KNOBS.minCheckpointPages}`,
    "    replica:",
    ...replica(job.storage, database.name).map(([key, value]) => `      ${key}: ${JSON.stringify(value)}`),
    `      sync-interval: ${KNOBS.syncIntervalSeconds}s`,
  ]);
  const lines = [
    "logging:",
    "  level: warn",
    "snapshot:",
    `  interval: ${KNOBS.snapshotIntervalSeconds}s`,
    "dbs:",
    ...databases,
  ];
  return writeConfiguration(job.scratch, "litestream.yml", lines);
}

function replica(storage: BenchStorage, name: string): readonly (readonly [string, string | boolean])[] {
  if (storage.kind === "folder") {
    return [
      ["type", "file"],
      ["path", join(storage.path, name)],
    ];
  }
  return [
    ["type", "s3"],
    ["bucket", storage.bucket],
    ["path", name],
    ["endpoint", storage.endpoint],
    ["region", "us-east-1"],
    ["force-path-style", true],
    ["access-key-id", storage.accessKeyId],
    ["secret-access-key", storage.secretAccessKey],
  ];
}
