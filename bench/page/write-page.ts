import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { WORKLOADS } from "../compare/index.ts";
import { readResults } from "../saved-result.ts";
import { CHARTS_FOLDER, pageOf, readmeWith } from "./page.ts";

/** Where a project keeps what was measured, and what is made of it. */
export function placesIn(projectFolder: string) {
  return {
    results: join(projectFolder, "bench", "results"),
    page: join(projectFolder, "docs", "benchmarks.md"),
    charts: join(projectFolder, "docs", CHARTS_FOLDER),
    readme: join(projectFolder, "README.md"),
  } as const;
}

/** Makes the page, its charts and the table in README.md anew, from the results alone. */
export function writePage(projectFolder: string): void {
  const places = placesIn(projectFolder);
  const results = readResults(places.results);
  const { markdown, charts } = pageOf(results, WORKLOADS);
  const readme = readmeWith(readFileSync(places.readme, "utf8"), results);
  rmSync(places.charts, { recursive: true, force: true });
  if (charts.length > 0) mkdirSync(places.charts);
  for (const { file, svg } of charts) writeFileSync(join(places.charts, file), svg);
  writeFileSync(places.page, markdown);
  writeFileSync(places.readme, readme);
}
