import type { Tool } from "./tools/tool.ts";
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
  /** What `--assert` holds the median against. */
  readonly goal?: number;
}

/** What a run may use besides the tool. */
export interface Bench {
  /** Empty, of this run alone, and gone after it. */
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
  /** How long the writers of L2 and the idle watch of I1 go on. */
  readonly seconds: number;
  /** Lone commits of L1. */
  readonly commits: number;
  /** Numbers of databases of M1. */
  readonly sizes: readonly number[];
  /** Number of databases of I1. */
  readonly databases: number;
}

export class VoidRun extends Error {
  override readonly name = "VoidRun";
}
