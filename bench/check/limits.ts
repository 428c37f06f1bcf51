import type { ToolRuns, Values } from "../../src/bench/run-alternating.ts";
import { median } from "../../src/bench/statistics.ts";
import type { BenchOptions, Workload } from "../../src/bench/workload.ts";
import { L4 } from "../compare/L4.ts";
import { PEER } from "../page/figures.ts";
import { CODEC } from "./codec.ts";
import { FIRST_COPY } from "./first-copy.ts";
import { IDLE } from "./idle.ts";

/** A ratio or a count that is the same on every machine, and what it must not pass: a regression of a factor does, noise does not. */
export interface Limit {
  readonly what: string;
  /** Of one run of ours and one of the peer. */
  readonly of: (ours: Values, peer: Values) => number;
  readonly bound: "at most" | "at least";
  readonly value: number;
}

export interface Check {
  readonly workload: Workload;
  readonly runs: number;
  readonly options: Partial<BenchOptions>;
  readonly limits: readonly Limit[];
}

const beside = (name: string) => (ours: Values, peer: Values) => figure(ours, name) / figure(peer, name);
const own = (name: string) => (ours: Values) => figure(ours, name);
const byMd5 = (name: string) => (ours: Values) => figure(ours, name) / figure(ours, "MD5");

/**
 * Found on two cores with a load of 4 to 30: memory 1.00 to 1.12 and 0.37 to 0.49, CPU while idle 0.014 to 0.058, requests 0, and 8.0 to 8.1 for a
 * first copy (4 runs); CPU of a first copy 0.6 to 1.4, bytes 0.68 (19 runs); encode 0.34 to 0.42, decode 0.98 to 1.49, scan 3.8 to 6.6 (13 runs).
 * Of an application's checkpoints all succeed, and less than 90 of 100 where nobody looks out for them for as long as a sync interval.
 */
export const CHECKS: readonly Check[] = [
  {
    workload: IDLE,
    runs: 1,
    options: { sizes: [100, 500], seconds: 10 },
    limits: [
      {
        what: "memory at 100 idle databases, by Litestream's",
        of: beside("RSS, 100"),
        bound: "at most",
        value: 1.3,
      },
      {
        what: "memory at 500 idle databases, by Litestream's",
        of: beside("RSS, 500"),
        bound: "at most",
        value: 0.6,
      },
      {
        what: "CPU at 500 idle databases, by Litestream's",
        of: beside("CPU, 500"),
        bound: "at most",
        value: 0.2,
      },
      {
        what: "requests in 10 s at 500 idle databases",
        of: own("requests, 500"),
        bound: "at most",
        value: 0,
      },
      {
        what: "requests for a first copy, each database",
        of: own("requests of first copies, 500"),
        bound: "at most",
        value: 8.7,
      },
    ],
  },
  {
    workload: FIRST_COPY,
    runs: 3,
    options: { megabytes: 50 },
    limits: [
      {
        what: "CPU of a first copy of 50 MB, by Litestream's",
        of: beside("CPU"),
        bound: "at most",
        value: 1.8,
      },
      {
        what: "bytes stored of 50 MB, by bytes",
        of: own("stored / database"),
        bound: "at most",
        value: 0.72,
      },
    ],
  },
  {
    workload: { ...L4, compares: false },
    runs: 1,
    options: { checkpoints: 30 },
    limits: [
      {
        what: "an application's own checkpoints that succeed, %",
        of: own("succeed"),
        bound: "at least",
        value: 90,
      },
    ],
  },
  {
    workload: CODEC,
    runs: 3,
    options: { codecMegabytes: 16 },
    limits: [
      { what: "LTX encode, by MD5", of: byMd5("LTX encode"), bound: "at least", value: 0.22 },
      {
        what: "LTX decode and verify, by MD5",
        of: byMd5("LTX decode and verify"),
        bound: "at least",
        value: 0.7,
      },
      { what: "WAL scan, by MD5", of: byMd5("WAL scan"), bound: "at least", value: 2.5 },
    ],
  },
];

export interface Verdict {
  readonly limit: Limit;
  /** Of each pair of runs. */
  readonly found: readonly number[];
  readonly median: number;
  readonly holds: boolean;
}

/** @param results ours first */
export function verdictsOf(limits: readonly Limit[], results: readonly ToolRuns[]): readonly Verdict[] {
  const [ours, ...others] = results;
  if (ours === undefined) throw new Error("nothing was measured");
  const peer = others.find(({ tool }) => tool === PEER);
  return limits.map((limit) => {
    const found = ours.runs.map((values, run) => limit.of(values, peer?.runs[run] ?? {}));
    const middle = median(found);
    const holds = limit.bound === "at most" ? middle <= limit.value : middle >= limit.value;
    return { limit, found, median: middle, holds };
  });
}

function figure(values: Values, name: string): number {
  const value = values[name];
  if (value === undefined) throw new Error(`${name} was not measured`);
  return value;
}
