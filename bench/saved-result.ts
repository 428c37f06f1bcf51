import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Machine } from "../src/bench/machine.ts";
import type { Measure } from "../src/bench/workload.ts";

/** What one command measured, as bench/results/ID.json keeps it: everything that the page says comes from here. */
export interface SavedResult {
  readonly id: string;
  readonly title: string;
  /** Measures it again, with the same sizes. */
  readonly command: string;
  /** ISO 8601, UTC: when the last run had ended. */
  readonly measuredAt: string;
  /** All runs of all tools together. */
  readonly tookSeconds: number;
  readonly machine: Machine;
  /** Load average of the last minute before the first run: what else the machine did. */
  readonly loadBefore: number;
  readonly knobs: readonly string[];
  readonly measures: readonly Measure[];
  /** walrust first. One alone: the workload is measured beside nobody. */
  readonly tools: readonly MeasuredTool[];
}

/** `void`: why none of its figures count. */
export type MeasuredTool =
  | {
      readonly name: string;
      readonly version: string;
      readonly runs: readonly Readonly<Record<string, number>>[];
    }
  | { readonly name: string; readonly version: string; readonly void: string };

/** The results of a folder, by id in order; none if it is not there. */
export function readResults(folder: string): readonly SavedResult[] {
  if (!existsSync(folder)) return [];
  const names = readdirSync(folder).filter((name) => name.endsWith(".json"));
  return names.sort().map((name) => JSON.parse(readFileSync(join(folder, name), "utf8")) as SavedResult);
}

export function saveResult(folder: string, result: SavedResult): void {
  mkdirSync(folder, { recursive: true });
  const path = join(folder, `${result.id}.json`);
  writeFileSync(`${path}.new`, `${JSON.stringify(result, undefined, 2)}\n`);
  renameSync(`${path}.new`, path);
}
