import { describe, expect, test } from "vitest";
import { dice } from "../../src/bench/dice.ts";
import { type Point, type TrendLimits, trendOf } from "./trend.ts";

const MB = 1e6;
const MINUTE_MS = 60_000;
const EVERY_MS = 2000;
const limits: TrendLimits = {
  warmUpMs: MINUTE_MS,
  leastRise: 8 * MB,
  leastShare: 0.05,
  leastPerHour: 20 * MB,
};

type Shape = (minutes: number, random: () => number) => number;

/** Memory of a process that collects its garbage each 40 s or so: a sawtooth of 20 MB with noise of 6 MB. */
const sawtooth: Shape = (minutes, random) => 100 * MB + (((minutes * 1.4) % 1) * 20 + random() * 6) * MB;

function points(
  shape: Shape,
  minutes: number,
  options: { readonly seed?: number; readonly life?: number } = {},
): Point[] {
  const random = dice(options.seed ?? 1);
  const life = options.life ?? 0;
  return Array.from({ length: (minutes * MINUTE_MS) / EVERY_MS }, (_, index) => {
    const atMs = index * EVERY_MS;
    return { atMs: life * 100 * MINUTE_MS + atMs, value: shape(atMs / MINUTE_MS, random), life };
  });
}

const plus =
  (base: Shape, more: (minutes: number) => number): Shape =>
  (minutes, random) =>
    base(minutes, random) + more(minutes) * MB;

const still: readonly (readonly [what: string, shape: Shape, minutes: number])[] = [
  ["a constant", () => 7, 20],
  ["noise around a level", (_, random) => 100 * MB + random() * 40 * MB, 20],
  ["a sawtooth of garbage collections", sawtooth, 20],
  ["warming up", plus(sawtooth, (minutes) => 60 * Math.min(1, minutes)), 20],
  ["warming up for longer, then a level", plus(sawtooth, (minutes) => 40 * (1 - Math.exp(-minutes / 2))), 20],
  ["one step up", plus(sawtooth, (minutes) => (minutes > 10 ? 30 : 0)), 20],
  ["one step up, early", plus(sawtooth, (minutes) => (minutes > 4 ? 30 : 0)), 20],
  ["one step up, late", plus(sawtooth, (minutes) => (minutes > 17 ? 30 : 0)), 20],
  ["falling", plus(sawtooth, (minutes) => -3 * minutes), 20],
  ["a few peaks", plus(sawtooth, (minutes) => (minutes % 5 < 0.3 ? 200 : 0)), 20],
  ["so slow that it is not called growth", plus(sawtooth, (minutes) => 0.1 * minutes), 60],
  ["sure, but tiny", (minutes) => 100 * MB + minutes * 1000, 20],
  [
    "too short a time to say",
    plus(
      () => 0,
      (minutes) => 100 * minutes,
    ),
    1.3,
  ],
];

const growing: readonly (readonly [what: string, shape: Shape, minutes: number])[] = [
  ["1 MB/min, 15 minutes", plus(sawtooth, (minutes) => minutes), 15],
  ["4 MB/min, 5 minutes", plus(sawtooth, (minutes) => 4 * minutes), 5],
  [
    "1 MB/min without noise, 12 minutes",
    plus(
      () => 50 * MB,
      (minutes) => minutes,
    ),
    12,
  ],
  ["a staircase", plus(sawtooth, (minutes) => 12 * Math.floor(minutes / 3)), 20],
  ["faster and faster", plus(sawtooth, (minutes) => minutes ** 2 / 6), 20],
];

describe("trendOf", () => {
  test.each(still)("does not grow: %s", (_, shape, minutes) => {
    for (const seed of [1, 2, 3, 4, 5])
      expect(trendOf(points(shape, minutes, { seed }), limits)).toMatchObject({ grows: false });
  });

  test.each(growing)("grows: %s", (_, shape, minutes) => {
    for (const seed of [1, 2, 3, 4, 5])
      expect(trendOf(points(shape, minutes, { seed }), limits)).toMatchObject({ grows: true });
  });

  test("noise is not called growth: 300 runs", () => {
    const noisy = Array.from({ length: 300 }, (_, seed) => trendOf(points(sawtooth, 10, { seed }), limits));
    expect(noisy.filter(({ grows }) => grows)).toEqual([]);
  });

  test("what it tells of a straight line", () => {
    const trend = trendOf(
      points((minutes) => (100 + minutes) * MB, 21),
      limits,
    );
    expect(trend.perHour / MB).toBeCloseTo(60, 6);
    // from the end of the first minute to the middle of the last window
    expect(trend.rise / MB).toBeGreaterThan(18);
    expect(trend.rise / MB).toBeLessThan(20);
    expect(trend.median / MB).toBeCloseTo(111, 0);
  });

  test("what has long cycles is not judged in less than one", () => {
    const cycle = points((minutes) => (minutes % 8) * 10 * MB, 7);
    expect(trendOf(cycle, limits)).toMatchObject({ grows: true });
    expect(trendOf(cycle, { ...limits, leastSpanMs: 8 * MINUTE_MS })).toMatchObject({
      grows: false,
      windows: 0,
    });
  });

  const lives = [0, 1, 2, 3];
  test("a restart gives back what leaked: it grows in each life", () => {
    const leak = plus(sawtooth, (minutes) => 3 * minutes);
    const all = lives.flatMap((life) => points(leak, 6, { life, seed: life }));
    expect(trendOf(all, limits)).toMatchObject({ grows: true });
  });

  test("a life that begins higher than the one before is no growth", () => {
    const all = lives.flatMap((life) =>
      points(
        plus(sawtooth, () => 30 * life),
        6,
        { life, seed: life },
      ),
    );
    expect(trendOf(all, limits)).toMatchObject({ grows: false });
  });

  test("each life warms up", () => {
    const warming = plus(sawtooth, (minutes) => 80 * Math.min(1, minutes));
    const all = lives.flatMap((life) => points(warming, 4, { life, seed: life }));
    expect(trendOf(all, limits)).toMatchObject({ grows: false });
  });

  test("the order of the points does not matter", () => {
    const some = points(growing[0]?.[1] ?? sawtooth, 10);
    expect(trendOf([...some].reverse(), limits)).toEqual(trendOf(some, limits));
  });

  test("no points, or one", () => {
    expect(trendOf([], limits)).toMatchObject({ grows: false, windows: 0 });
    expect(trendOf([{ atMs: 0, value: 1, life: 0 }], limits)).toMatchObject({ grows: false, windows: 0 });
  });
});
