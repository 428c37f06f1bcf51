import { accessSync, constants } from "node:fs";
import { pathToFileURL } from "node:url";
import { type Child, spawnChild } from "../child.ts";
import { writeConfiguration } from "./configuration.ts";
import { type BenchStorage, type Job, KNOBS, type Tool } from "./tool.ts";

/** walrust, one configuration file for all databases. `program`: its cli.js, started as a user's shell starts it. */
export function walrust(program: string): Tool {
  const spawn = (args: readonly string[], job?: Job): Child => {
    const env = job === undefined ? {} : environment(job.storage);
    return isExecutable(program)
      ? spawnChild(program, args, { env })
      : spawnChild(process.execPath, [program, ...args], { env });
  };
  return {
    name: "walrust",
    version: async () => (await spawn(["--version"]).exited).stdout.trim(),
    watch: (job) => spawn(["watch", "--config", configuration(job)], job),
    restore: (job, database, out) => {
      const args = ["restore", database.name, "-o", out, "--integrity-check", "none"];
      return spawn([...args, "--config", configuration(job)], job);
    },
    publications: (_, { name }) => `${name}/`,
  };
}

function environment(storage: BenchStorage): Record<string, string> {
  if (storage.kind === "folder") return {};
  return { AWS_ACCESS_KEY_ID: storage.accessKeyId, AWS_SECRET_ACCESS_KEY: storage.secretAccessKey };
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

function configuration(job: Job): string {
  const knobs = job.knobs ?? KNOBS;
  const lines = [
    "[s3]",
    ...address(job.storage).map(([key, value]) => `${key} = ${JSON.stringify(value)}`),
    "[sync]",
    `wal_sync_interval = ${knobs.syncIntervalSeconds}`,
    `checkpoint_interval = ${knobs.checkpointIntervalSeconds}`,
    `min_checkpoint_page_count = ${knobs.minCheckpointPages}`,
    `snapshot_interval = ${knobs.snapshotIntervalSeconds}`,
    "[log]",
    'level = "warn"',
    ...job.databases.flatMap((database) => [
      "[[databases]]",
      `path = ${JSON.stringify(database.path)}`,
      `prefix = ${JSON.stringify(database.name)}`,
    ]),
  ];
  return writeConfiguration(job.scratch, "walrust.toml", lines);
}

function address(storage: BenchStorage): readonly (readonly [string, string])[] {
  if (storage.kind === "folder") return [["bucket", pathToFileURL(storage.path).href]];
  return [
    ["bucket", `s3://${storage.bucket}`],
    ["endpoint", storage.endpoint],
    ["region", "us-east-1"],
  ];
}
