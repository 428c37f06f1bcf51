import type { Mark } from "./course.ts";
import { type Judged, shown } from "./series.ts";
import type { Point } from "./trend.ts";

/*
 * Drawn by hand: a line with a few shaded spans needs forty lines of SVG, and a page that needs no script and no network can be kept beside
 * its samples, mailed and opened anywhere. A library for charts would be the largest dependency of the tests.
 */

const SIZE = { width: 640, height: 170, left: 70, right: 10, top: 8, bottom: 22 } as const;
const COLOURS: Readonly<Record<Mark["kind"], string>> = {
  outage: "#f4a261",
  kill: "#e63946",
  idle: "#a8dadc",
  reload: "#cdb4db",
  finding: "#d00000",
};

export interface ReportFacts {
  readonly title: string;
  readonly judged: readonly Judged[];
  readonly marks: readonly Mark[];
  /** Lines of text: what was done, and what was found. */
  readonly summary: readonly string[];
}

/** The whole report as one page of HTML. */
export function drawReport({ title, judged, marks, summary }: ReportFacts): string {
  const toMs = Math.max(1, ...judged.flatMap(({ points }) => points.map(({ atMs }) => atMs)));
  const legend = Object.entries(COLOURS).map(
    ([kind, colour]) => `<b style="color:${colour}">&#9632;</b> ${kind}`,
  );
  return [
    `<!doctype html><meta charset="utf-8"><title>${escaped(title)}</title>`,
    "<style>body{font:14px system-ui,sans-serif;margin:2em;max-width:1340px}figure{display:inline-block;margin:0 1em 1.5em 0}",
    "figcaption{margin-bottom:.3em}.grows{color:#d00000;font-weight:bold}svg{background:#fafafa}</style>",
    `<h1>${escaped(title)}</h1>`,
    `<ul>${summary.map((line) => `<li>${escaped(line)}</li>`).join("")}</ul>`,
    `<p>${legend.join(" &nbsp; ")}</p>`,
    ...judged.map((one) => drawSeries(one, marks, toMs)),
  ].join("\n");
}

function drawSeries({ series, points, trend }: Judged, marks: readonly Mark[], toMs: number): string {
  const most = Math.max(...points.map(({ value }) => value)) || 1;
  const x = (atMs: number) => SIZE.left + (atMs / toMs) * (SIZE.width - SIZE.left - SIZE.right);
  const y = (value: number) =>
    SIZE.height - SIZE.bottom - (value / most) * (SIZE.height - SIZE.top - SIZE.bottom);
  const spans = marks.map(({ kind, fromMs, toMs: endMs, text }) => {
    const width = Math.max(1, x(endMs) - x(fromMs)).toFixed(1);
    const box = `x="${x(fromMs).toFixed(1)}" y="${SIZE.top}" width="${width}" height="${y(0) - SIZE.top}"`;
    return `<rect ${box} fill="${COLOURS[kind]}" opacity=".45"><title>${escaped(text)}</title></rect>`;
  });
  const lines = [0, most / 2, most].map(
    (value) =>
      `<line x1="${SIZE.left}" x2="${SIZE.width - SIZE.right}" y1="${y(value)}" y2="${y(value)}" stroke="#ddd"/>` +
      label(SIZE.left - 4, y(value) + 4, "end", shown(value, series.unit)),
  );
  const minutes = [0, 0.25, 0.5, 0.75, 1].map((share) =>
    label(
      x(toMs * share),
      SIZE.height - 6,
      share === 1 ? "end" : "middle",
      `${((toMs * share) / 60_000).toFixed(1)} min`,
    ),
  );
  const lives = [...new Set(points.map(({ life }) => life))].map((life) =>
    polyline(
      points.filter((point) => point.life === life),
      x,
      y,
    ),
  );
  const verdict = trend === undefined ? "" : `: ${trendText({ series, points, trend })}`;
  return [
    `<figure><figcaption${trend?.grows ? ' class="grows"' : ""}>${escaped(series.title + verdict)}</figcaption>`,
    `<svg width="${SIZE.width}" height="${SIZE.height}" font-size="10">`,
    ...[...spans, ...lines, ...minutes, ...lives],
    "</svg></figure>",
  ].join("");
}

/** How a series was judged, in words. */
export function trendText({ series, trend }: Judged): string {
  if (trend === undefined) return "";
  if (trend.windows === 0) return "too short to judge";
  const rate = `${shown(trend.perHour, series.unit)}/h, z ${trend.z.toFixed(1)}`;
  return trend.grows ? `GROWS by ${shown(trend.rise, series.unit)} (${rate})` : `steady (${rate})`;
}

function polyline(
  points: readonly Point[],
  x: (atMs: number) => number,
  y: (value: number) => number,
): string {
  const corners = points.map(({ atMs, value }) => `${x(atMs).toFixed(1)},${y(value).toFixed(1)}`);
  return `<polyline points="${corners.join(" ")}" fill="none" stroke="#1d3557" stroke-width="1.2"/>`;
}

function label(x: number, y: number, anchor: string, text: string): string {
  return `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}" text-anchor="${anchor}" fill="#555">${escaped(text)}</text>`;
}

function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll('"', "&quot;");
}
