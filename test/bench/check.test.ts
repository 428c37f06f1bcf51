import { describe, expect, test } from "vitest";
import { CHECKS, type Limit, verdictsOf } from "../../bench/check/limits.ts";
import { DEFAULT_OPTIONS } from "../../src/bench/workload.ts";

const limit = (bound: Limit["bound"], value: number): Limit => ({
  ...{ what: "size by the peer's", bound, value },
  of: (ours, peer) => (ours["size"] ?? 0) / (peer["size"] ?? 0),
});

const runs = (tool: string, ...sizes: readonly number[]) => ({ tool, runs: sizes.map((size) => ({ size })) });

describe("a limit is held against the median of the pairs of runs", () => {
  test.each([
    ["at most", 2, [1, 4, 9], true],
    ["at most", 2, [1, 5, 9], false],
    ["at least", 2, [1, 4, 9], true],
    ["at least", 2, [1, 3, 9], false],
  ] as const)("%s %d: %j", (bound, value, ours, holds) => {
    const results = [runs("walrust", ...ours), runs("litestream", 2, 2, 2)];
    expect(verdictsOf([limit(bound, value)], results)).toMatchObject([{ holds, median: ours[1] / 2 }]);
  });

  test("each run is held against the peer's of the same turn", () => {
    const results = [runs("walrust", 1, 8), runs("litestream", 1, 4)];
    expect(verdictsOf([limit("at most", 9)], results)[0]?.found).toEqual([1, 2]);
  });
});

describe.each(CHECKS)("$workload.id", ({ workload, options, limits }) => {
  const names = workload.measures({ ...DEFAULT_OPTIONS, ...options }).map(({ name }) => name);
  const all = (value: number) => Object.fromEntries(names.map((name) => [name, value]));

  test.each(limits)("$what asks for what is measured", ({ of }) => {
    expect(of(all(3), all(2))).toSatisfy(Number.isFinite);
  });

  test("what was not measured is no limit that holds", () => {
    expect(() => verdictsOf(limits, [{ tool: "walrust", runs: [{}] }])).toThrow("was not measured");
  });
});
