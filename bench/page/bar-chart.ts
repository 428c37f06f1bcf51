/** Horizontal bars, as a file that needs no script, no font and no other file. */
export interface BarChart {
  readonly title: string;
  /** What the axis counts, with its unit. */
  readonly axis: string;
  readonly scale: "linear" | "log";
  /** A line across all bars at this value. */
  readonly mark?: number;
  /** Named in the legend, if there are two. */
  readonly series: readonly string[];
  /** One bar a series; undefined: nothing to show. */
  readonly groups: readonly { readonly label: string; readonly values: readonly (number | undefined)[] }[];
  readonly shown: (value: number) => string;
}

const WIDTH = 760;
const LABELS_END = 300;
const BARS_END = 680;
const BAR = 16;
const GAP = 14;
const TOP = 74;
const TICKS = 6;

/** It brings its own ground: readable on a light page and on a dark one. */
const STYLE = `
  text { font: 13px system-ui, sans-serif; fill: #24292f }
  .title { font-weight: 600; font-size: 16px }
  .ground { fill: #ffffff; stroke: #d0d7de }
  .grid { stroke: #d8dee4 } .mark { stroke: #57606a; stroke-dasharray: 4 3 }
  .series0 { fill: #0969da } .series1 { fill: #bf8700 } .series2 { fill: #8250df }
  .quiet { fill: #57606a }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3 }
    .ground { fill: #0d1117; stroke: #30363d }
    .grid { stroke: #21262d } .mark { stroke: #8b949e }
    .series0 { fill: #4493f8 } .series1 { fill: #d29922 } .series2 { fill: #a371f7 }
    .quiet { fill: #9198a1 }
  }`;

export function drawBarChart(chart: BarChart): string {
  const axis = axisOf(chart);
  const groupHeight = chart.series.length * BAR + GAP;
  const bottom = TOP + chart.groups.length * groupHeight;
  const groups = chart.groups.flatMap(({ label, values }, index) => {
    const top = TOP + index * groupHeight;
    const middle = top + (values.length * BAR) / 2 + 5;
    return [
      text(LABELS_END - 10, middle, label, 'text-anchor="end"'),
      ...values.flatMap((value, series) => bar(chart, axis.at, { value, series, top: top + series * BAR })),
    ];
  });
  const mark = chart.mark === undefined ? [] : [line("mark", axis.at(chart.mark), bottom)];
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${bottom + 48}" width="${WIDTH}" role="img">`,
    `<title>${escaped(chart.title)}</title>`,
    `<style>${STYLE}</style>`,
    `<rect class="ground" x="0.5" y="0.5" width="${WIDTH - 1}" height="${bottom + 47}" rx="6"/>`,
    text(20, 30, chart.title, 'class="title"'),
    ...legend(chart),
    ...axis.ticks.flatMap((tick) => [
      line("grid", axis.at(tick), bottom),
      text(axis.at(tick), bottom + 18, chart.shown(tick), 'class="quiet" text-anchor="middle"'),
    ]),
    ...groups,
    ...mark,
    text((LABELS_END + BARS_END) / 2, bottom + 38, chart.axis, 'class="quiet" text-anchor="middle"'),
    "</svg>",
    "",
  ].join("\n");
}

function legend({ series }: BarChart): readonly string[] {
  if (series.length < 2) return [];
  return series.flatMap((name, index) => {
    const x = LABELS_END + index * 130;
    return [
      `<rect class="series${index}" x="${x}" y="45" width="12" height="12" rx="2"/>`,
      text(x + 18, 56, name),
    ];
  });
}

function bar(
  { scale, mark, shown }: BarChart,
  at: (value: number) => number,
  {
    value,
    series,
    top,
  }: { readonly value: number | undefined; readonly series: number; readonly top: number },
): readonly string[] {
  if (value === undefined) return [];
  const origin = at(scale === "log" ? (mark ?? value) : 0);
  const left = Math.min(origin, at(value));
  const right = Math.max(origin, at(value), left + 1);
  return [
    `<rect class="series${series}" x="${left.toFixed(1)}" y="${top + 1}" width="${(right - left).toFixed(1)}" height="${BAR - 2}" rx="2"/>`,
    text(right + 6, top + BAR - 3, shown(value)),
  ];
}

/** Where a value lies, in pixels, and the values that are written below. */
function axisOf({ groups, scale, mark }: BarChart): {
  readonly at: (value: number) => number;
  readonly ticks: readonly number[];
} {
  const values = groups.flatMap((group) => group.values.filter((value) => value !== undefined));
  const most = Math.max(...values, mark ?? 0);
  const place = (share: number) => LABELS_END + share * (BARS_END - LABELS_END);
  if (scale === "linear") {
    const step = roundStep(most / TICKS);
    const ticks = Array.from({ length: Math.ceil(most / step) + 1 }, (_, index) => index * step);
    const end = ticks.at(-1) ?? most;
    return { at: (value) => place(value / end), ticks };
  }
  const least = Math.min(...values, mark ?? most);
  const first = Math.floor(Math.log10(least));
  const last = Math.max(first + 1, Math.ceil(Math.log10(most)));
  const ticks = Array.from({ length: last - first + 1 }, (_, index) => 10 ** (first + index));
  return { at: (value) => place((Math.log10(value) - first) / (last - first)), ticks };
}

/** The least of 1, 2, 5, 10, 20, ... that is not below. */
function roundStep(least: number): number {
  const power = 10 ** Math.floor(Math.log10(least));
  return ([1, 2, 5, 10].find((factor) => factor * power >= least) ?? 10) * power;
}

function line(kind: string, x: number, bottom: number): string {
  return `<line class="${kind}" x1="${x.toFixed(1)}" x2="${x.toFixed(1)}" y1="${TOP - 8}" y2="${bottom}"/>`;
}

function text(x: number, y: number, content: string, attributes = ""): string {
  return `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}" ${attributes}>${escaped(content)}</text>`;
}

function escaped(content: string): string {
  return content.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}
