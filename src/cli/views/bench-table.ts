import { type Goal, goalOf, type Summary, type ToolSummary } from "../../bench/summary.ts";
import type { Measure } from "../../bench/workload.ts";
import { type Column, formatTable } from "../table.ts";

/** Medians with their range, how ours stands to the peer's, and the goals. */
export function summaryTable(summaries: readonly Summary[]): string {
  const tools = summaries[0]?.tools ?? [];
  const hasPeer = tools.length > 1;
  const hasGoals = summaries.some((summary) => goalOf(summary) !== undefined);
  const columns: readonly Column[] = [
    { title: "" },
    ...tools.map(({ tool }) => ({ title: tool.toUpperCase(), align: "right" }) as const),
    ...(hasPeer ? [{ title: "RATIO", align: "right" } as const] : []),
    ...(hasGoals ? [{ title: "GOAL" }] : []),
  ];
  const rows = summaries.map((summary) => [
    `${summary.measure.name}${summary.measure.unit && `, ${summary.measure.unit}`}`,
    ...summary.tools.map(figuresText),
    ...(hasPeer ? [summary.ratio === undefined ? "-" : `${figureText(summary.ratio)}x`] : []),
    ...(hasGoals ? [goalText(summary.measure, goalOf(summary))] : []),
  ]);
  return formatTable(columns, rows);
}

function figuresText({ median, least, most, values }: ToolSummary): string {
  const text = figureText(median);
  return values.length === 1 ? text : `${text} (${figureText(least)} to ${figureText(most)})`;
}

function goalText({ better }: Measure, goal: Goal | undefined): string {
  if (goal === undefined) return "";
  const bound = `${better === "more" ? "at least" : "at most"} ${figureText(goal.value)}${goal.of === "ratio" ? "x" : ""}`;
  return goal.isMet ? bound : `${bound}: MISSED`;
}

/** Three digits, or two below 1: what a measurement is worth. */
export function figureText(value: number): string {
  if (value === 0) return "0";
  if (value < 1) return String(Number(value.toPrecision(2)));
  return value.toFixed(value >= 100 ? 0 : value >= 10 ? 1 : 2);
}
