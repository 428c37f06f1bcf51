import type { Child } from "../child.ts";

/** A program that copies live databases into a folder: walrust, or the one that it is measured against. */
export interface Tool {
  readonly name: string;
  version(): Promise<string>;
  /** Starts the daemon. Whoever calls ends it. */
  watch(job: Job): Child;
  /** Restores the latest state of `database` to `out`; SQLite's own check is left to the harness. */
  restore(job: Job, database: BenchDatabase, out: string): Child;
  /** Where in storage every publication of `database` appears, as an object that ends in `.ltx`: the start of its keys, with a slash. */
  publications(storage: BenchStorage["kind"], database: BenchDatabase): string;
  /** The path that an object with this key on S3 has where the storage is a folder. */
  folderPath(key: string): string;
}

/** What both tools are given alike. */
export interface Job {
  readonly databases: readonly BenchDatabase[];
  readonly storage: BenchStorage;
  /** For configuration files. */
  readonly scratch: string;
}

export type BenchStorage =
  | { readonly kind: "folder"; readonly path: string }
  | {
      readonly kind: "s3";
      readonly endpoint: string;
      readonly bucket: string;
      readonly accessKeyId: string;
      readonly secretAccessKey: string;
    };

export interface BenchDatabase {
  readonly name: string;
  readonly path: string;
}

/** Knobs of both tools: the defaults that they share, written out. */
export const KNOBS = {
  syncIntervalSeconds: 1,
  checkpointIntervalSeconds: 60,
  minCheckpointPages: 1000,
  snapshotIntervalSeconds: 3600,
} as const;

export const KNOBS_TEXT = [
  `sync interval ${KNOBS.syncIntervalSeconds} s`,
  `checkpoint interval ${KNOBS.checkpointIntervalSeconds} s or ${KNOBS.minCheckpointPages} pages`,
  `snapshot interval ${KNOBS.snapshotIntervalSeconds} s`,
] as const;
