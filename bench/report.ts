import type { Machine } from "../src/bench/machine.ts";
import type { Outcome } from "../src/bench/outcome.ts";
import type { BenchOptions, Workload } from "../src/bench/workload.ts";
import { summaryTable } from "../src/cli/views/bench-table.ts";
import { humanSize } from "../src/observability/human.ts";
import type { Contender } from "./contenders.ts";

/** What will be measured: the first lines of every workload. */
export function planText(
  workload: Workload,
  contenders: readonly Contender[],
  request: { readonly runs: number; readonly options: BenchOptions; readonly machine: Machine },
): string {
  const { node, cores, processor, memoryBytes } = request.machine;
  const programs = contenders.map(({ tool, version }) => `${tool.name} ${version}`);
  return [
    "",
    `${workload.id}: ${workload.title}`,
    `  ${programs.join(" beside ")}; Node ${node}`,
    `  ${cores} x ${processor}, ${humanSize(memoryBytes)}`,
    ...workload.knobs(request.options).map((knob) => `  ${knob}`),
    `  ${request.runs} runs, alternating; median (least to most)`,
    "",
  ].join("\n");
}

/** Medians with the range, and how ours stand to those of the peer; or why there are none. */
export function outcomeText(outcome: Outcome): string {
  if (outcome.state !== "measured") return `${outcome.state}: ${outcome.reason}`;
  const voids = outcome.voidPeers.map(({ tool, reason }) => `${tool} is void: ${reason}`);
  return [summaryTable(outcome.summaries), ...voids].join("\n");
}
