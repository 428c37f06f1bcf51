import type { Workload } from "../../src/bench/workload.ts";
import { humanSize } from "../../src/observability/human.ts";
import type { MeasuredTool, SavedResult } from "../saved-result.ts";
import { type Chart, chartsOf } from "./charts.ts";
import { familiesOf } from "./families.ts";
import { familyTable, headlineTable } from "./tables.ts";
import { TITLES } from "./titles.ts";

/** Of the charts, beside the page. */
export const CHARTS_FOLDER = "benchmarks";

export const BEGIN = "<!-- measured: made by `npm run bench -- page` -->";
export const END = "<!-- /measured -->";

export interface Page {
  readonly markdown: string;
  readonly charts: readonly Chart[];
}

/** docs/benchmarks.md and its charts: nothing in them comes from elsewhere than the results. */
export function pageOf(results: readonly SavedResult[], workloads: readonly Workload[]): Page {
  const charts = chartsOf(results);
  const families = familiesOf(results, workloads);
  const missing = workloads.filter(({ id }) => results.every((result) => result.id !== id));
  const lines = [
    "# Measured",
    "",
    "Made by `npm run bench -- page` from the files in bench/results, never by hand. `npm run bench -- all` measures everything again, on your machine.",
    "",
    "Medians, and in brackets the least and the most of all runs. ↓: less is better, ↑: more. A ratio is walrust's median by that of " +
      `${TITLES["litestream"]} in the same run: on another machine the figures differ, the ratios hardly. A run counts only if afterwards everything restored, ` +
      "passed `integrity_check` and was equal to the writers' record row by row; *void* is a program whose copies were not.",
    "",
    ...charts.flatMap(({ file, alt }) => [`![${alt}](${CHARTS_FOLDER}/${file})`, ""]),
    ...families.flatMap((family) => [
      `## ${family.title}`,
      "",
      ...familyTable(family),
      "",
      ...family.results.map(aboutResult),
      "",
    ]),
    ...(missing.length === 0 ? [] : ["## Not measured", ""]),
    ...missing.map(({ id, title }) => `- ${id}, ${title}: \`npm run bench -- ${id} --save\``),
  ];
  return { markdown: `${lines.join("\n").trimEnd()}\n`, charts };
}

/** README.md with its table as the results have it. Errors: Error where it has no place for it. */
export function readmeWith(readme: string, results: readonly SavedResult[]): string {
  const begin = readme.indexOf(BEGIN);
  const end = readme.indexOf(END);
  if (begin < 0 || end < begin) throw new Error(`README.md has no ${BEGIN} before a ${END}`);
  const table = headlineTable(results) ?? ["Not measured yet: `npm run bench -- all`."];
  return [readme.slice(0, begin), BEGIN, "\n\n", table.join("\n"), "\n\n", readme.slice(end)].join("");
}

function aboutResult(result: SavedResult): string {
  const { id, title, tools, knobs, machine, measuredAt, loadBefore } = result;
  const programs = tools.map(({ name, version }) => `${TITLES[name] ?? name} ${version}`);
  const alone = tools.length === 1 ? ["measured beside nobody"] : [];
  const facts = [...programs, ...alone, `Node ${machine.node}`, ...knobs];
  const { cores, processor, memoryBytes, platform, arch } = machine;
  const where = `${cores} x ${processor}, ${humanSize(memoryBytes)}, ${platform} ${arch}, load ${loadBefore.toFixed(1)} before`;
  const voids = tools.flatMap(voidOf).map((line) => ` ${line}`);
  return `- **${id}, ${title}**: ${facts.join("; ")}. ${measuredAt.slice(0, 10)}, ${where}.${voids.join("")}`;
}

function voidOf(tool: MeasuredTool): readonly string[] {
  return "void" in tool ? [`${TITLES[tool.name] ?? tool.name} is void: ${tool.void}.`] : [];
}
