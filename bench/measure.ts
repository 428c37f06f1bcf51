import { loadavg, tmpdir } from "node:os";
import { thisMachine } from "../src/bench/machine.ts";
import { measure, type Outcome } from "../src/bench/outcome.ts";
import type { BenchOptions, Workload } from "../src/bench/workload.ts";
import type { Writer } from "../src/bench/writer.ts";
import type { Contender } from "./contenders.ts";
import type { MeasuredTool, SavedResult } from "./saved-result.ts";

const REASON_LENGTH = 300;

export interface Measuring {
  readonly runs: number;
  readonly options: BenchOptions;
  readonly writer: Writer;
  /** What makes this result again. */
  readonly command: string;
  /** Told each run as it ends, in one line. */
  readonly tell: (line: string) => void;
}

export type Measured =
  | { readonly outcome: Extract<Outcome, { state: "measured" }>; readonly result: SavedResult }
  | { readonly outcome: Exclude<Outcome, { state: "measured" }> };

/** Runs a workload with all contenders, ours first, and writes down all that the page says of it. */
export async function measureForPage(
  workload: Workload,
  contenders: readonly Contender[],
  { runs, options, writer, command, tell }: Measuring,
): Promise<Measured> {
  const loadBefore = loadavg()[0] ?? 0;
  const begunMs = performance.now();
  const tools = contenders.map(({ tool }) => tool);
  const outcome = await measure(workload, tools, {
    runs,
    options,
    writer,
    folder: tmpdir(),
    onValues: (tool, run, values) => {
      const shown = Object.entries(values).map(([name, value]) => `${name} ${value.toFixed(2)}`);
      tell(`run ${run + 1}/${runs} ${tool}: ${shown.join(", ")}`);
    },
  });
  if (outcome.state !== "measured") return { outcome };
  const result: SavedResult = {
    id: workload.id,
    title: workload.title,
    command,
    measuredAt: new Date().toISOString(),
    tookSeconds: Math.round((performance.now() - begunMs) / 1000),
    machine: thisMachine(),
    loadBefore,
    knobs: workload.knobs(options),
    measures: outcome.summaries.map((summary) => summary.measure),
    tools: contenders.flatMap((contender) => measuredTool(contender, outcome)),
  };
  return { outcome, result };
}

/** None of a tool that the workload cannot be measured with. */
function measuredTool(
  { tool: { name }, version }: Contender,
  { summaries, voidPeers }: Extract<Outcome, { state: "measured" }>,
): readonly MeasuredTool[] {
  const voided = voidPeers.find(({ tool }) => tool === name);
  if (voided !== undefined) return [{ name, version, void: oneLine(voided.reason) }];
  const columns = summaries.flatMap(({ measure, tools }) => {
    const summary = tools.find(({ tool }) => tool === name);
    return summary === undefined ? [] : [{ measure: measure.name, values: summary.values }];
  });
  const runs = columns[0]?.values.map((_, run) =>
    Object.fromEntries(columns.map(({ measure, values }) => [measure, values[run] as number])),
  );
  return runs === undefined ? [] : [{ name, version, runs }];
}

/** What a program said may have many lines: the first words tell. */
function oneLine(reason: string): string {
  const line = reason.replaceAll(/\s+/g, " ");
  return line.length <= REASON_LENGTH ? line : `${line.slice(0, REASON_LENGTH)}...`;
}
