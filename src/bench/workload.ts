import type { Tool } from "./tools/tool.ts";
import { NoHope } from "./until.ts";
import type { Writer } from "./writer.ts";

/** One measured path of the table of goals: what is done with a tool, and what comes out. */
export interface Workload {
  /** Of the table of goals. */
  readonly id: string;
  /** What `walrust bench NAME` calls it; undefined: only the comparisons of this repository measure it. */
  readonly name?: string;
  readonly title: string;
  /** Other tools can be measured in the same way. */
  readonly compares: boolean;
  /** Where the copies go; undefined: a folder. Peers that know no folder are measured with S3 alone. */
  readonly storage?: "s3";
  /** Its files stay until the last run is done: for some minutes ext4 makes new ones slowly where thousands were deleted, which no user does. */
  readonly keepsFiles?: true;
  /** What both tools are given alike; printed above the results. */
  knobs(options: BenchOptions): readonly string[];
  /** Rows of the result, in the order of the table. */
  measures(options: BenchOptions): readonly Measure[];
  /**
   * One run. Throws VoidRun when what was restored is not what was written: such a run has no figures.
   * @returns one value for each measure, by its name
   */
  run(tool: Tool, bench: Bench): Promise<Readonly<Record<string, number>>>;
}

export interface Measure {
  readonly name: string;
  readonly unit: string;
  readonly better: "more" | "less";
  /** What `--assert` holds the median against: one of the project, the same on every machine. */
  readonly goal?: number;
  /** Our median by Litestream's: decides instead of `goal` where both were measured in one run. */
  readonly goalRatio?: number;
  /** Comes out of /proc (process-tree.ts): left out on a machine without it. */
  readonly needsProc?: true;
}

/** What a run may use besides the tool. */
export interface Bench {
  /** Empty, of this run alone, and gone after it, or after the last one (`keepsFiles`). */
  readonly scratch: string;
  /** Counts from 0. */
  readonly run: number;
  readonly options: BenchOptions;
  readonly writer: Writer;
}

export interface BenchOptions {
  /** Size of the large database of S1, R1 and Q1. */
  readonly megabytes: number;
  /** Size of the database of C1. */
  readonly codecMegabytes: number;
  /** How long the writers of L2, L1-many, M2 and T1, and the idle watch of I1 and M4 go on. */
  readonly seconds: number;
  /** Lone commits of L1. */
  readonly commits: number;
  /** Numbers of databases of M1. */
  readonly sizes: readonly number[];
  /** Number of databases of I1, U1, M2 and T1. */
  readonly databases: number;
  /** The program of SeaweedFS, for what is measured on a real S3 server. */
  readonly weed?: string | undefined;
  /** Numbers of incrementals of R1-increments, ascending. */
  readonly increments: readonly number[];
  /** Sizes of the databases of M3. */
  readonly largeMegabytes: readonly number[];
  /** The large transaction of M3, and the large database of L3. */
  readonly giantMegabytes: number;
  /** How long storage is away in M3. */
  readonly outageSeconds: number;
  /** How long storage is away in L5. */
  readonly awaySeconds: number;
  /** The application's own checkpoints of L4. */
  readonly checkpoints: number;
  /** The smaller number of databases of M2, and that of L1-many and L3. */
  readonly fewerDatabases: number;
  /** Commits a second over all databases of M2 and T1. */
  readonly rate: number;
  /** Commits a second over all databases of L1-many and L3. */
  readonly calmRate: number;
  /** Commits a second and database of the second part of T1. */
  readonly busyRate: number;
  /** How long that goes on. */
  readonly busySeconds: number;
  /** Databases of M4. */
  readonly parkedDatabases: number;
}

export const DEFAULT_OPTIONS: BenchOptions = {
  megabytes: 200,
  codecMegabytes: 64,
  seconds: 20,
  commits: 20,
  sizes: [1, 10, 100, 500],
  databases: 500,
  increments: [600, 3600],
  largeMegabytes: [200, 2000],
  giantMegabytes: 1000,
  outageSeconds: 60,
  awaySeconds: 15,
  checkpoints: 50,
  fewerDatabases: 100,
  rate: 1000,
  calmRate: 27,
  busyRate: 20,
  busySeconds: 60,
  parkedDatabases: 10_000,
};

/** A run that does not count: it has no figures. Nothing is waited for any longer. */
export class VoidRun extends NoHope {
  override readonly name = "VoidRun";
}
