import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { RetentionSettings } from "../../src/config/settings.ts";
import { type DatedSnapshot, keptByGfs } from "../../src/retention/gfs.ts";

const NONE: RetentionSettings = { hourly: 0, daily: 0, weekly: 0, monthly: 0 };

/** Snapshots at these times, with TXIDs 10, 20, 30, ... */
function snapshotsAt(times: readonly string[]): DatedSnapshot[] {
  return times.map((time, index) => ({ txid: BigInt((index + 1) * 10), timestampMs: Date.parse(time) }));
}

/** The times that stay, oldest first, with their reasons. */
function keptTimes(times: readonly string[], retention: Partial<RetentionSettings>) {
  const kept = keptByGfs(snapshotsAt(times), { ...NONE, ...retention });
  return times.flatMap((time, index) => {
    const reasons = kept.get(BigInt((index + 1) * 10));
    return reasons ? [`${time}: ${reasons.join(" ")}`] : [];
  });
}

describe("which snapshots stay", () => {
  test.each<[string, Partial<RetentionSettings>, string[], string[]]>([
    ["nothing of nothing", { hourly: 1 }, [], []],
    ["the newest, whatever the tiers say", {}, ["2026-01-01T00:00:00Z"], ["2026-01-01T00:00:00Z: newest"]],
    [
      "the newest of each hour, not the oldest",
      { hourly: 2 },
      ["2026-01-31T10:00:00Z", "2026-01-31T10:59:59.999Z", "2026-01-31T11:00:00Z", "2026-01-31T11:30:00Z"],
      ["2026-01-31T10:59:59.999Z: hourly", "2026-01-31T11:30:00Z: newest hourly"],
    ],
    [
      "hours without a snapshot do not count",
      { hourly: 2 },
      ["2026-01-01T05:00:00Z", "2026-01-03T05:00:00Z", "2026-01-31T11:00:00Z"],
      ["2026-01-03T05:00:00Z: hourly", "2026-01-31T11:00:00Z: newest hourly"],
    ],
    [
      "days end at midnight in UTC",
      { daily: 2 },
      ["2026-01-30T23:59:59.999Z", "2026-01-31T00:00:00Z", "2026-01-31T23:59:59Z"],
      ["2026-01-30T23:59:59.999Z: daily", "2026-01-31T23:59:59Z: newest daily"],
    ],
    [
      "the ISO week over New Year is one: Monday 29 December 2025 to Sunday 4 January 2026",
      { weekly: 3 },
      [
        "2025-12-28T23:00:00Z", // Sunday of the week before
        "2025-12-29T00:00:00Z",
        "2025-12-31T23:59:00Z",
        "2026-01-01T00:01:00Z",
        "2026-01-04T23:59:00Z",
        "2026-01-05T00:00:00Z",
      ],
      ["2025-12-28T23:00:00Z: weekly", "2026-01-04T23:59:00Z: weekly", "2026-01-05T00:00:00Z: newest weekly"],
    ],
    [
      "a year of 53 weeks: 28 December 2020 to 3 January 2021",
      { weekly: 2 },
      ["2020-12-28T00:00:00Z", "2021-01-03T23:00:00Z", "2021-01-04T00:00:00Z"],
      ["2021-01-03T23:00:00Z: weekly", "2021-01-04T00:00:00Z: newest weekly"],
    ],
    [
      "months, also over New Year, and the same month of another year is another",
      { monthly: 3 },
      [
        "2024-12-31T12:00:00Z",
        "2025-12-01T00:00:00Z",
        "2025-12-31T23:59:59Z",
        "2026-01-01T00:00:00Z",
        "2026-01-31T00:00:00Z",
      ],
      [
        "2024-12-31T12:00:00Z: monthly",
        "2025-12-31T23:59:59Z: monthly",
        "2026-01-31T00:00:00Z: newest monthly",
      ],
    ],
    [
      "a leap day",
      { daily: 3 },
      ["2028-02-28T12:00:00Z", "2028-02-29T01:00:00Z", "2028-02-29T23:00:00Z", "2028-03-01T00:00:00Z"],
      ["2028-02-28T12:00:00Z: daily", "2028-02-29T23:00:00Z: daily", "2028-03-01T00:00:00Z: newest daily"],
    ],
    [
      "tiers together: one snapshot may stay for several reasons",
      { hourly: 1, daily: 2, weekly: 2, monthly: 2 },
      ["2025-12-20T00:00:00Z", "2026-01-30T10:00:00Z", "2026-01-31T09:00:00Z", "2026-01-31T10:00:00Z"],
      [
        "2025-12-20T00:00:00Z: weekly monthly",
        "2026-01-30T10:00:00Z: daily",
        "2026-01-31T10:00:00Z: newest hourly daily weekly monthly",
      ],
    ],
    [
      "times before 1970 have buckets too",
      { daily: 2, weekly: 1, monthly: 1 },
      ["1969-12-30T23:00:00Z", "1969-12-31T23:00:00Z"],
      ["1969-12-30T23:00:00Z: daily", "1969-12-31T23:00:00Z: newest daily weekly monthly"],
    ],
  ])("%s", (_, retention, times, expected) => {
    expect(keptTimes(times, retention)).toEqual(expected);
  });

  test("equal times: the higher TXID is the newer one (pitfall 44)", () => {
    const timestampMs = Date.parse("2026-01-31T10:00:00Z");
    const snapshots = [7n, 9n, 8n].map((txid) => ({ txid, timestampMs }));
    expect([...keptByGfs(snapshots, { ...NONE, hourly: 5 })]).toEqual([[9n, ["newest", "hourly"]]]);
  });

  test("names of eight digits do not decide: TXIDs are numbers", () => {
    const timestampMs = Date.parse("2026-01-31T10:00:00Z");
    const snapshots = [99_999_999n, 100_000_000n].map((txid) => ({ txid, timestampMs }));
    expect([...keptByGfs(snapshots, { ...NONE, daily: 1 }).keys()]).toEqual([100_000_000n]);
  });
});

const DAY_MS = 86_400_000;

/** Ascending times over some years, with TXIDs that ascend with them. */
const anySnapshots = fc
  .array(fc.integer({ min: Date.UTC(2024, 10, 1), max: Date.UTC(2027, 1, 1) }), { maxLength: 60 })
  .map((times) =>
    times.toSorted((a, b) => a - b).map((timestampMs, index) => ({ txid: BigInt(index + 1), timestampMs })),
  );
const anyRetention = fc.record({
  hourly: fc.nat(30),
  daily: fc.nat(10),
  weekly: fc.nat(10),
  monthly: fc.nat(10),
});

/** By the calendar alone, the slow way: how ISO 8601 defines a week. */
function isoWeek(timestampMs: number): string {
  const date = new Date(timestampMs);
  const thursday = new Date(timestampMs + (3 - ((date.getUTCDay() + 6) % 7)) * DAY_MS);
  const firstDay = Date.UTC(thursday.getUTCFullYear(), 0, 1);
  const dayOfYear = Math.floor((Date.parse(thursday.toISOString().slice(0, 10)) - firstDay) / DAY_MS);
  return `${thursday.getUTCFullYear()}-W${Math.floor(dayOfYear / 7) + 1}`;
}

const NAMES = {
  hourly: (ms: number) => new Date(ms).toISOString().slice(0, 13),
  daily: (ms: number) => new Date(ms).toISOString().slice(0, 10),
  weekly: isoWeek,
  monthly: (ms: number) => new Date(ms).toISOString().slice(0, 7),
} as const;

describe("for any snapshots and any retention", () => {
  test("exactly the newest of each of the N newest buckets stays, and the newest of all", () => {
    fc.assert(
      fc.property(anySnapshots, anyRetention, (snapshots, retention) => {
        const expected = new Map<bigint, string[]>();
        const keep = (txid: bigint, reason: string) =>
          expected.set(txid, [...(expected.get(txid) ?? []), reason]);
        const newest = snapshots.at(-1);
        if (newest) keep(newest.txid, "newest");
        for (const tier of ["hourly", "daily", "weekly", "monthly"] as const) {
          const newestOf = new Map(
            snapshots.map(({ txid, timestampMs }) => [NAMES[tier](timestampMs), txid]),
          );
          const buckets = [...newestOf.values()].sort((a, b) => Number(b - a)).slice(0, retention[tier]);
          for (const txid of buckets) keep(txid, tier);
        }
        expect(new Map(keptByGfs(snapshots, retention))).toEqual(expected);
      }),
    );
  });

  test("what stays of what stayed is the same: doing it again changes nothing", () => {
    fc.assert(
      fc.property(anySnapshots, anyRetention, (snapshots, retention) => {
        const kept = keptByGfs(snapshots, retention);
        const left = snapshots.filter(({ txid }) => kept.has(txid));
        expect(keptByGfs(left, retention)).toEqual(kept);
      }),
    );
  });

  test("who keeps more of each keeps at least the same", () => {
    fc.assert(
      fc.property(anySnapshots, anyRetention, anyRetention, (snapshots, retention, more) => {
        const larger = {
          hourly: retention.hourly + more.hourly,
          daily: retention.daily + more.daily,
          weekly: retention.weekly + more.weekly,
          monthly: retention.monthly + more.monthly,
        };
        const kept = keptByGfs(snapshots, larger);
        expect([...keptByGfs(snapshots, retention).keys()].filter((txid) => !kept.has(txid))).toEqual([]);
      }),
    );
  });
});
