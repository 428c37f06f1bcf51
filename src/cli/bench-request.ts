import { type BenchOptions, DEFAULT_OPTIONS, type Workload } from "../bench/workload.ts";
import { WORKLOADS } from "../bench/workloads/index.ts";
import { didYouMean } from "../config/near-miss.ts";
import { WalrustError } from "../errors.ts";
import { wholeNumber } from "./flag-values.ts";

/** What the command line of `walrust bench` says. */
export interface BenchFlags {
  readonly workloads: readonly string[];
  readonly runs: string;
  readonly databases: string;
  readonly megabytes: string;
  readonly seconds: string;
  readonly commits: string;
}

export interface BenchRequest {
  /** In the order in which all are measured, each once. */
  readonly workloads: readonly Workload[];
  readonly runs: number;
  readonly options: BenchOptions;
}

/** Errors: USAGE. */
export function benchRequest(flags: BenchFlags): BenchRequest {
  const names = flags.workloads.map(checkedName);
  const megabytes = number("--megabytes", flags.megabytes, 100_000);
  return {
    workloads: WORKLOADS.filter(({ name = "" }) => names.length === 0 || names.includes(name)),
    runs: number("--runs", flags.runs, 100),
    options: {
      ...DEFAULT_OPTIONS,
      sizes: flags.databases.split(",").map((size) => number("--databases", size, 10_000)),
      megabytes,
      codecMegabytes: Math.min(megabytes, DEFAULT_OPTIONS.codecMegabytes), // all of it is held in memory
      seconds: number("--seconds", flags.seconds, 3600),
      commits: number("--commits", flags.commits, 1000),
    },
  };
}

function checkedName(name: string): string {
  const known = WORKLOADS.flatMap((workload) => workload.name ?? []);
  if (known.includes(name)) return name;
  throw new WalrustError("USAGE", `bench: unknown workload ${name}${didYouMean(name, known)}`, {
    hint: `There are ${known.join(", ")}.`,
  });
}

function number(flag: string, text: string, most: number): number {
  return wholeNumber(flag, text, { least: 1, most });
}
