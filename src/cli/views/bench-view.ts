import type { Machine } from "../../bench/machine.ts";
import type { Outcome } from "../../bench/outcome.ts";
import { type Goal, goalOf, type Summary } from "../../bench/summary.ts";
import type { BenchOptions, Measure } from "../../bench/workload.ts";
import { humanSize } from "../../observability/human.ts";
import { figureText, summaryTable } from "./bench-table.ts";

/** What all workloads of a `bench` share. */
export interface BenchFacts {
  readonly machine: Machine;
  readonly folder: string;
  readonly runs: number;
  readonly tools: readonly { readonly name: string; readonly version: string }[];
  /** Memory and CPU of processes can be measured. */
  readonly hasProc: boolean;
}

/** 1: a run is void, ours or the peer's, or with `assert` a goal is missed. */
export function benchExitCode(
  outcomes: readonly Outcome[],
  { assert }: { readonly assert: boolean },
): number {
  const isVoid = outcomes.some(
    (one) => one.state === "void" || (one.state === "measured" && one.voidPeers.length > 0),
  );
  return isVoid || (assert && missesOf(outcomes).length > 0) ? 1 : 0;
}

interface Miss {
  readonly workload: string;
  readonly measure: Measure;
  readonly goal: Goal;
}

function missesOf(outcomes: readonly Outcome[]): readonly Miss[] {
  return outcomes.flatMap((outcome) => {
    if (outcome.state !== "measured") return [];
    return outcome.summaries.flatMap((summary) => {
      const goal = goalOf(summary);
      return goal === undefined || goal.isMet
        ? []
        : [{ workload: outcome.workload.name ?? "", measure: summary.measure, goal }];
    });
  });
}

export function benchHead({ machine, folder, runs, tools, hasProc }: BenchFacts): string {
  const { processor, cores, memoryBytes, platform, arch, node } = machine;
  return [
    `${tools.map(({ name, version }) => `${name} ${version}`).join(" beside ")}, Node ${node}`,
    `${cores} x ${processor}, ${humanSize(memoryBytes)}, ${platform} ${arch}`,
    `files in ${folder}; ${runs === 1 ? "one run" : `${runs} runs: median (least to most)`}`,
    ...(hasProc ? [] : ["no figures of memory and CPU: they are read from /proc, which only Linux has"]),
  ].join("\n");
}

export function outcomeText(outcome: Outcome, options: BenchOptions): string {
  const { workload } = outcome;
  const title = `${workload.name}: ${workload.title}`;
  if (outcome.state !== "measured") {
    const what = outcome.state === "void" ? "VOID, no figures" : "not measured";
    return `${title}\n  ${what}: ${outcome.reason}`;
  }
  return [
    title,
    ...workload.knobs(options).map((knob) => `  ${knob}`),
    ...outcome.voidPeers.map(({ tool, reason }) => `  ${tool} is VOID, no figures of it: ${reason}`),
    "",
    summaryTable(outcome.summaries),
  ].join("\n");
}

/** The last words: goals that were missed, and by how much. */
export function verdictText(outcomes: readonly Outcome[]): string {
  const misses = missesOf(outcomes);
  const measured = outcomes.flatMap((outcome) => (outcome.state === "measured" ? outcome.summaries : []));
  const goals = measured.filter((summary) => goalOf(summary) !== undefined).length;
  return [
    ...(goals === 0 ? ["no goals"] : [`goals: ${goals - misses.length} of ${goals} reached`]),
    ...misses.map(missText),
  ].join("\n");
}

/** `missed: snapshot, peak RSS: 107 MB, the goal is at most 100 (7 % above)` */
function missText({ workload, measure, goal }: Miss): string {
  const { of, value, reached } = goal;
  const unit = of === "ratio" ? "x the peer's" : measure.unit;
  const share = figureText(Math.abs(reached / value - 1) * 100);
  const side = measure.better === "more" ? "below" : "above";
  const bound = `${measure.better === "more" ? "at least" : "at most"} ${figureText(value)}`;
  return `missed: ${workload}, ${measure.name}: ${`${figureText(reached)} ${unit}`.trim()}, the goal is ${bound} (${share} % ${side})`;
}

/** `bench --json`. Figures are in the unit of their measure, memory is bytes. The keys are stable: users parse them. */
export function benchDocument(facts: BenchFacts, outcomes: readonly Outcome[], options: BenchOptions) {
  const { platform, arch, processor, cores, memoryBytes, node } = facts.machine;
  return {
    machine: { platform, arch, processor, cores, memory: memoryBytes, node },
    folder: facts.folder,
    runs: facts.runs,
    tools: facts.tools,
    workloads: outcomes.map((outcome) => outcomeDocument(outcome, options)),
    missed: missesOf(outcomes).map(({ workload, measure, goal }) => ({
      workload,
      measure: measure.name,
      of: goal.of,
      goal: goal.value,
      reached: goal.reached,
    })),
  };
}

function outcomeDocument(outcome: Outcome, options: BenchOptions) {
  const { workload, state } = outcome;
  const isMeasured = state === "measured";
  return {
    name: workload.name ?? null,
    id: workload.id,
    title: workload.title,
    state: state.replace(" ", "_"),
    reason: isMeasured ? null : outcome.reason,
    void_peers: isMeasured ? outcome.voidPeers : [],
    knobs: workload.knobs(options),
    measures: isMeasured ? outcome.summaries.map(summaryDocument) : [],
  };
}

function summaryDocument(summary: Summary) {
  const { measure, tools, ratio } = summary;
  const goal = goalOf(summary);
  return {
    name: measure.name,
    unit: measure.unit,
    better: measure.better,
    goal: goal === undefined ? null : { of: goal.of, value: goal.value, met: goal.isMet },
    ratio: ratio ?? null,
    tools: tools.map(({ tool, median, least, most, values }) => ({ tool, median, least, most, values })),
  };
}
