import { describe, expect, test } from "vitest";
import { lagsOf } from "../../bench/lags.ts";
import { VoidRun } from "../../src/bench/workload.ts";

const SECOND_NS = 1_000_000_000n;

/** `[minTxid, maxTxid, lastRow, seconds]` in the order of arrival. */
type Arrived = readonly [min: number, max: number, lastRow: number, atSeconds: number];

function lags(commits: readonly (readonly [rows: number, atSeconds: number])[], arrived: readonly Arrived[]) {
  return lagsOf(
    commits.map(([rows, at]) => ({ rows, atNs: BigInt(at) * SECOND_NS })),
    arrived.map(([min, max, lastRow, at]) => ({
      minTxid: BigInt(min),
      maxTxid: BigInt(max),
      lastRow,
      atNs: BigInt(at) * SECOND_NS,
    })),
  );
}

const FIRST_COPY: Arrived = [1, 1, 10, 0];

describe("lag of each commit: until the first object with its row, and all before that", () => {
  test.each<{
    readonly name: string;
    readonly arrived: readonly Arrived[];
    readonly expected: readonly number[];
  }>([
    { name: "an object for each", arrived: [FIRST_COPY, [2, 2, 11, 3], [3, 3, 12, 5]], expected: [2, 3] },
    { name: "one object for both", arrived: [FIRST_COPY, [2, 2, 12, 5]], expected: [4, 3] },
    { name: "TXIDs that count commits", arrived: [FIRST_COPY, [2, 3, 12, 5]], expected: [4, 3] },
    {
      name: "an object that was captured before the commit and arrived after it is not its own",
      arrived: [FIRST_COPY, [2, 2, 11, 6], [3, 3, 12, 7]],
      expected: [5, 5],
    },
    {
      name: "one that came before the one it needs counts from the later moment",
      arrived: [FIRST_COPY, [3, 3, 12, 4], [2, 2, 11, 9]],
      expected: [8, 7],
    },
    {
      name: "a snapshot needs none before it",
      arrived: [FIRST_COPY, [1, 3, 12, 4]],
      expected: [3, 2],
    },
    {
      name: "an object that is uploaded again, or without a row, changes nothing",
      arrived: [FIRST_COPY, [2, 2, 12, 3], [2, 2, 12, 8], [3, 3, 0, 9]],
      expected: [2, 1],
    },
  ])("$name", ({ arrived, expected }) => {
    expect(
      lags(
        [
          [11, 1],
          [12, 2],
        ],
        arrived,
      ),
    ).toEqual(expected);
  });

  test.each<{ readonly name: string; readonly arrived: readonly Arrived[] }>([
    { name: "no object at all", arrived: [] },
    { name: "no object with the row", arrived: [FIRST_COPY] },
    { name: "an object that can never be applied", arrived: [FIRST_COPY, [3, 3, 11, 4]] },
  ])("$name: void", ({ arrived }) => {
    expect(() => lags([[11, 1]], arrived)).toThrow(VoidRun);
  });
});
