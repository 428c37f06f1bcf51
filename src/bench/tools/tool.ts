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
}

/** What both tools are given alike. */
export interface Job {
  readonly databases: readonly BenchDatabase[];
  readonly storage: BenchStorage;
  /** For configuration files. */
  readonly scratch: string;
  /** KNOBS if not given. */
  readonly knobs?: Knobs;
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

export interface Knobs {
  readonly syncIntervalSeconds: number;
  readonly checkpointIntervalSeconds: number;
  readonly minCheckpointPages: number;
  readonly snapshotIntervalSeconds: number;
  /** False: incrementals stay as they were published. True: as each tool has it by itself (Litestream merges after 30 s, walrust not at all). */
  readonly merges: boolean;
}

/** The defaults that both tools share, written out. */
export const KNOBS: Knobs = {
  syncIntervalSeconds: 1,
  checkpointIntervalSeconds: 60,
  minCheckpointPages: 1000,
  snapshotIntervalSeconds: 3600,
  merges: true,
};

export const KNOBS_TEXT: readonly string[] = knobsText(KNOBS);

export function knobsText(knobs: Knobs): readonly string[] {
  return [
    `sync interval ${knobs.syncIntervalSeconds} s`,
    `checkpoint interval ${knobs.checkpointIntervalSeconds} s or ${knobs.minCheckpointPages} pages`,
    `snapshot interval ${knobs.snapshotIntervalSeconds} s`,
    ...(knobs.merges ? [] : ["merging of incrementals off"]),
  ];
}
