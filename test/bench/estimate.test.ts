import { expect, test } from "vitest";
import { estimateText } from "../../bench/estimate.ts";
import type { SavedResult } from "../../bench/saved-result.ts";
import type { Workload } from "../../src/bench/workload.ts";

const workloads = [{ id: "A1" }, { id: "B1" }] as unknown as readonly Workload[];
const took = (id: string, tookSeconds: number, runs: number) =>
  ({
    id,
    tookSeconds,
    tools: [{ runs: Array.from({ length: runs }, () => ({})) }],
  }) as unknown as SavedResult;

test.each([
  ["all known", [took("A1", 120, 2), took("B1", 300, 5)], "about 6 min, as bench/results took it"],
  ["one is not", [took("A1", 120, 2)], "about 8 min; 1 of 2 were never measured and count 90 s a run"],
  [
    "what is not asked for does not count",
    [took("C1", 9000, 1)],
    "about 9 min; 2 of 2 were never measured and count 90 s a run",
  ],
])("%s", (_, before, expected) => {
  expect(estimateText(workloads, 3, before)).toBe(expected);
});
