import { expect, test } from "vitest";
import { finePoints } from "../../src/retention/fine-points.ts";
import { HOUR, MINUTE, NOON, SECOND } from "../helpers/retention/files.ts";

const COMPACTION = { fineWindowMs: HOUR, stepMs: MINUTE };

interface Point {
  /** Seconds behind 10:00. */
  readonly at: number;
  readonly afterHole?: boolean;
  readonly isOnlySnapshot?: boolean;
  readonly isLost?: boolean;
}

/** Which of the points stay, by their place, from 1 on. */
function kept(points: readonly Point[], nowMs = NOON, base = 0n): number[] {
  const txidOf = (index: number) => BigInt(index + 1);
  const places = points.map((point, index) => ({ ...point, txid: txidOf(index) }));
  const ends = places.filter(({ isOnlySnapshot }) => !isOnlySnapshot);
  const history = {
    timeline: places.map(({ txid, at, afterHole = false }) => ({
      txid,
      timestampMs: NOON - 2 * HOUR + at * SECOND,
      afterHole,
    })),
    base,
    ends: new Set(ends.map(({ txid }) => txid)),
    ledTo: new Set(ends.filter(({ isLost }) => !isLost).map(({ txid }) => txid)),
  };
  return finePoints(history, COMPACTION, nowMs).map(Number);
}

test.each<[string, Point[], number[]]>([
  ["the newest of each minute", [{ at: 0 }, { at: 59 }, { at: 60 }, { at: 185 }], [2, 3, 4]],
  ["the last one before a repair", [{ at: 0 }, { at: 10 }, { at: 20, afterHole: true }, { at: 30 }], [2, 4]],
  ["only the last one before it", [{ at: 0 }, { at: 10, afterHole: true }, { at: 20 }, { at: 30 }], [1, 4]],
  [
    "the last one before a snapshot that begins anew",
    [{ at: 0 }, { at: 10 }, { at: 20, afterHole: true, isOnlySnapshot: true }, { at: 30 }],
    [2, 4],
  ],
  [
    "a snapshot beside the chain changes nothing",
    [{ at: 0 }, { at: 10, isOnlySnapshot: true }, { at: 20 }],
    [3],
  ],
  [
    "what cannot be restored now, and the last one that can",
    [{ at: 0 }, { at: 10 }, { at: 20, isLost: true }, { at: 30, isLost: true }],
    [2, 3, 4],
  ],
])("%s", (_, points, expected) => {
  expect(kept(points)).toEqual(expected);
});

test("nothing up to the base", () => {
  expect(kept([{ at: 0 }, { at: 60 }, { at: 120 }], NOON, 2n)).toEqual([3]);
});

test("every one of a minute that reaches into the fine window", () => {
  const points = [{ at: 0 }, { at: 30 }, { at: 59 }];
  const endOfMinute = NOON - 2 * HOUR + MINUTE + HOUR;
  expect(kept(points, endOfMinute - 1)).toEqual([1, 2, 3]);
  expect(kept(points, endOfMinute)).toEqual([3]);
});
