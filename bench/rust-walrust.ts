import { type Child, spawnChild } from "../src/bench/child.ts";
import { writeConfiguration } from "../src/bench/tools/configuration.ts";
import { type BenchStorage, type Job, KNOBS, type Tool } from "../src/bench/tools/tool.ts";
import { VoidRun } from "../src/bench/workload.ts";

export const RUST_WALRUST = "rust-walrust";

/** The program of the same name in Rust, 0.7: S3 only. `program`: its path. */
export function rustWalrust(program: string): Tool {
  return {
    name: RUST_WALRUST,
    version: async () => {
      const { stdout } = await spawnChild(program, ["--version"]).exited;
      return stdout.trim().replace(/^walrust /, "");
    },
    watch: (job) => start(program, ["watch", "--config", configuration(job), "--no-metrics"], job.storage),
    restore: (job, database, out) => {
      const { address, endpoint } = s3Of(job.storage);
      const args = ["restore", database.name, "-o", out, "-b", address, "--endpoint", endpoint];
      return start(program, args, job.storage);
    },
    // Its first snapshot; incrementals lie beside it, in 0000.
    publications: (_, { name }) => `${name}/0001/`,
  };
}

/** It says on stdout what went wrong; the harness reads stderr. */
function start(program: string, args: readonly string[], storage: BenchStorage): Child {
  return spawnChild("sh", ["-c", 'exec "$0" "$@" >&2', program, ...args], { env: environment(storage) });
}

function configuration(job: Job): string {
  const knobs = job.knobs ?? KNOBS;
  const { address, endpoint } = s3Of(job.storage);
  const lines = [
    "[s3]",
    `bucket = ${JSON.stringify(address)}`,
    `endpoint = ${JSON.stringify(endpoint)}`,
    "[sync]",
    `wal_sync_interval = ${knobs.syncIntervalSeconds}`,
    `checkpoint_interval = ${knobs.checkpointIntervalSeconds}`,
    `min_checkpoint_page_count = ${knobs.minCheckpointPages}`,
    `snapshot_interval = ${knobs.snapshotIntervalSeconds}`,
    ...job.databases.flatMap((database) => [
      "[[databases]]",
      `path = ${JSON.stringify(database.path)}`,
      `prefix = ${JSON.stringify(database.name)}`,
    ]),
  ];
  return writeConfiguration(job.scratch, "rust-walrust.toml", lines);
}

function s3Of(storage: BenchStorage): { readonly address: string; readonly endpoint: string } {
  if (storage.kind === "folder") throw new VoidRun("it knows no folder as storage");
  return { address: `s3://${storage.bucket}`, endpoint: storage.endpoint };
}

function environment(storage: BenchStorage): Record<string, string> {
  if (storage.kind === "folder") return {};
  return {
    AWS_ACCESS_KEY_ID: storage.accessKeyId,
    AWS_SECRET_ACCESS_KEY: storage.secretAccessKey,
    AWS_REGION: "us-east-1",
    // Bodies without trailers: not every server takes those.
    AWS_REQUEST_CHECKSUM_CALCULATION: "when_required",
    RUST_LOG: "warn",
    NO_COLOR: "1",
  };
}
