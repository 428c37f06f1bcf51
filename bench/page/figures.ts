import { type Goal, goalOf, summarize, type ToolSummary } from "../../src/bench/summary.ts";
import type { Measure } from "../../src/bench/workload.ts";
import type { SavedResult } from "../saved-result.ts";

/** The peer that the goals are about. */
export const PEER = "litestream";

/** One measure, and what each tool has for it. */
export interface Row {
  readonly result: SavedResult;
  readonly measure: Measure;
  readonly ours: ToolSummary;
  /** By the tool's name; one that did not take part is missing. */
  readonly peers: ReadonlyMap<string, ToolSummary | "void">;
  /** Ours by the peer's; undefined where the peer has no figure, and where it is 0. */
  readonly ratio: number | undefined;
  readonly goal: Goal | undefined;
}

export function rowsOf(result: SavedResult): readonly Row[] {
  const counted = result.tools.flatMap((tool) =>
    "void" in tool ? [] : [{ tool: tool.name, runs: tool.runs }],
  );
  return summarize(result.measures, counted).map((summary) => {
    const { measure, tools } = summary;
    const [ours, ...others] = tools;
    if (ours === undefined) throw new Error(`${result.id}: nothing counts`);
    const found = new Map(others.map((other) => [other.tool, other]));
    const peers = result.tools.slice(1).map(({ name }) => [name, found.get(name) ?? "void"] as const);
    const ratio = others[0]?.tool === PEER ? summary.ratio : undefined;
    return { result, measure, ours, peers: new Map(peers), ratio, goal: goalOf({ measure, tools, ratio }) };
  });
}

/** How many times better than the peer's, whatever direction is better. */
export function timesBetter({ measure, ratio }: Row): number | undefined {
  if (ratio === undefined || ratio === 0) return undefined;
  return measure.better === "more" ? ratio : 1 / ratio;
}
