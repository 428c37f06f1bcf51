import type { Workload } from "../../src/bench/workload.ts";
import type { SavedResult } from "../saved-result.ts";

/** What belongs together on the page. The letters are those of the goals' ids. */
const FAMILIES = [
  { title: "Memory", letters: "M" },
  { title: "Latency, and the application beside it", letters: "L" },
  { title: "Many databases", letters: "TIQU" },
  { title: "Large databases", letters: "SR" },
  { title: "Codec", letters: "C" },
] as const;

export interface Family {
  readonly title: string;
  readonly results: readonly SavedResult[];
}

/** Families that have results, each in the order of the workloads; whatever fits none comes last. */
export function familiesOf(
  results: readonly SavedResult[],
  workloads: readonly Workload[],
): readonly Family[] {
  const placeOf = ({ id }: SavedResult) => workloads.findIndex((workload) => workload.id === id);
  const sorted = [...results].sort((a, b) => placeOf(a) - placeOf(b));
  const belongs = (letters: string) => (result: SavedResult) => letters.includes(result.id.charAt(0));
  const known = FAMILIES.map(({ title, letters }) => ({ title, results: sorted.filter(belongs(letters)) }));
  const placed = new Set(known.flatMap((family) => family.results));
  const others = { title: "Others", results: sorted.filter((result) => !placed.has(result)) };
  return [...known, others].filter((family) => family.results.length > 0);
}
