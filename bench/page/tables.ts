import type { ToolSummary } from "../../src/bench/summary.ts";
import type { Measure } from "../../src/bench/workload.ts";
import { figureText } from "../../src/cli/views/bench-table.ts";
import type { SavedResult } from "../saved-result.ts";
import type { Family } from "./families.ts";
import { PEER, type Row, rowsOf } from "./figures.ts";
import { HEADLINES } from "./headlines.ts";
import { TITLES } from "./titles.ts";

/** Every measure of a family, with the command that makes it. */
export function familyTable({ results }: Family): readonly string[] {
  const tools = toolsOf(results);
  const isCompared = tools.includes(PEER);
  const head = ["", "", ...tools.map((tool) => TITLES[tool] ?? tool), ...(isCompared ? ["ratio"] : [])];
  const rows = results
    .flatMap(rowsOf)
    .map((row) => [
      row.result.id,
      nameOf(row.measure),
      ...tools.map((tool) => figureOf(row, tool)),
      ...(isCompared ? [row.ratio === undefined ? "" : `${figureText(row.ratio)}x`] : []),
      goalText(row),
      row.goal === undefined ? "" : row.goal.isMet ? "yes" : "**no**",
      `\`${row.result.command}\``,
    ]);
  const align = ["---", "---", ...head.slice(2).map(() => "---:"), "---:", "---", "---"];
  return markdownTable([...head, "goal", "reached", "made by"], align, rows);
}

/** The few rows of README.md; undefined if none of them was measured. */
export function headlineTable(results: readonly SavedResult[]): readonly string[] | undefined {
  const rows = results.flatMap(rowsOf);
  const cells = HEADLINES.flatMap(({ id, measure, label }) => {
    const row = rows.find((one) => one.result.id === id && one.measure.name === measure);
    if (row === undefined) return [];
    const peer = row.peers.get(PEER);
    return [
      [
        label + (row.measure.unit && `, ${row.measure.unit}`),
        figureText(row.ours.median),
        peer === undefined ? "-" : peer === "void" ? "void" : figureText(peer.median),
        row.ratio === undefined ? "" : `${figureText(row.ratio)}x`,
        `\`${row.result.command}\``,
      ],
    ];
  });
  if (cells.length === 0) return undefined;
  const head = ["median", "walrust", TITLES[PEER] ?? PEER, "ratio", "made by"];
  return markdownTable(head, ["---", "---:", "---:", "---:", "---"], cells);
}

/** Ours first, then the peers as they come. */
function toolsOf(results: readonly SavedResult[]): readonly string[] {
  return [...new Set(results.flatMap(({ tools }) => tools.map(({ name }) => name)))];
}

function nameOf({ name, unit, better }: Measure): string {
  return `${name}${unit && `, ${unit}`} ${better === "more" ? "↑" : "↓"}`;
}

function figureOf(row: Row, tool: string): string {
  const figure: ToolSummary | "void" | undefined = row.ours.tool === tool ? row.ours : row.peers.get(tool);
  if (figure === undefined) return "-";
  if (figure === "void") return "void";
  const { median, least, most } = figure;
  return `${figureText(median)} (${figureText(least)} to ${figureText(most)})`;
}

function goalText({ measure, goal }: Row): string {
  if (goal === undefined) return "";
  return `${measure.better === "more" ? "≥" : "≤"} ${figureText(goal.value)}${goal.of === "ratio" ? "x" : ""}`;
}

function markdownTable(
  head: readonly string[],
  align: readonly string[],
  rows: readonly (readonly string[])[],
): readonly string[] {
  return [head, align, ...rows].map((cells) => `| ${cells.join(" | ")} |`);
}
