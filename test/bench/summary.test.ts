import { describe, expect, test } from "vitest";
import { goalOf, measuresOn, summarize } from "../../src/bench/summary.ts";
import { DEFAULT_OPTIONS, type Measure, type Workload } from "../../src/bench/workload.ts";

const speed: Measure = { name: "speed", unit: "MB/s", better: "more" };
const memory: Measure = { name: "memory", unit: "MB", better: "less", needsProc: true };

const runsOf = (tool: string, ...values: readonly number[]) => {
  return { tool, runs: values.map((value) => ({ speed: value, memory: value })) };
};

/** One measure, by what our runs and the peer's gave. */
function summaryOf(measure: Measure, ours: readonly number[], peers?: readonly number[]) {
  const results = [runsOf("ours", ...ours), ...(peers ? [runsOf("peer", ...peers)] : [])];
  const [summary] = summarize([measure], results);
  if (summary === undefined) throw new Error("no summary");
  return summary;
}

describe("summarize", () => {
  test("medians with their range, and ours by the peer's", () => {
    expect(summaryOf(speed, [30, 10, 20], [5, 5, 50])).toEqual({
      measure: speed,
      tools: [
        { tool: "ours", median: 20, least: 10, most: 30, values: [30, 10, 20] },
        { tool: "peer", median: 5, least: 5, most: 50, values: [5, 5, 50] },
      ],
      ratio: 4,
    });
  });

  test.each([
    ["without a peer", undefined],
    ["where the peer's median is 0", [0, 0, 7]],
  ])("no ratio %s", (_, peers) => {
    expect(summaryOf(speed, [1, 2, 3], peers).ratio).toBeUndefined();
  });

  test.each([[{}], [{ speed: Number.NaN }]])("a run that lacks a figure is a mistake: %j", (values) => {
    const results = [{ tool: "ours", runs: [values] }];
    expect(() => summarize([speed], results)).toThrow("ours did not measure speed");
  });
});

describe("goalOf", () => {
  test.each([
    [{ better: "more", goal: 20 }, true],
    [{ better: "more", goal: 20.1 }, false],
    [{ better: "less", goal: 20 }, true],
    [{ better: "less", goal: 19.9 }, false],
  ] as const)("%j against our median of 20: %j", (goal, isMet) => {
    const summary = summaryOf({ ...speed, ...goal }, [20], [1000]);
    expect(goalOf(summary)).toEqual({ of: "median", value: goal.goal, reached: 20, isMet });
  });

  const both = { ...speed, better: "less", goal: 1, goalRatio: 0.5 } as const;

  test("a ratio decides where the peer was measured too", () => {
    expect(goalOf(summaryOf(both, [20], [40]))).toEqual({
      of: "ratio",
      value: 0.5,
      reached: 0.5,
      isMet: true,
    });
    expect(goalOf(summaryOf(both, [20], [39]))).toMatchObject({ of: "ratio", isMet: false });
  });

  test("and the figure where it was not", () => {
    expect(goalOf(summaryOf(both, [20]))).toMatchObject({ of: "median", value: 1, isMet: false });
    expect(goalOf(summaryOf({ ...speed, goalRatio: 0.5 }, [20]))).toBeUndefined();
  });

  test("most measures have none", () => {
    expect(goalOf(summaryOf(speed, [20], [10]))).toBeUndefined();
  });
});

test.each([
  [true, [speed, memory]],
  [false, [speed]],
])("measures of a machine, with /proc: %j", (hasProc, measures) => {
  const workload = { measures: () => [speed, memory] } as unknown as Workload;
  expect(measuresOn(workload, DEFAULT_OPTIONS, { hasProc })).toEqual(measures);
});
