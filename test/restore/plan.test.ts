import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { isWalrustError, type WalrustError } from "../../src/errors.ts";
import { headersNeeded, planRestore, type RestorePlan, type RestoreTarget } from "../../src/restore/plan.ts";
import type { RestoreFile, RestoreFiles } from "../../src/restore/restore-file.ts";

type FileOptions = Partial<RestoreFile>;

/** A file of TXIDs `min` to `max`, captured at `max` seconds. */
function file(min: number, max: number, options: FileOptions = {}): RestoreFile {
  return {
    key: `app/${String(min).padStart(8, "0")}-${String(max).padStart(8, "0")}.ltx`,
    minTxid: BigInt(min),
    maxTxid: BigInt(max),
    sizeBytes: min === 1 ? 1_000_000 : 1000,
    lastModifiedMs: undefined,
    timestampMs: max * 1000,
    isRepair: false,
    preApply: undefined,
    postApply: undefined,
    bodySha256: undefined,
    ...options,
  };
}

function filesOf(
  present: readonly RestoreFile[],
  missing: readonly RestoreFile[] = [],
  headTxid?: number,
): RestoreFiles {
  const last = [...present, ...missing].reduce((head, { maxTxid }) => (maxTxid > head ? maxTxid : head), 0n);
  return { name: "app", present, missing, headTxid: headTxid === undefined ? last : BigInt(headTxid) };
}

const latest: RestoreTarget = { kind: "latest" };
const txid = (value: number | bigint): RestoreTarget => ({ kind: "txid", txid: BigInt(value) });
const time = (timestampMs: number, nearest?: boolean): RestoreTarget => ({
  kind: "time",
  timestampMs,
  ...(nearest === undefined ? {} : { nearest }),
});

function names(plan: RestorePlan): string[] {
  return plan.files.map(({ minTxid, maxTxid }) => `${minTxid}-${maxTxid}`);
}

function failure(files: RestoreFiles, target: RestoreTarget): WalrustError {
  try {
    planRestore(files, target);
  } catch (error) {
    if (isWalrustError(error)) return error;
    throw error;
  }
  throw new Error("it was planned");
}

describe("which files", () => {
  const history = [file(1, 1), file(2, 10), file(11, 20), file(1, 20), file(21, 21), file(22, 30)];

  test.each<[string, RestoreTarget, string[]]>([
    ["latest, from the newest snapshot", latest, ["1-20", "21-21", "22-30"]],
    ["the last TXID", txid(30), ["1-20", "21-21", "22-30"]],
    ["a snapshot itself", txid(20), ["1-20"]],
    ["a point before the newest snapshot", txid(10), ["1-1", "2-10"]],
    ["the first snapshot", txid(1), ["1-1"]],
    ["the time of a commit", time(21_000), ["1-20", "21-21"]],
    ["a time between commits", time(29_999), ["1-20", "21-21"]],
    ["a time before the newest snapshot", time(19_000), ["1-1", "2-10"]],
    ["a time after everything", time(99_000), ["1-20", "21-21", "22-30"]],
  ])("%s", (_what, target, expected) => {
    const plan = planRestore(filesOf(history), target);
    expect(names(plan)).toEqual(expected);
    expect(plan.point.txid).toBe(plan.files.at(-1)?.maxTxid);
    expect(plan.headTxid).toBe(30n);
    expect(plan.totalBytes).toBe(plan.files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0));
  });

  test("a time after everything says so", () => {
    expect(planRestore(filesOf(history), time(30_000))).toMatchObject({
      match: "exact",
      point: { txid: 30n, timestampMs: 30_000 },
    });
    expect(planRestore(filesOf(history), time(30_001))).toMatchObject({
      match: "after-last",
      point: { timestampMs: 30_000 },
    });
  });

  test("the order in which files come does not matter, and TXIDs are numbers", () => {
    const wide = [
      file(1, 99_999_998),
      file(99_999_999, 99_999_999),
      file(100_000_000, 100_000_001),
      file(100_000_002, 100_000_002),
    ];
    for (const files of [wide, wide.toReversed()]) {
      expect(planRestore(filesOf(files), latest).point.txid).toBe(100_000_002n);
      expect(names(planRestore(filesOf(files), latest))).toHaveLength(4);
    }
  });

  test("TXIDs beyond 2^53 stay exact", () => {
    const high = 2n ** 53n + 1n;
    const files = [file(1, 0, { maxTxid: high }), file(0, 0, { minTxid: high + 1n, maxTxid: high + 1n })];
    expect(planRestore(filesOf(files), txid(high)).files).toEqual([files[0]]);
    expect(planRestore(filesOf(files), latest).files).toEqual(files);
  });

  test("a merged file replaces the short ones, also while they are still there", () => {
    const merged = [file(1, 1), file(2, 2), file(3, 3), file(4, 4), file(2, 4), file(5, 5)];
    expect(names(planRestore(filesOf(merged), latest))).toEqual(["1-1", "2-4", "5-5"]);
    expect(names(planRestore(filesOf(merged), txid(3)))).toEqual(["1-1", "2-2", "3-3"]);
  });

  test("a range that was published once more, longer", () => {
    const files = [file(1, 4), file(5, 7), file(5, 9), file(8, 8), file(10, 12)];
    expect(names(planRestore(filesOf(files), latest))).toEqual(["1-4", "5-9", "10-12"]);
    expect(names(planRestore(filesOf(files), txid(8)))).toEqual(["1-4", "5-7", "8-8"]);
  });

  test("an older snapshot where the way from it is cheaper", () => {
    const files = [file(1, 1, { sizeBytes: 10_000 }), file(2, 2), file(1, 2, { sizeBytes: 5_000_000 })];
    expect(names(planRestore(filesOf(files), latest))).toEqual(["1-1", "2-2"]);
  });

  test("known checksums lead around a file that was made for another database", () => {
    const files = [
      file(1, 1, { postApply: 5n }),
      file(2, 3, { preApply: 6n, postApply: 7n, sizeBytes: 1 }),
      file(2, 2, { preApply: 5n, postApply: 8n }),
      file(3, 3, { preApply: 8n, postApply: 9n }),
    ];
    expect(names(planRestore(filesOf(files), latest))).toEqual(["1-1", "2-2", "3-3"]);
  });

  test("checksums of 0 (NoChecksum files) forbid nothing", () => {
    const files = [
      file(1, 1, { postApply: 0n }),
      file(2, 2, { preApply: 7n, postApply: 0n }),
      file(3, 3, { preApply: 0n }),
    ];
    expect(names(planRestore(filesOf(files), latest))).toEqual(["1-1", "2-2", "3-3"]);
  });
});

describe("nothing to restore", () => {
  test.each<[string, RestoreFiles]>([
    ["no file at all", filesOf([])],
    ["incrementals without a snapshot", filesOf([file(2, 3), file(4, 4)])],
  ])("%s", (_what, files) => {
    for (const target of [latest, txid(3), txid(2), time(5000), time(3500)]) {
      expect(failure(files, target)).toMatchObject({ code: "RESTORE_NOTHING", exitCode: 6 });
    }
  });
});

describe("points that are not there", () => {
  const history = filesOf([file(1, 5), file(6, 10), file(11, 20)]);

  test.each<[string, RestoreTarget, string | null, string | null]>([
    ["a TXID between restore points", txid(7), "5", "10"],
    ["a TXID beyond the end", txid(21), "20", null],
    ["a TXID before the first snapshot", txid(3), null, "5"],
    ["TXID 0", txid(0), null, "5"],
    ["a time before the first restore point", time(4_999), null, "5"],
  ])("%s: exit 6 names the nearest", (_what, target, before, after) => {
    expect(failure(history, target)).toMatchObject({
      code: "RESTORE_UNREACHABLE",
      exitCode: 6,
      details: {
        first_txid: "5",
        last_txid: "20",
        first_time: "1970-01-01T00:00:05.000Z",
        last_time: "1970-01-01T00:00:20.000Z",
        before_txid: before,
        after_txid: after,
      },
    });
  });

  test("--nearest does not help before the first restore point", () => {
    expect(failure(history, time(1000, true)).code).toBe("RESTORE_UNREACHABLE");
  });
});

describe("holes of the history", () => {
  const repaired = filesOf([
    file(1, 1),
    file(2, 5),
    file(6, 7, { isRepair: true, timestampMs: 60_000 }),
    file(8, 8, { timestampMs: 61_000 }),
  ]);

  test("a time within a repair's span: exit 6 names the points on either side", () => {
    expect(failure(repaired, time(30_000))).toMatchObject({
      code: "RESTORE_UNREACHABLE",
      details: {
        before_txid: "5",
        before_time: "1970-01-01T00:00:05.000Z",
        after_txid: "7",
        after_time: "1970-01-01T00:01:00.000Z",
      },
    });
  });

  test("--nearest takes the point before it", () => {
    expect(planRestore(repaired, time(30_000, true))).toMatchObject({
      match: "nearest",
      point: { txid: 5n },
    });
  });

  test.each([
    [5_000, 5n],
    [60_000, 7n],
    [60_500, 7n],
    [61_000, 8n],
    [4_000, 1n],
  ])("the points beside it are exact: at %d ms TXID %d", (timestampMs, expected) => {
    expect(planRestore(repaired, time(timestampMs))).toMatchObject({
      match: "exact",
      point: { txid: expected },
    });
    expect(planRestore(repaired, time(timestampMs, true)).match).toBe("exact");
  });

  test("TXIDs and the latest state are reached across a repair", () => {
    expect(names(planRestore(repaired, latest))).toEqual(["1-1", "2-5", "6-7", "8-8"]);
  });

  test.each<[string, RestoreFile[]]>([
    ["pruned between two snapshots", [file(1, 5), file(1, 20), file(21, 22)]],
    [
      "a new snapshot after a gap",
      [file(1, 5), file(1, 6, { timestampMs: 20_000 }), file(7, 7, { timestampMs: 21_000 })],
    ],
    ["left over from pruning", [file(1, 5), file(8, 9), file(1, 20), file(21, 22)]],
  ])("%s: no time in between is exact", (_what, present) => {
    const files = filesOf(present);
    for (const timestampMs of [5_001, 12_000, 19_999]) {
      expect(failure(files, time(timestampMs))).toMatchObject({
        code: "RESTORE_UNREACHABLE",
        details: { before_txid: "5" },
      });
      expect(planRestore(files, time(timestampMs, true))).toMatchObject({
        match: "nearest",
        point: { txid: 5n },
      });
    }
    expect(planRestore(files, latest).match).toBe("exact");
  });

  test("a point left over from pruning is not reachable, and nothing is lost by it", () => {
    expect(failure(filesOf([file(1, 5), file(8, 9), file(1, 20)]), txid(9))).toMatchObject({
      code: "RESTORE_UNREACHABLE",
      details: { before_txid: "5", after_txid: "20" },
    });
  });
});

describe("what is lost is never silent", () => {
  const present = [file(1, 1), file(2, 10)];
  const gone = file(11, 20);

  test("the newest object, named by the manifest", () => {
    const files = filesOf(present, [gone]);
    for (const target of [latest, txid(20), time(20_000), time(99_000), time(20_000, true)]) {
      expect(failure(files, target)).toMatchObject({
        code: "INTEGRITY_MISSING",
        exitCode: 5,
        details: { objects: gone.key },
      });
    }
    expect(names(planRestore(files, txid(10)))).toEqual(["1-1", "2-10"]);
    expect(names(planRestore(files, time(15_000)))).toEqual(["1-1", "2-10"]);
  });

  test("an object in the middle, implied by those behind it", () => {
    const files = filesOf([...present, file(21, 30)]);
    for (const target of [latest, txid(30), txid(25), txid(15), time(30_000), time(99_000, true)]) {
      expect(failure(files, target)).toMatchObject({
        code: "INTEGRITY_MISSING",
        details: { first_txid: "11", last_txid: "20", last_reachable_txid: "10" },
      });
    }
    // Which commits fell into the hole is not known, but that some did is.
    expect(failure(files, time(15_000)).code).toBe("RESTORE_UNREACHABLE");
    expect(names(planRestore(files, txid(10)))).toEqual(["1-1", "2-10"]);
  });

  test("only the manifest knows the head", () => {
    const files = filesOf(present, [], 12);
    for (const target of [latest, txid(12), time(10_001)]) {
      expect(failure(files, target)).toMatchObject({
        code: "INTEGRITY_MISSING",
        details: { first_txid: "11", last_txid: "12" },
      });
    }
    expect(planRestore(files, time(10_000)).point.txid).toBe(10n);
  });

  test("the only snapshot", () => {
    const snapshot = file(1, 1);
    for (const target of [latest, txid(1), time(99_000), time(2_500)]) {
      expect(failure(filesOf([file(2, 2), file(3, 3)], [snapshot]), target)).toMatchObject({
        code: "INTEGRITY_MISSING",
        details: { objects: snapshot.key },
      });
    }
  });

  test("a lost snapshot that others make up for is not needed", () => {
    expect(names(planRestore(filesOf([file(1, 1), file(2, 5), file(6, 6)], [file(1, 5)]), latest))).toEqual([
      "1-1",
      "2-5",
      "6-6",
    ]);
  });

  test("files that begin within a longer one leave no state to begin with", () => {
    expect(failure(filesOf([file(1, 1), file(2, 10), file(5, 15)]), latest)).toMatchObject({
      code: "INTEGRITY_MISSING",
      details: { first_txid: "2", last_txid: "4" },
    });
  });

  test("a file that was made for another database", () => {
    const files = filesOf([file(1, 1, { postApply: 5n }), file(2, 2, { preApply: 6n, postApply: 7n })]);
    expect(failure(files, latest)).toMatchObject({
      code: "INTEGRITY_CHAIN",
      exitCode: 5,
      details: { object: files.present[1]?.key },
    });
    expect(names(planRestore(files, txid(1)))).toEqual(["1-1"]);
  });

  test("two histories under one name", () => {
    const files = filesOf([
      file(1, 1, { postApply: 5n }),
      file(2, 3, { preApply: 5n, postApply: 6n }),
      file(2, 2, { preApply: 5n, postApply: 7n }),
      file(3, 3, { preApply: 7n, postApply: 8n }),
      file(4, 4, { preApply: 8n, postApply: 9n }),
    ]);
    expect(failure(files, txid(3)).code).toBe("INTEGRITY_CHAIN");
    expect(names(planRestore(files, latest))).toEqual(["1-1", "2-2", "3-3", "4-4"]);
  });
});

describe("time", () => {
  test("a clock that was set back does not reorder commits", () => {
    const files = filesOf([
      file(1, 1),
      file(2, 2, { timestampMs: 9_000 }),
      file(3, 3, { timestampMs: 4_000 }),
      file(4, 4, { timestampMs: 9_500 }),
    ]);
    expect(planRestore(files, time(5_000)).point.txid).toBe(1n);
    expect(planRestore(files, time(9_000)).point).toEqual({ txid: 3n, timestampMs: 9_000 });
    expect(planRestore(files, time(9_499)).point.txid).toBe(3n);
  });

  test("a snapshot made long after its last commit does not make the commit later", () => {
    const files = filesOf([file(1, 1), file(2, 2), file(1, 2, { timestampMs: 3_600_000 })]);
    expect(planRestore(files, time(60_000))).toMatchObject({
      match: "after-last",
      point: { txid: 2n, timestampMs: 2_000 },
    });
  });

  test("headers are asked for first: of files without a time, then of those on either side of the time", () => {
    const unread = { timestampMs: undefined, isRepair: undefined };
    const known = file(2, 2, { isRepair: undefined });
    const following = file(3, 3, { isRepair: undefined });
    const newer = file(4, 4, unread);
    const files = filesOf([file(1, 1, { isRepair: undefined }), known, following, newer]);
    expect(headersNeeded(files, latest)).toEqual([]);
    expect(headersNeeded(files, txid(4))).toEqual([]);
    expect(headersNeeded(files, time(2_500))).toEqual([newer]);
    expect(failure(files, time(2_500)).code).toBe("INTERNAL");

    const read = filesOf([file(1, 1), known, following, file(4, 4)]);
    expect(headersNeeded(read, time(2_500))).toEqual([known, following]);
    expect(headersNeeded(read, time(4_500))).toEqual([]);
    expect(headersNeeded(read, time(500)), "the first may be older than the manifest says").toEqual([known]);
    expect(
      planRestore(filesOf([file(1, 1), file(2, 2), file(3, 3), file(4, 4)]), time(2_500)).point.txid,
    ).toBe(2n);
  });
});

describe("against brute force", () => {
  const COST_OF_A_FILE = 65536;
  const anyFile = (checksums: boolean) =>
    fc
      .record({
        min: fc.integer({ min: 1, max: 9 }),
        length: fc.integer({ min: 0, max: 4 }),
        sizeBytes: fc.integer({ min: 1, max: 200_000 }),
        timestampMs: fc.integer({ min: 0, max: 12 }),
        isRepair: fc.boolean(),
        pre: fc.constantFrom(undefined, 1n, 2n),
        post: fc.constantFrom(undefined, 1n, 2n),
      })
      .map(({ min, length, sizeBytes, timestampMs, isRepair, pre, post }) =>
        file(min, min + length, {
          sizeBytes,
          timestampMs,
          isRepair: min > 1 && isRepair,
          preApply: checksums && min > 1 ? pre : undefined,
          postApply: checksums ? post : undefined,
        }),
      );
  const manyFiles = (checksums = false) =>
    fc.uniqueArray(anyFile(checksums), { selector: ({ key }) => key, maxLength: 14, size: "max" });

  /** Every exact chain to a TXID. */
  function allChains(files: readonly RestoreFile[], to: bigint): RestoreFile[][] {
    return files
      .filter(({ maxTxid }) => maxTxid === to)
      .flatMap((last) => {
        if (last.minTxid === 1n) return [[last]];
        return allChains(files, last.minTxid - 1n)
          .filter((below) => {
            const { postApply } = below.at(-1) ?? last;
            return !postApply || !last.preApply || postApply === last.preApply;
          })
          .map((below) => [...below, last]);
      });
  }

  const costOf = (chain: readonly RestoreFile[]) =>
    chain.reduce((sum, { sizeBytes }) => sum + sizeBytes + COST_OF_A_FILE, 0);
  const txids = Array.from({ length: 15 }, (_, i) => BigInt(i));

  test.each([false, true])(
    "a TXID is planned exactly when there is a chain, and then by the cheapest (checksums: %s)",
    (checksums) => {
      fc.assert(
        fc.property(manyFiles(checksums), (present) => {
          const files = filesOf(present);
          for (const wanted of txids) {
            const chains = allChains(present, wanted);
            const endings = new Set(chains.map((chain) => chain.at(-1)?.postApply).filter(Boolean));
            if (chains.length === 0 || endings.size > 1) {
              const { code } = failure(files, txid(wanted));
              if (chains.length > 0) expect(code).toBe("INTEGRITY_CHAIN");
              else
                expect(code).toMatch(/RESTORE_NOTHING|RESTORE_UNREACHABLE|INTEGRITY_MISSING|INTEGRITY_CHAIN/);
            } else {
              const plan = planRestore(files, txid(wanted));
              expect(chains).toContainEqual(plan.files);
              expect(costOf(plan.files)).toBe(Math.min(...chains.map(costOf)));
            }
          }
        }),
        { numRuns: 300 },
      );
    },
  );

  test("the code says whose fault it is", () => {
    fc.assert(
      fc.property(manyFiles(), manyFiles(), (all, lost) => {
        const missing = all.filter(({ key }) => lost.some((other) => other.key === key));
        const present = all.filter((one) => !missing.includes(one));
        const files = filesOf(present, missing);
        const reachable = txids.filter((to) => allChains(present, to).length > 0);
        for (const wanted of txids) {
          if (reachable.includes(wanted)) continue;
          const { code } = failure(files, txid(wanted));
          if (all.length === 0) expect(code).toBe("RESTORE_NOTHING");
          else if (wanted <= files.headTxid && allChains(all, wanted).length > 0)
            expect(code).toBe("INTEGRITY_MISSING");
          else if (wanted > files.headTxid) expect(code).toMatch(/RESTORE_UNREACHABLE|RESTORE_NOTHING/);
          else if (reachable.length > 0 && wanted > (reachable.at(-1) ?? 0n))
            expect(code).toBe("INTEGRITY_MISSING");
          else if (reachable.length > 0) expect(code).toBe("RESTORE_UNREACHABLE");
          else if (missing.some(({ minTxid }) => minTxid === 1n)) expect(code).toBe("INTEGRITY_MISSING");
          else expect(code).toBe("RESTORE_NOTHING");
        }
      }),
      { numRuns: 300 },
    );
  });

  test("a time gives the last commit at or before it, or fails", () => {
    fc.assert(
      fc.property(
        manyFiles(),
        fc.integer({ min: 0, max: 13 }),
        fc.boolean(),
        (present, timestampMs, nearest) => {
          const files = filesOf(present);
          const ends = [...new Set(present.map(({ maxTxid }) => maxTxid))].sort((a, b) => Number(a - b));
          const ownTime = (to: bigint) =>
            Math.min(...present.filter((f) => f.maxTxid === to).map((f) => f.timestampMs ?? 0));
          const timeOf = (to: bigint) => Math.max(...ends.filter((end) => end <= to).map(ownTime));
          const reachable = (to: bigint) => allChains(present, to).length > 0;
          const before = ends.filter((end) => timeOf(end) <= timestampMs).at(-1);
          const after = ends.find((end) => before === undefined || end > before);
          const covered =
            before !== undefined &&
            present.some(
              (f) => f.minTxid !== 1n && !f.isRepair && f.minTxid <= before + 1n && before + 1n <= f.maxTxid,
            );
          const between = before !== undefined && timestampMs > timeOf(before);
          const exact =
            before !== undefined && reachable(before) && !(between && after !== undefined && !covered);

          let plan: RestorePlan | undefined;
          try {
            plan = planRestore(files, time(timestampMs, nearest));
          } catch (error) {
            expect(isWalrustError(error)).toBe(true);
          }
          if (exact) {
            expect(plan?.point).toEqual({ txid: before, timestampMs: timeOf(before) });
            expect(plan?.match).toBe(between && after === undefined ? "after-last" : "exact");
          } else if (plan) {
            expect(nearest && plan.match === "nearest").toBe(true);
            expect(plan.point.txid).toBe(
              ends.filter((end) => before !== undefined && end <= before && reachable(end)).at(-1),
            );
          } else {
            // What --nearest refuses is either before everything or lost.
            const earlier = before !== undefined && ends.some((end) => end <= before && reachable(end));
            const lost =
              before !== undefined &&
              !reachable(before) &&
              !ends.some((end) => end > before && reachable(end));
            if (nearest) expect(earlier && !lost).toBe(false);
          }
        },
      ),
      { numRuns: 1500 },
    );
  });
});
