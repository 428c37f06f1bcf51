import { join } from "node:path";
import { WalrustError } from "../../errors.ts";
import { spawnChild } from "../child.ts";
import { writeConfiguration } from "./configuration.ts";
import { type BenchStorage, type Job, KNOBS, type Tool } from "./tool.ts";

/** Longer than any run. */
const NEVER = "720h";

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
  };
}

/** The tool, if its program is there and can be measured. Errors: USAGE. */
export async function findLitestream(program: string): Promise<Tool> {
  const tool = litestream(program);
  const version = await tool.version().catch((cause: unknown) => {
    const { code } = cause as NodeJS.ErrnoException;
    const why = code === "ENOENT" ? "there is no such program" : String(code ?? cause);
    throw new WalrustError("USAGE", `${program} cannot be started: ${why}`, {
      cause,
      hint: "Litestream 0.5 is needed: on PATH, or give the path of its program.",
    });
  });
  if (version === "") throw new WalrustError("USAGE", `${program} is not Litestream: it tells no version`);
  if (/^v?0\.[0-4]\./.test(version)) {
    throw new WalrustError("USAGE", `${program} is Litestream ${version}: its copies are of another kind`, {
      hint: "Litestream 0.5 or newer is needed.",
    });
  }
  return tool;
}

function configuration(job: Job): string {
  const knobs = job.knobs ?? KNOBS;
  const databases = job.databases.flatMap((database) => [
    `  - path: ${JSON.stringify(database.path)}`,
    `    monitor-interval: ${knobs.syncIntervalSeconds}s`,
    `    checkpoint-interval: ${knobs.checkpointIntervalSeconds}s`,
    `    min-checkpoint-page-count: ${knobs.minCheckpointPages}`,
    "    replica:",
    ...replica(job.storage, database.name).map(([key, value]) => `      ${key}: ${JSON.stringify(value)}`),
    `      sync-interval: ${knobs.syncIntervalSeconds}s`,
  ]);
  const lines = [
    "logging:",
    "  level: warn",
    "snapshot:",
    `  interval: ${knobs.snapshotIntervalSeconds}s`,
    ...(knobs.merges ? [] : [`levels: [{interval: ${NEVER}}]`]),
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
