import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { isWalrustError } from "../../src/errors.ts";
import { listedFile } from "../../src/follow/source-files.ts";
import { Chains } from "../../src/restore/chains.ts";
import { planRestore, type RestorePlan, type RestoreTarget } from "../../src/restore/plan.ts";
import {
  isSnapshotFile,
  knownFiles,
  type RestoreFile,
  type RestoreFiles,
} from "../../src/restore/restore-file.ts";
import { timelineOf } from "../../src/restore/timeline.ts";
import { runs } from "../helpers/property-runs.ts";

/** A database by its pages: which commit wrote each last; page `i` is at `i - 1`. */
type State = readonly number[];

/** Sizes of the database after each commit, and which pages the commit writes. */
const anyHistory = fc.array(
  fc.record({
    pages: fc.integer({ min: 1, max: 6 }),
    writes: fc.uniqueArray(fc.integer({ min: 1, max: 6 }), { maxLength: 3 }),
  }),
  { minLength: 1, maxLength: 9 },
);
type Commits = typeof anyHistory extends fc.Arbitrary<infer T> ? T : never;

function statesOf(commits: Commits): State[] {
  const states: State[] = [[]];
  for (const [i, { pages, writes }] of commits.entries()) {
    const before = states.at(-1) ?? [];
    states.push(
      Array.from({ length: pages }, (_, at) => {
        const isNew = at >= before.length || writes.includes(at + 1);
        return isNew ? i + 1 : (before[at] ?? 0);
      }),
    );
  }
  return states;
}

/** What a file holds: all pages of its last state that changed in it; of a snapshot, all. */
function apply(state: State, { minTxid, maxTxid }: RestoreFile, states: readonly State[]): State {
  const after = states[Number(maxTxid)] ?? [];
  const [first, last] = [Number(minTxid), Number(maxTxid)];
  const isIn = (page: number) => minTxid === 1n || (page >= first && page <= last);
  return after.map((page, at) => (isIn(page) ? page : (state[at] ?? -1)));
}

interface Shape {
  readonly min: number;
  readonly length: number;
  readonly level: number;
  readonly kiB: number;
}

const anyShape: fc.Arbitrary<Shape> = fc.record({
  min: fc.oneof(fc.constant(1), fc.integer({ min: 1, max: 9 })),
  length: fc.nat(5),
  level: fc.nat(3),
  kiB: fc.constantFrom(1, 1, 64, 200),
});

function filesOf(shapes: readonly Shape[], head: number, layout: "walrust" | "litestream"): RestoreFile[] {
  const files = new Map<string, RestoreFile>();
  for (const { min, length, level, kiB } of shapes) {
    const max = Math.min(min + length, head);
    if (max < min) continue;
    const own = layout === "litestream" ? { level: min === 1 ? 9 : level } : {};
    const key = `${layout === "litestream" ? own.level : ""}/${min}-${max}`;
    files.set(
      key,
      listedFile({ key, minTxid: BigInt(min), maxTxid: BigInt(max), sizeBytes: kiB * 1024, ...own }),
    );
  }
  return [...files.values()];
}

function restoreFiles(present: readonly RestoreFile[], missing: readonly RestoreFile[] = []): RestoreFiles {
  const headTxid = [...present, ...missing].reduce(
    (head, { maxTxid }) => (maxTxid > head ? maxTxid : head),
    0n,
  );
  return { name: "app", present, missing, headTxid };
}

function planned(files: RestoreFiles, target: RestoreTarget): RestorePlan | undefined {
  try {
    return planRestore(files, target);
  } catch (error) {
    expect(
      isWalrustError(error, "RESTORE_NOTHING", "RESTORE_UNREACHABLE", "INTEGRITY_MISSING", "INTEGRITY_CHAIN"),
      String(error),
    ).toBe(true);
    return undefined;
  }
}

/** What can follow a state by the rules of a layout, tried one after the other. */
function reachable(files: readonly RestoreFile[]): Set<bigint> {
  const reached = new Set(files.filter(isSnapshotFile).map(({ maxTxid }) => maxTxid));
  for (let size = -1; size !== reached.size; ) {
    size = reached.size;
    for (const { minTxid, maxTxid, level } of files) {
      const fits = (at: bigint) =>
        at === minTxid - 1n || (level !== undefined && at >= minTxid && at < maxTxid);
      if (!isSnapshotFile({ minTxid }) && [...reached].some(fits)) reached.add(maxTxid);
    }
  }
  return reached;
}

describe.each(["walrust", "litestream"] as const)(
  "whatever files there are in the layout of %s",
  (layout) => {
    const scenes = fc.record({
      commits: anyHistory,
      shapes: fc.array(anyShape, { maxLength: 16, size: "max" }),
    });

    test("what is planned gives exactly the pages of the commit, and what has a way is planned", () => {
      fc.assert(
        fc.property(scenes, ({ commits, shapes }) => {
          const states = statesOf(commits);
          const present = filesOf(shapes, commits.length, layout);
          const ways = reachable(present);
          for (let txid = 0; txid <= commits.length + 1; txid += 1) {
            const plan = planned(restoreFiles(present), { kind: "txid", txid: BigInt(txid) });
            expect(plan !== undefined, `TXID ${txid}`).toBe(ways.has(BigInt(txid)));
            if (plan === undefined) continue;
            const state = plan.files.reduce<State>((before, file) => apply(before, file, states), []);
            expect(state, `TXID ${txid} by ${plan.files.map(({ key }) => key)}`).toEqual(states[txid]);
          }
        }),
        runs(400),
      );
    });

    test("the order in which files are listed decides nothing", () => {
      fc.assert(
        fc.property(
          scenes.chain(({ commits, shapes }) => {
            const present = filesOf(shapes, commits.length, layout);
            return fc.record({
              present: fc.constant(present),
              shuffled: fc.shuffledSubarray(present, { minLength: present.length }),
            });
          }),
          ({ present, shuffled }) => {
            for (let txid = 1n; txid <= 9n; txid += 1n) {
              const [one, other] = [present, shuffled].map((files) =>
                planned(restoreFiles(files), { kind: "txid", txid }),
              );
              expect(other?.totalBytes).toBe(one?.totalBytes);
              expect(other?.files.map(({ key }) => key)).toEqual(one?.files.map(({ key }) => key));
            }
          },
        ),
        runs(200),
      );
    });
  },
);

describe("points in time", () => {
  const timed = fc.uniqueArray(
    fc
      .record({
        min: fc.oneof(fc.constant(1), fc.integer({ min: 1, max: 9 })),
        length: fc.nat(4),
        timestampMs: fc.integer({ min: 0, max: 20 }),
        isRepair: fc.boolean(),
        isGone: fc.nat(5).map((n) => n === 0),
      })
      .map(({ min, length, timestampMs, isRepair, isGone }) => ({
        isGone,
        file: {
          ...listedFile({
            key: `${min}-${min + length}`,
            minTxid: BigInt(min),
            maxTxid: BigInt(min + length),
            sizeBytes: 1000,
          }),
          ...{ timestampMs, isRepair: min > 1 && isRepair },
        },
      })),
    { selector: ({ file }) => file.key, maxLength: 14, size: "max" },
  );
  const split = (drawn: typeof timed extends fc.Arbitrary<infer T> ? T : never) =>
    restoreFiles(
      drawn.filter(({ isGone }) => !isGone).map(({ file }) => file),
      drawn.filter(({ isGone }) => isGone).map(({ file }) => file),
    );

  test("the timeline never goes back, whatever the clocks of the writers did", () => {
    fc.assert(
      fc.property(timed, (drawn) => {
        const files = split(drawn);
        const points = timelineOf(knownFiles(files));
        for (const [i, { txid, timestampMs }] of points.entries()) {
          const ends = knownFiles(files).filter(({ maxTxid }) => maxTxid === txid);
          const own = Math.min(...ends.map((file) => file.timestampMs ?? 0));
          const before = points[i - 1];
          expect(timestampMs).toBe(Math.max(own, before?.timestampMs ?? own));
          if (before) expect(txid > before.txid).toBe(true);
        }
        expect(points.map(({ txid }) => txid)).toEqual(
          [...new Set(knownFiles(files).map(({ maxTxid }) => maxTxid))].sort((a, b) => Number(a - b)),
        );
      }),
      runs(500),
    );
  });

  test("a later time never gives an earlier state, and no state is later than the time", () => {
    fc.assert(
      fc.property(timed, fc.boolean(), (drawn, nearest) => {
        const files = split(drawn);
        let last = 0n;
        for (let timestampMs = -1; timestampMs <= 21; timestampMs += 1) {
          const plan = planned(files, { kind: "time", timestampMs, nearest });
          if (plan === undefined) continue;
          expect(plan.point.txid >= last, `at ${timestampMs}`).toBe(true);
          if (!nearest) expect(plan.match).not.toBe("nearest");
          expect(plan.point.timestampMs ?? 0).toBeLessThanOrEqual(timestampMs);
          if (plan.match === "exact") expectLastCommit(files, plan, timestampMs);
          last = plan.point.txid;
        }
      }),
      runs(500),
    );
  });

  /** Nothing that is known lies between the state and the time, and the very next commits are known to be later. */
  function expectLastCommit(files: RestoreFiles, { point }: RestorePlan, timestampMs: number): void {
    const points = timelineOf(knownFiles(files));
    const next = points.find(({ txid }) => txid > point.txid);
    if (next) expect(next.timestampMs).toBeGreaterThan(timestampMs);
    if (next && timestampMs > (point.timestampMs ?? 0)) {
      const goesOn = (file: RestoreFile) =>
        !isSnapshotFile(file) &&
        file.isRepair === false &&
        file.minTxid <= point.txid + 1n &&
        file.maxTxid > point.txid;
      expect(knownFiles(files).some(goesOn), "what lies between is not known").toBe(true);
    }
  }

  test("what is missing is named: with it back, what failed as lost is planned", () => {
    fc.assert(
      fc.property(timed, (drawn) => {
        const files = split(drawn);
        const whole = new Chains(knownFiles(files));
        for (const { maxTxid: txid } of knownFiles(files)) {
          const plan = planned(files, { kind: "txid", txid });
          if (plan || !whole.reaches(txid)) continue;
          let named = "";
          try {
            planRestore(files, { kind: "txid", txid });
          } catch (error) {
            if (!isWalrustError(error, "INTEGRITY_MISSING")) throw error;
            named = String(error.details["objects"]);
          }
          const back = files.missing.filter(({ key }) => named.split(" ").includes(key));
          expect(back.length).toBeGreaterThan(0);
          expect(planned(restoreFiles([...files.present, ...back]), { kind: "txid", txid })).toBeDefined();
        }
      }),
      runs(300),
    );
  });
});
