import { figureText } from "../../src/cli/views/bench-table.ts";
import type { SavedResult } from "../saved-result.ts";
import { drawBarChart } from "./bar-chart.ts";
import { PEER, type Row, rowsOf, timesBetter } from "./figures.ts";
import { HEADLINES } from "./headlines.ts";
import { TITLES } from "./titles.ts";

/** A drawing beside the page; `alt`: what it shows, in words. */
export interface Chart {
  readonly file: string;
  readonly alt: string;
  readonly svg: string;
}

/** Those for which there are results. */
export function chartsOf(results: readonly SavedResult[]): readonly Chart[] {
  const rows = results.flatMap(rowsOf);
  return [ratioChart(rows), memoryChart(rows)].filter((chart) => chart !== undefined);
}

function ratioChart(rows: readonly Row[]): Chart | undefined {
  const groups = HEADLINES.flatMap(({ id, measure, label }) => {
    const row = rows.find((one) => one.result.id === id && one.measure.name === measure);
    const times = row && timesBetter(row);
    return times === undefined ? [] : [{ label, values: [times] }];
  });
  if (groups.length === 0) return undefined;
  const title = `walrust beside ${TITLES[PEER]}: how many times better`;
  const svg = drawBarChart({
    title,
    axis: `times better than ${TITLES[PEER]} in the same run (1: the same); more is better`,
    scale: "log",
    mark: 1,
    series: ["walrust"],
    groups,
    shown: (value) => `${Number(figureText(value))}x`,
  });
  return { file: "ratios.svg", alt: title, svg };
}

/** RSS by number of databases. */
const IDLE_MEMORY = /^RSS, (\d+)$/;

function memoryChart(rows: readonly Row[]): Chart | undefined {
  const sizes = rows.filter(({ result, measure }) => result.id === "M1" && IDLE_MEMORY.test(measure.name));
  const [first] = sizes;
  if (first === undefined) return undefined;
  const peers = [...first.peers].flatMap(([name, figure]) => (figure === "void" ? [] : [name]));
  const groups = sizes.map(({ measure, ours, peers: figures }) => {
    const count = IDLE_MEMORY.exec(measure.name)?.[1];
    const values = peers.map((name) => {
      const figure = figures.get(name);
      return figure === undefined || figure === "void" ? undefined : figure.median;
    });
    return { label: `${count} database${count === "1" ? "" : "s"}`, values: [ours.median, ...values] };
  });
  const title = "Memory of the process tree while nothing is written";
  const svg = drawBarChart({
    title,
    axis: "RSS, MB; less is better",
    scale: "linear",
    series: ["walrust", ...peers].map((name) => TITLES[name] ?? name),
    groups,
    shown: (value) => String(Math.round(value)),
  });
  return { file: "memory.svg", alt: title, svg };
}
