import type { Workload } from "../src/bench/workload.ts";
import type { SavedResult } from "./saved-result.ts";

/** A run of all tools, where nothing is known: most workloads take less, those of hundreds of databases more. */
const GUESS_SECONDS = 90;

/** How long measuring will take, by what it took before; sizes and machine may differ. */
export function estimateText(
  workloads: readonly Workload[],
  runs: number,
  before: readonly SavedResult[],
): string {
  const known = workloads.flatMap(({ id }) => before.filter((result) => result.id === id));
  const unknown = workloads.length - known.length;
  const seconds = known.reduce((sum, result) => sum + secondsOfARun(result), unknown * GUESS_SECONDS);
  const minutes = `about ${Math.max(1, Math.round((seconds * runs) / 60))} min`;
  return unknown === 0
    ? `${minutes}, as bench/results took it`
    : `${minutes}; ${unknown} of ${workloads.length} were never measured and count ${GUESS_SECONDS} s a run`;
}

function secondsOfARun({ tookSeconds, tools }: SavedResult): number {
  return tookSeconds / Math.max(1, ...tools.map((tool) => ("runs" in tool ? tool.runs.length : 1)));
}
