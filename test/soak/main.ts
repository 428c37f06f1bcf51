import { mkdirSync, mkdtempSync, realpathSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { median, quantile } from "../../src/bench/statistics.ts";
import { parseArguments, type SoakOptions, USAGE, UsageError } from "./arguments.ts";
import { drawReport, trendText } from "./drawing.ts";
import { type Judged, judge, shown } from "./series.ts";
import { type SoakFacts, soak } from "./soak.ts";

/** `npm run soak -- --minutes 60`: returns the exit code. 1: something was lost or wrong, or something grows. */
export async function main(
  args: readonly string[],
  where: { readonly project: string; readonly serverScript: string },
): Promise<number> {
  let options: SoakOptions | "help";
  try {
    options = parseArguments(args, process.env);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    console.error(`${error.message}\n\n${USAGE}`);
    return 2;
  }
  if (options === "help") {
    console.log(USAGE);
    return 0;
  }
  const out = resolve(options.out ?? mkdtempSync(join(realpathSync(tmpdir()), "walrust-soak-")));
  mkdirSync(out, { recursive: true });
  // What was started is ended at the exit.
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(130));
  console.error(`a soak of ${options.minutes} minutes, seed ${options.seed}, into ${out}`);
  return report(options, out, await soak(options, { ...where, out }));
}

function report(
  options: SoakOptions,
  out: string,
  { course, samples, passed, webhooks, starts }: SoakFacts,
): number {
  const judged = judge(samples);
  const growing = judged
    .filter(({ trend }) => trend?.grows)
    .map((one) => `${one.series.title} ${trendText(one)}`);
  const failures = [...course.findings, ...growing];
  const done = Object.entries(passed).map(([kind, count]) => `${kind} ${count}`);
  const told = [...webhooks].map(([event, count]) => `${event} ${count}`);
  const summary = [
    `${options.minutes} minutes, seed ${options.seed}, storage ${options.storage}, ${starts} starts of the daemon, ${samples.length} samples`,
    `passed: ${done.join(", ")}; webhooks: ${told.join(", ") || "none"}`,
    ...(failures.length === 0
      ? ["nothing was lost, nothing grows"]
      : failures.map((text) => `FAILED: ${text}`)),
  ];
  const page = join(out, "report.html");
  writeFileSync(page, drawReport({ title: "walrust soak", judged, marks: course.marks, summary }));
  console.log([...table(judged), "", ...summary, `drawn: ${page}`].join("\n"));
  return failures.length === 0 ? 0 : 1;
}

function table(judged: readonly Judged[]): string[] {
  const rows = judged.map((one) => {
    const values = one.points.map(({ value }) => value);
    const numbers = [median(values), quantile(values, 0.95), Math.max(...values)];
    return [one.series.title, ...numbers.map((value) => shown(value, one.series.unit)), trendText(one)];
  });
  const all = [["", "median", "95 %", "most", "trend"], ...rows];
  const widths = [0, 1, 2, 3].map((column) => Math.max(...all.map((row) => row[column]?.length ?? 0)));
  return all.map((row) =>
    row
      .map((cell, column) =>
        column === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[column] ?? 0),
      )
      .join("  "),
  );
}
