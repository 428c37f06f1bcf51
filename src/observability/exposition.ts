import type { Histogram } from "./histogram.ts";

/*
 * The text format of Prometheus, version 0.0.4. Written here and not with a client library: prom-client costs an idle daemon 10.7 MB of
 * resident memory (measured), and keeps an object for every sample of every database, where ours are asked for their numbers at each scrape.
 */

export const EXPOSITION_TYPE = "text/plain; version=0.0.4; charset=utf-8";

export type Labels = Readonly<Record<string, string>>;

export interface Sample {
  readonly labels?: Labels;
  /** Undefined: not known, and left out. */
  readonly value: number | bigint | undefined;
}

export interface Family {
  readonly name: string;
  readonly help: string;
  readonly type: "gauge" | "counter";
}

/** One family with its samples; empty where none is known. */
export function familyText({ name, help, type }: Family, samples: Iterable<Sample>): string {
  let lines = "";
  for (const { labels, value } of samples) if (value !== undefined) lines += sampleLine(name, labels, value);
  return lines === "" ? "" : head(name, help, type) + lines;
}

export function histogramText(
  name: string,
  help: string,
  histograms: Iterable<{ readonly labels?: Labels; readonly durations: Histogram }>,
): string {
  let lines = "";
  for (const { labels = {}, durations } of histograms) {
    for (const [bound, count] of durations.cumulative())
      lines += sampleLine(`${name}_bucket`, { ...labels, le: String(bound) }, count);
    lines += sampleLine(`${name}_bucket`, { ...labels, le: "+Inf" }, durations.count);
    lines += sampleLine(`${name}_sum`, labels, durations.sumSeconds);
    lines += sampleLine(`${name}_count`, labels, durations.count);
  }
  return lines === "" ? "" : head(name, help, "histogram") + lines;
}

function head(name: string, help: string, type: string): string {
  return `# HELP ${name} ${help.replaceAll("\\", "\\\\").replaceAll("\n", "\\n")}\n# TYPE ${name} ${type}\n`;
}

function sampleLine(name: string, labels: Labels | undefined, value: number | bigint): string {
  const pairs = Object.entries(labels ?? {}).map(([label, text]) => `${label}="${escapeLabel(text)}"`);
  return `${name}${pairs.length === 0 ? "" : `{${pairs.join(",")}}`} ${value}\n`;
}

/** Names of databases may hold anything that a key may. */
function escapeLabel(text: string): string {
  return text.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");
}
