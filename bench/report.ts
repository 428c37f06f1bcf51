import { cpus, totalmem } from "node:os";
import { median } from "../src/bench/statistics.ts";
import type { Tool } from "../src/bench/tools/tool.ts";
import type { BenchOptions, Measure, Workload } from "../src/bench/workload.ts";

/** What one tool measured, run by run. */
export interface Result {
  readonly tool: string;
  readonly runs: Readonly<Record<string, number>>[];
}

export async function printKnobs(
  workload: Workload,
  tools: readonly Tool[],
  request: { readonly runs: number; readonly options: BenchOptions },
): Promise<void> {
  const versions = await Promise.all(tools.map(async (tool) => `${tool.name} ${await tool.version()}`));
  console.log(`${workload.id}: ${workload.title}`);
  console.log(`  ${versions.join(" beside ")}; Node ${process.version}`);
  console.log(`  ${cpus().length} x ${cpus()[0]?.model ?? "unknown"}, ${(totalmem() / 1e9).toFixed(0)} GB`);
  for (const knob of workload.knobs(request.options)) console.log(`  ${knob}`);
  console.log(`  ${request.runs} runs, alternating; median (least to most)\n`);
}

/** Medians with the range, and how the first tool stands to the second. */
export function resultTable(measures: readonly Measure[], results: readonly Result[]): string {
  const [first, second] = results;
  const rows = measures.map((measure) => {
    const cells = results.map((result) => cell(valuesOf(result, measure)));
    const ratio = first && second ? ratioOf(measure, first, second) : "";
    return [`${measure.name}${measure.unit && `, ${measure.unit}`}`, ...cells, ratio];
  });
  const head = ["", ...results.map((result) => result.tool), second ? "ratio" : ""];
  const table = [head, ...rows];
  const widths = head.map((_, column) => Math.max(...table.map((row) => row[column]?.length ?? 0)));
  return table
    .map((row) =>
      row
        .map((text, column) =>
          column === 0 ? text.padEnd(widths[0] ?? 0) : text.padStart(widths[column] ?? 0),
        )
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}

export function resultJson(
  workload: Workload,
  measures: readonly Measure[],
  results: readonly Result[],
): string {
  const medians = results.map((result) => [
    result.tool,
    Object.fromEntries(measures.map((measure) => [measure.name, median(valuesOf(result, measure))])),
  ]);
  const document = { id: workload.id, measures, medians: Object.fromEntries(medians), runs: results };
  return JSON.stringify(document, undefined, 2);
}

function valuesOf(result: Result, measure: Measure): number[] {
  return result.runs.map((run) => {
    const value = run[measure.name];
    if (value === undefined) throw new Error(`${result.tool} did not measure ${measure.name}`);
    return value;
  });
}

function cell(values: readonly number[]): string {
  return `${shown(median(values))} (${shown(Math.min(...values))} to ${shown(Math.max(...values))})`;
}

function ratioOf(measure: Measure, first: Result, second: Result): string {
  const other = median(valuesOf(second, measure));
  return other === 0 ? "-" : `${shown(median(valuesOf(first, measure)) / other)}x`;
}

function shown(value: number): string {
  return value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2);
}
