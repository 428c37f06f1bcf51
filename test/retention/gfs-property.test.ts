import fc from "fast-check";
import { afterEach, expect, test } from "vitest";
import { listedFile } from "../../src/follow/source-files.ts";
import { timelineOf } from "../../src/restore/timeline.ts";
import { keptByGfs, type Tier } from "../../src/retention/gfs.ts";
import { runs } from "../helpers/property-runs.ts";

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const zone = process.env["TZ"];
afterEach(() => {
  if (zone === undefined) delete process.env["TZ"];
  else process.env["TZ"] = zone;
});

/** Years of all kinds: 53 weeks, leap years, centuries that are none. */
const YEARS = [
  1970, 1972, 1999, 2000, 2004, 2009, 2015, 2016, 2020, 2021, 2024, 2026, 2028, 2032, 2037, 2038, 2100,
];
const edgeOf = (year: number) =>
  fc
    .record({
      day: fc.oneof(
        fc.integer({ min: 0, max: 8 }),
        fc.constantFrom(31, 58, 59, 60),
        fc.integer({ min: 355, max: 372 }),
      ),
      ms: fc.oneof(fc.constantFrom(-1, 0, 1), fc.integer({ min: -DAY, max: DAY })),
    })
    .map(({ day, ms }) => Math.max(0, Date.UTC(year, 0, 1) + day * DAY + ms));
const edge = fc.constantFrom(...YEARS).chain(edgeOf);
/** What a writer's clock said at each snapshot: it jumps, and the edges of all buckets are near. */
const anyClock = fc.constantFrom(...YEARS).chain((year) =>
  fc.array(fc.oneof({ weight: 5, arbitrary: edgeOf(year) }, { weight: 1, arbitrary: edge }), {
    maxLength: 40,
  }),
);
const anyRetention = fc.record({
  hourly: fc.nat(12),
  daily: fc.nat(8),
  weekly: fc.nat(8),
  monthly: fc.nat(14),
});

/** By counting days one after the other, with no arithmetic of weeks: a week begins with each Monday. */
function bucketOf(tier: Tier, timestampMs: number): string {
  const date = new Date(timestampMs);
  if (tier === "hourly") return date.toISOString().slice(0, 13);
  if (tier === "daily") return date.toISOString().slice(0, 10);
  if (tier === "monthly") return date.toISOString().slice(0, 7);
  let monday = Date.parse(`${date.toISOString().slice(0, 10)}T00:00:00Z`);
  while (new Date(monday).getUTCDay() !== 1) monday -= DAY;
  return `week of ${new Date(monday).toISOString().slice(0, 10)}`;
}

test("clocks that jump, over any edge of a bucket, in any time zone: the newest of each of the newest buckets", () => {
  fc.assert(
    fc.property(
      anyClock,
      anyRetention,
      fc.constantFrom("UTC", "Pacific/Kiritimati", "America/Los_Angeles", "Asia/Kathmandu"),
      (times, retention, timeZone) => {
        process.env["TZ"] = timeZone;
        const files = times.map((timestampMs, i) => ({
          ...listedFile({ key: String(i), minTxid: 1n, maxTxid: BigInt(i + 1), sizeBytes: 1 }),
          timestampMs,
        }));
        const snapshots = timelineOf(files);
        const expected = new Map<bigint, string[]>();
        const keep = (txid: bigint, why: string) => expected.set(txid, [...(expected.get(txid) ?? []), why]);
        const newest = snapshots.at(-1);
        if (newest) keep(newest.txid, "newest");
        for (const tier of ["hourly", "daily", "weekly", "monthly"] as const) {
          const buckets = new Map(
            snapshots.map(({ txid, timestampMs }) => [bucketOf(tier, timestampMs), txid]),
          );
          const newestFirst = [...buckets.values()].sort((a, b) => Number(b - a));
          for (const txid of newestFirst.slice(0, retention[tier])) keep(txid, tier);
        }
        expect(new Map(keptByGfs(snapshots, retention))).toEqual(expected);
      },
    ),
    runs(500),
  );
});

test("a year of hourly snapshots, pruned after each: as much stays as the tiers say, and never less than before", () => {
  fc.assert(
    fc.property(
      edge,
      anyRetention,
      fc.array(fc.integer({ min: 1, max: 9 * DAY }), { minLength: 20, maxLength: 80 }),
      (start, retention, steps) => {
        let left: { readonly txid: bigint; readonly timestampMs: number }[] = [];
        const all: typeof left = [];
        let timestampMs = start;
        for (const [i, step] of steps.entries()) {
          timestampMs += step;
          const snapshot = { txid: BigInt(i + 1), timestampMs };
          all.push(snapshot);
          left = [...left, snapshot];
          const kept = keptByGfs(left, retention);
          left = left.filter(({ txid }) => kept.has(txid));
          // To prune often and to prune once come to the same.
          expect(left.map(({ txid }) => txid)).toEqual([...keptByGfs(all, retention).keys()].reverse());
        }
      },
    ),
    runs(150),
  );
});
