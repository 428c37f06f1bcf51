import { describe, expect, test } from "vitest";
import { planCompaction } from "../../src/retention/plan.ts";
import {
  checksumAt,
  HOUR,
  MINUTE,
  NOON,
  namedFile,
  outlineOf,
  policyOf,
  SECOND,
  type Situation,
  surveyed,
  unnamedFile,
} from "../helpers/retention/files.ts";

const hourly = policyOf({ hourly: 24 });

/** A commit every 20 s from 9:00 on, three in a minute: TXID 2 is at 9:00:00, 5 at 9:01:00. */
const incremental = (min: number, max = min) =>
  namedFile(min, max, NOON - 3 * HOUR + (max - 2) * 20 * SECOND);
const incrementals = (first: number, last: number) =>
  Array.from({ length: last - first + 1 }, (_, index) => incremental(first + index));
/** At the time of its commit. */
const snapshot = (txid: number) => namedFile(1, txid, NOON - 3 * HOUR + (txid - 2) * 20 * SECOND);
const HOUR_OF_COMMITS = 180;

describe("the fine history", () => {
  test("older than the fine window: one file a minute; younger: as they are", () => {
    const now = NOON - 3 * HOUR + HOUR + 2 * MINUTE + 30 * SECOND;
    const plan = outlineOf({ present: [snapshot(1), ...incrementals(2, 13)] }, hourly, now);
    expect(plan).toEqual({
      snapshots: ["1: newest hourly"],
      merges: ["2-4 of 3", "5-7 of 3"],
      untouched: ["8-8", "9-9", "10-10", "11-11", "12-12", "13-13"],
      ...{ expired: [], superseded: [], forgotten: [] },
    });
  });

  test("merging again changes nothing, until the next minute has passed", () => {
    const present = [snapshot(1), incremental(2, 4), incremental(5, 7), ...incrementals(8, 13)];
    const now = NOON - 3 * HOUR + HOUR + 2 * MINUTE + 59 * SECOND;
    expect(outlineOf({ present }, hourly, now).merges).toEqual([]);
    expect(outlineOf({ present }, hourly, now + SECOND).merges).toEqual(["8-10 of 3"]);
  });

  test("a snapshot that stays is the end of a file, and the files around it stay connected", () => {
    const two = [snapshot(1), ...incrementals(2, HOUR_OF_COMMITS + 10), snapshot(HOUR_OF_COMMITS + 3)];
    expect(outlineOf({ present: two }, hourly)).toMatchObject({
      snapshots: [`${HOUR_OF_COMMITS + 3}: newest hourly`, "1: hourly"],
      expired: [],
      untouched: ["184-184"],
    });
    // 10:00:20 is a restore point of its own now, in the minute of 10:00
    expect(outlineOf({ present: two }, hourly).merges).toEqual(
      expect.arrayContaining(["182-183 of 2", "185-187 of 3"]),
    );
  });

  test("it begins with the oldest snapshot of the hourly tier; without that tier, with the newest snapshot", () => {
    const [first, second] = [HOUR_OF_COMMITS, 2 * HOUR_OF_COMMITS];
    const present = [snapshot(1), ...incrementals(2, second + 3), snapshot(first), snapshot(second)];
    const old = incrementals(2, first).map(({ maxTxid }) => `${maxTxid}-${maxTxid}`);
    expect(outlineOf({ present }, policyOf({ hourly: 2 }))).toMatchObject({
      snapshots: [`${second}: newest hourly`, `${first}: hourly`],
      expired: ["1-1", ...old],
    });
    const daily = outlineOf({ present }, policyOf({ daily: 3 }));
    expect(daily).toMatchObject({
      snapshots: [`${second}: newest daily`],
      untouched: ["361-361", "362-362", "363-363"],
    });
    expect(daily.expired).toHaveLength(second + 1);
  });

  test("snapshots between those of the tiers go, and what leads past them stays", () => {
    const later = [...incrementals(3, 13), snapshot(5), snapshot(9)];
    const wide = policyOf({ hourly: 24 }, { fineWindowMs: 24 * HOUR });
    const ofOneHour = outlineOf({ present: [snapshot(2), ...later] }, wide);
    expect(ofOneHour).toMatchObject({
      snapshots: ["9: newest hourly"],
      untouched: ["10-10", "11-11", "12-12", "13-13"],
    });
    const ofTwo = outlineOf({ present: [namedFile(1, 2, NOON - 5 * HOUR), ...later] }, wide);
    expect(ofTwo).toMatchObject({ snapshots: ["9: newest hourly", "2: hourly"], expired: ["1-5"] });
    expect(ofTwo.untouched).toHaveLength(11);
  });
});

describe("a hole in the history", () => {
  const base = namedFile(1, 1, NOON - 5 * HOUR);
  /** A new lineage begins at TXID 8, after the database was away. */
  const present = [base, ...incrementals(2, 6), snapshot(8), ...incrementals(9, 12), snapshot(12)];

  test("a snapshot that no tier keeps stays where nothing else leads on", () => {
    expect(outlineOf({ present }, hourly)).toMatchObject({
      snapshots: ["12: newest hourly", "8: base", "1: hourly"],
      expired: [],
    });
  });

  test("the last point before it stays, whatever its minute", () => {
    const { merges, untouched } = outlineOf({ present }, hourly);
    expect(merges).toEqual(["2-4 of 3", "5-6 of 2", "9-10 of 2", "11-12 of 2"]);
    expect(untouched).toEqual([]);
  });

  test("merges do not reach over it, nor over checksums that do not follow", () => {
    const forked = incremental(4);
    const broken = [
      base,
      ...incrementals(2, 3),
      { ...forked, preApply: checksumAt(3, 1) },
      ...incrementals(5, 7),
    ];
    const plan = outlineOf({ present: broken }, hourly);
    expect(plan).toMatchObject({
      merges: ["2-3 of 2"],
      untouched: ["4-4", "5-5", "6-6", "7-7"],
      expired: [],
    });
  });
});

describe("files that are gone", () => {
  const base = namedFile(1, 1, NOON - 5 * HOUR);

  test("what lies behind them is left alone: they may come back", () => {
    const present = [base, ...incrementals(2, 3), ...incrementals(5, 10), snapshot(10), incremental(11)];
    const plan = outlineOf({ present, missing: [incremental(4)] }, hourly);
    expect(plan).toEqual({
      snapshots: ["10: newest hourly", "1: hourly"],
      merges: ["2-3 of 2"],
      untouched: ["5-5", "6-6", "7-7", "8-8", "9-9", "10-10", "11-11"],
      ...{ expired: [], superseded: [], forgotten: [] },
    });
  });

  test("a snapshot stays that only a missing file leads on from", () => {
    const present = [
      base,
      snapshot(3),
      ...incrementals(5, 6),
      namedFile(1, 6, NOON - 3 * HOUR + 80 * SECOND),
    ];
    const plan = outlineOf({ present, missing: [incremental(4)] }, policyOf({ hourly: 2 }));
    expect(plan.snapshots).toEqual(["6: newest hourly", "3: base", "1: hourly"]);
  });

  test("their names go where no restore point that stays would need them", () => {
    const present = [base, ...incrementals(2, 3), incremental(2, 8), snapshot(300), incremental(301)];
    expect(outlineOf({ present, missing: [incremental(5)] }, hourly).forgotten).toEqual(["5-5"]);
    const newest = policyOf({ daily: 1 });
    expect(outlineOf({ present, missing: [incremental(20), snapshot(30)] }, newest).forgotten).toEqual([
      "20-20",
      "1-30",
    ]);
  });

  test("a snapshot that the retention would keep is not forgotten", () => {
    const present = [base, snapshot(300), incremental(301)];
    const missing = [namedFile(1, 30, NOON - 4 * HOUR)];
    expect(outlineOf({ present, missing }, hourly).forgotten).toEqual([]);
  });

  test("without any snapshot nothing happens", () => {
    const present = incrementals(2, 9);
    const everything = present.map(({ maxTxid }) => `${maxTxid}-${maxTxid}`);
    expect(outlineOf({ present, missing: [base] }, hourly)).toEqual({
      ...{ snapshots: [], merges: [], expired: [], superseded: [], forgotten: [] },
      untouched: everything,
    });
  });
});

describe("leftovers of crashes", () => {
  const base = namedFile(1, 1, NOON - 5 * HOUR);

  test.each<[string, Situation, object]>([
    [
      "a merge whose sources were never deleted",
      { present: [base, incremental(2, 4), ...incrementals(2, 5)] },
      { superseded: ["2-2", "3-3", "4-4"], untouched: ["2-4", "5-5"] },
    ],
    [
      "some of its sources are gone already, whichever",
      { present: [base, incremental(2, 4), incremental(3), incremental(4), incremental(5)] },
      { superseded: ["3-3", "4-4"], untouched: ["2-4", "5-5"] },
    ],
    [
      "or others",
      { present: [base, incremental(2, 4), incremental(3), incremental(5)] },
      { superseded: ["3-3"], untouched: ["2-4", "5-5"] },
    ],
    [
      "a merge that no manifest names, and nobody read, takes nothing away",
      { present: [base, { ...unnamedFile(2, 4, incremental(4).timestampMs ?? 0) }, ...incrementals(3, 4)] },
      { superseded: [] },
    ],
    [
      "incrementals without a base, older than the fine history",
      { present: [...incrementals(4, 9), snapshot(9), incremental(10)] },
      { expired: ["4-4", "5-5", "6-6", "7-7", "8-8", "9-9"], untouched: ["10-10"] },
    ],
    [
      "a file of another history is none",
      {
        present: [
          base,
          incremental(2, 4),
          ...incrementals(2, 3),
          { ...incremental(4, 4), preApply: checksumAt(3, 1), postApply: checksumAt(4, 1) },
        ],
      },
      { superseded: ["2-2", "3-3"], untouched: ["2-4", "4-4"] },
    ],
    [
      "nor is one of which only the header was read, and which begins elsewhere",
      {
        present: [
          ...[base, ...incrementals(2, 5)],
          { ...unnamedFile(3, 4, incremental(4).timestampMs ?? 0), preApply: checksumAt(2, 1) },
        ],
      },
      // what would be merged has its name
      { superseded: [], untouched: ["2-2", "3-3", "3-4", "4-4", "5-5"], merges: [] },
    ],
  ])("%s", (_, situation, expected) => {
    expect(outlineOf(situation, hourly)).toMatchObject(expected);
  });

  test("what follows nothing any more, and says that a snapshot's point is one of the fine history: both stay", () => {
    const at = NOON - 3 * HOUR;
    const present = [
      namedFile(1, 1, NOON - 5 * HOUR),
      ...[namedFile(3, 3, at), namedFile(1, 3, at)],
      ...[namedFile(2, 4, at + SECOND), namedFile(1, 5, at + 2 * SECOND)],
    ];
    expect(outlineOf({ present }, policyOf({ hourly: 2 }))).toMatchObject({
      snapshots: ["5: newest hourly", "3: base", "1: hourly"],
      ...{ untouched: ["3-3", "2-4"], superseded: [], expired: [] },
    });
    // No point is restored by it where the snapshot is not there, or stays by itself.
    const without = present.filter(({ minTxid, maxTxid }) => minTxid !== 1n || maxTxid !== 3n);
    expect(outlineOf({ present: without }, policyOf({ hourly: 2 }))).toMatchObject({ superseded: ["3-3"] });
    const stays = present.filter(({ maxTxid }) => maxTxid !== 5n);
    expect(outlineOf({ present: stays }, policyOf({ hourly: 2 }))).toMatchObject({ superseded: ["3-3"] });
  });

  test("a merge that reaches over points that are wanted again goes, and its sources stay", () => {
    const present = [base, incremental(2, 4), ...incrementals(2, 5)];
    const wide = policyOf({ hourly: 24 }, { fineWindowMs: 24 * HOUR });
    expect(outlineOf({ present }, wide)).toMatchObject({
      superseded: ["2-4"],
      untouched: ["2-2", "3-3", "4-4", "5-5"],
    });
  });
});

describe("what is not ours to touch", () => {
  const base = namedFile(1, 1, NOON - 5 * HOUR);

  test("files that a writer may be about to name", () => {
    const fresh = [unnamedFile(5, 5, NOON), unnamedFile(6, 6, NOON)];
    const young = namedFile(1, 4, NOON - MINUTE, { bodySha256: undefined, postApply: undefined });
    const present = [base, ...incrementals(2, 4), ...fresh, young, snapshot(3)];
    const plan = outlineOf({ present, unsettled: [...fresh, young] }, policyOf({ daily: 1 }));
    expect(plan).toMatchObject({
      snapshots: ["4: unsettled", "3: newest daily"],
      untouched: ["4-4", "5-5", "6-6"],
      merges: [],
    });
  });

  test("nothing goes in favour of a snapshot that is still to be named: its writer would name what went", () => {
    const young = namedFile(1, 4, NOON, { bodySha256: undefined });
    const present = [base, ...incrementals(2, 4), snapshot(3), young];
    for (const policy of [policyOf({ daily: 1 }), hourly])
      expect(outlineOf({ present, unsettled: [young] }, policy).snapshots).toContainEqual(
        expect.stringMatching(/^3: newest/),
      );
  });

  test("what such a file hangs on stays, also where a snapshot leads to its end", () => {
    const fresh = [unnamedFile(5, 5, NOON - SECOND), namedFile(1, 5, NOON, { bodySha256: undefined })];
    const present = [base, ...incrementals(2, 4), ...fresh];
    expect(outlineOf({ present, unsettled: fresh }, policyOf({ daily: 1 }))).toMatchObject({
      snapshots: ["5: unsettled", "1: newest daily"],
      merges: ["2-4 of 3"],
      untouched: ["5-5"],
      expired: [],
    });
  });

  test("a merge that was made across a snapshot whose upload took long: nothing that leads on is lost", () => {
    const present = [base, ...incrementals(2, 4), incremental(5, 9), ...incrementals(10, 12), snapshot(7)];
    for (const policy of [hourly, policyOf({ daily: 1 })]) {
      const plan = outlineOf({ present }, policy);
      expect(plan.snapshots.map((text) => text.split(":")[0])).toEqual(["7", "1"]);
      expect(plan.expired).toEqual([]);
    }
  });

  test("damaged files: nothing builds on them, and no merge takes their place", () => {
    const damaged = incremental(2, 4);
    const plan = outlineOf({ present: [base, ...incrementals(2, 7)], unusable: [damaged] }, hourly);
    expect(plan).toMatchObject({
      merges: ["5-7 of 3"],
      untouched: ["2-2", "3-3", "2-4", "4-4"],
      superseded: [],
    });
  });

  test("NoChecksum files, since nothing proves that they belong together", () => {
    const unproven = incrementals(2, 7).map((file) => ({ ...file, preApply: 0n, postApply: 0n }));
    expect(outlineOf({ present: [base, ...unproven] }, hourly).merges).toEqual([]);
  });

  test("two histories: it is not for us to choose one", () => {
    const other = { ...incremental(3, 4), preApply: checksumAt(2), postApply: checksumAt(4, 1) };
    const files = surveyed({ present: [base, ...incrementals(2, 9), other] });
    expect(() => planCompaction(files, hourly, NOON)).toThrow(
      expect.objectContaining({ code: "INTEGRITY_CHAIN" }),
    );
  });
});

describe("clocks", () => {
  test("a clock that was set back orders nothing: the newest TXID is the newest (pitfall 44)", () => {
    const times = [10, 11, 3, 4].map((hour) => Date.UTC(2026, 0, 31, hour));
    const present = times.map((atMs, index) => namedFile(1, index + 1, atMs));
    expect(outlineOf({ present }, policyOf({ hourly: 1 })).snapshots).toEqual(["4: newest hourly"]);
    // by the timeline all behind the second are of the eleventh hour
    expect(outlineOf({ present }, policyOf({ hourly: 24 })).snapshots).toEqual([
      "4: newest hourly",
      "1: hourly",
    ]);
  });

  test("a chain across eight digits is ordered by numbers (pitfall 32)", () => {
    const last = 99_999_999;
    const at = (txid: number) => NOON - 3 * HOUR + (txid - last + 1) * 20 * SECOND;
    const present = [last - 1, last, last + 1, last + 2, last + 3].map((txid) =>
      namedFile(txid, txid, at(txid)),
    );
    const base = namedFile(1, last - 2, NOON - 5 * HOUR);
    expect(outlineOf({ present: [base, ...present] }, hourly).merges).toEqual([
      "99999998-100000000 of 3",
      "100000001-100000002 of 2",
    ]);
  });
});
