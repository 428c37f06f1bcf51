import type { ToolRuns } from "./run-alternating.ts";
import { median } from "./statistics.ts";
import type { BenchOptions, Measure, Workload } from "./workload.ts";

/** What all runs say about one measure. */
export interface Summary {
  readonly measure: Measure;
  /** In the order of the tools: the first one is ours. */
  readonly tools: readonly ToolSummary[];
  /** Our median by the peer's; undefined without a peer, and where its median is 0. */
  readonly ratio: number | undefined;
}

export interface ToolSummary {
  readonly tool: string;
  readonly median: number;
  readonly least: number;
  readonly most: number;
  /** Run by run. */
  readonly values: readonly number[];
}

/** What our median, or its ratio to the peer's, is held against. */
export interface Goal {
  readonly of: "median" | "ratio";
  readonly value: number;
  readonly reached: number;
  readonly isMet: boolean;
}

/** The measures that this machine can take. */
export function measuresOn(
  workload: Workload,
  options: BenchOptions,
  { hasProc }: { readonly hasProc: boolean },
): readonly Measure[] {
  return workload.measures(options).filter((measure) => hasProc || measure.needsProc !== true);
}

export function summarize(measures: readonly Measure[], results: readonly ToolRuns[]): readonly Summary[] {
  return measures.map((measure) => {
    const tools = results.map((result) => summaryOf(result, measure));
    const [ours, peer] = tools;
    const ratio = ours && peer && peer.median !== 0 ? ours.median / peer.median : undefined;
    return { measure, tools, ratio };
  });
}

/** Goals are ours: no figure of the peer is held against one. Undefined where the measure has none. */
export function goalOf({ measure, tools: [ours], ratio }: Summary): Goal | undefined {
  const { goal, goalRatio, better } = measure;
  const held = (of: Goal["of"], value: number, reached: number): Goal => {
    return { of, value, reached, isMet: better === "more" ? reached >= value : reached <= value };
  };
  if (goalRatio !== undefined && ratio !== undefined) return held("ratio", goalRatio, ratio);
  return goal === undefined || ours === undefined ? undefined : held("median", goal, ours.median);
}

function summaryOf({ tool, runs }: ToolRuns, measure: Measure): ToolSummary {
  const values = runs.map((run) => {
    const value = run[measure.name];
    if (value === undefined || Number.isNaN(value))
      throw new Error(`${tool} did not measure ${measure.name}`);
    return value;
  });
  return { tool, median: median(values), least: Math.min(...values), most: Math.max(...values), values };
}
