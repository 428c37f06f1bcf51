import fc from "fast-check";
import { expect, test } from "vitest";
import type { RetentionPolicy } from "../../src/config/settings.ts";
import { Chains } from "../../src/restore/chains.ts";
import { isSnapshotFile, type RestoreFile } from "../../src/restore/restore-file.ts";
import { keptByGfs } from "../../src/retention/gfs.ts";
import { type CompactionPlan, planCompaction } from "../../src/retention/plan.ts";
import { runs } from "../helpers/property-runs.ts";
import { HOUR, MINUTE, NOON, namedFile, SECOND, surveyed } from "../helpers/retention/files.ts";

/** What a writer does, and what crashes and accidents leave of it. */
type Step =
  | { readonly kind: "commit"; readonly afterMs: number; readonly commits: number }
  | { readonly kind: "snapshot" }
  /** The copy begins anew: TXIDs go on, no incremental leads there. */
  | { readonly kind: "lineage"; readonly afterMs: number }
  /** The last `count` incrementals as one file too. */
  | { readonly kind: "merge"; readonly count: number }
  /** One of the last incrementals vanishes from storage, or is only there unnamed. */
  | { readonly kind: "lose"; readonly back: number; readonly named: boolean };

const afterMs = fc.oneof(
  fc.nat(40 * SECOND),
  fc.nat(5 * MINUTE),
  fc.nat(3 * HOUR),
  fc.nat({ max: 20 * 24 * HOUR }),
);
const commit = fc.record({
  kind: fc.constant("commit" as const),
  afterMs,
  commits: fc.integer({ min: 1, max: 3 }),
});
const snapshot = fc.constant({ kind: "snapshot" as const });
const lineage = fc.record({ kind: fc.constant("lineage" as const), afterMs });
const merge = fc.record({ kind: fc.constant("merge" as const), count: fc.integer({ min: 2, max: 6 }) });
const lose = fc.record({ kind: fc.constant("lose" as const), back: fc.nat(8), named: fc.boolean() });

const clean = fc.array(
  fc.oneof(
    { weight: 10, arbitrary: commit },
    { weight: 2, arbitrary: snapshot },
    { weight: 1, arbitrary: lineage },
  ),
  { minLength: 1, maxLength: 60 },
);
const eventful = fc.array(
  fc.oneof(
    { weight: 10, arbitrary: commit },
    ...[snapshot, merge, lose].map((arbitrary) => ({ weight: 2, arbitrary })),
    { weight: 1, arbitrary: lineage },
  ),
  { minLength: 1, maxLength: 60 },
);

const policies: fc.Arbitrary<RetentionPolicy> = fc.record({
  retention: fc.record({ hourly: fc.nat(6), daily: fc.nat(4), weekly: fc.nat(3), monthly: fc.nat(3) }),
  compaction: fc.record({
    fineWindowMs: fc.constantFrom(1, 10 * MINUTE, HOUR, 24 * HOUR),
    stepMs: fc.constantFrom(MINUTE, 10 * MINUTE, HOUR),
  }),
});

interface Files {
  readonly present: RestoreFile[];
  readonly missing: RestoreFile[];
}

/** What the steps leave in storage. The last of them was at noon. */
function filesAfter(steps: readonly Step[]): Files {
  const totalMs = steps.reduce((sum, step) => sum + ("afterMs" in step ? step.afterMs : 0), 0);
  let [txid, nowMs] = [1, NOON - totalMs];
  const present = [namedFile(1, 1, nowMs)];
  const missing: RestoreFile[] = [];
  const incrementals = () => present.filter((file) => !isSnapshotFile(file));
  const add = (file: RestoreFile) => {
    if (![...present, ...missing].some(({ key }) => key === file.key)) present.push(file);
  };
  for (const step of steps) {
    if ("afterMs" in step) nowMs += step.afterMs;
    if (step.kind === "commit") {
      add(namedFile(txid + 1, txid + step.commits, nowMs));
      txid += step.commits;
    } else if (step.kind === "lineage") {
      txid += 1;
      add(namedFile(1, txid, nowMs));
    } else if (step.kind === "snapshot") add(namedFile(1, txid, nowMs));
    else if (step.kind === "merge") {
      const last = incrementals().slice(-step.count);
      const follows = last.every((file, i) => i === 0 || file.minTxid === (last[i - 1]?.maxTxid ?? 0n) + 1n);
      const [first, end] = [last[0], last.at(-1)];
      if (first && end && follows && first !== end)
        add(namedFile(Number(first.minTxid), Number(end.maxTxid), end.timestampMs ?? 0));
    } else {
      const lost = incrementals().at(-1 - step.back);
      if (lost) present.splice(present.indexOf(lost), 1);
      if (lost && step.named) missing.push(lost);
    }
  }
  return { present, missing };
}

function plan(files: Files, policy: RetentionPolicy): CompactionPlan {
  return planCompaction(surveyed(files), policy, NOON);
}

/** What is there once a plan is carried out. */
function after(files: Files, { merges, deletions, forgotten }: CompactionPlan): Files {
  const gone = new Set([...deletions.map(({ file }) => file), ...merges.flatMap(({ sources }) => sources)]);
  const merged = merges.map(({ minTxid, maxTxid, sources }) =>
    namedFile(Number(minTxid), Number(maxTxid), sources.at(-1)?.timestampMs ?? 0),
  );
  return {
    present: [...files.present.filter((file) => !gone.has(file)), ...merged],
    missing: files.missing.filter((file) => !forgotten.includes(file)),
  };
}

/** What the words of the policy ask for, the slow way. */
function wantedPoints({ present }: Files, { retention, compaction }: RetentionPolicy) {
  const chains = new Chains(present);
  const snapshots = present.filter(isSnapshotFile);
  const dated = snapshots.map(({ maxTxid, timestampMs = 0 }) => ({ txid: maxTxid, timestampMs }));
  const gfs = keptByGfs(dated, retention);
  const hourly = [...gfs].filter(([, reasons]) => reasons.includes("hourly")).map(([txid]) => txid);
  const base = hourly.at(-1) ?? [...gfs.keys()][0] ?? 0n;
  const fine = present.filter(
    (file) => !isSnapshotFile(file) && file.maxTxid > base && chains.reaches(file.maxTxid),
  );
  const stepOf = ({ timestampMs = 0 }: RestoreFile) => Math.floor(timestampMs / compaction.stepMs);
  const isOld = (file: RestoreFile) =>
    (stepOf(file) + 1) * compaction.stepMs <= NOON - compaction.fineWindowMs;
  const newest = new Map<number, bigint>();
  for (const file of fine.filter(isOld)) {
    const before = newest.get(stepOf(file)) ?? 0n;
    newest.set(stepOf(file), file.maxTxid > before ? file.maxTxid : before);
  }
  const young = fine.filter((file) => !isOld(file)).map(({ maxTxid }) => maxTxid);
  return { base, gfs: [...gfs.keys()], fine: [...young, ...newest.values()] };
}

test("every point that stays can be restored, and no file stays that none needs", () => {
  fc.assert(
    fc.property(clean, policies, (steps, policy) => {
      const files = filesAfter(steps);
      const left = after(files, plan(files, policy));
      const { base, gfs, fine } = wantedPoints(files, policy);
      const chains = new Chains(left.present);
      for (const txid of [...gfs, ...fine]) expect(chains.reaches(txid), `TXID ${txid}`).toBe(true);

      const kept = new Set([...gfs, ...fine]);
      const goesOn = new Set(left.present.map(({ minTxid }) => minTxid - 1n));
      const needless = left.present.filter((file) => {
        if (isSnapshotFile(file)) return !gfs.includes(file.maxTxid) && !goesOn.has(file.maxTxid);
        // The last one before a hole leads to a point that nothing behind it leads to.
        return file.maxTxid <= base || (!kept.has(file.maxTxid) && goesOn.has(file.maxTxid));
      });
      const ends = new Set(left.present.filter(isSnapshotFile).map(({ maxTxid }) => maxTxid));
      expect(needless.filter((file) => isSnapshotFile(file) || !ends.has(file.maxTxid))).toEqual([]);
    }),
    runs(300),
  );
});

test("whatever crashes and accidents left: no wanted point is lost, and the head never", () => {
  fc.assert(
    fc.property(eventful, policies, (steps, policy) => {
      const files = filesAfter(steps);
      const { gfs, fine } = wantedPoints(files, policy);
      const before = new Chains(files.present);
      const left = after(files, plan(files, policy));
      const chains = new Chains(left.present);
      for (const txid of [...gfs, ...fine]) expect(chains.reaches(txid), `TXID ${txid}`).toBe(true);
      expect(chains.txids().at(-1)).toBe(before.txids().at(-1));
      // What only an object that is gone keeps from being restored, still only that one does.
      const known = new Chains([...files.present, ...files.missing]);
      const knownLeft = new Chains([...left.present, ...left.missing]);
      expect(knownLeft.txids().at(-1)).toBe(known.txids().at(-1));
    }),
    runs(300),
  );
});

test("doing it again changes nothing", () => {
  fc.assert(
    fc.property(eventful, policies, (steps, policy) => {
      const files = filesAfter(steps);
      const left = after(files, plan(files, policy));
      const again = plan(left, policy);
      expect(again).toMatchObject({ merges: [], deletions: [], forgotten: [] });
    }),
    runs(300),
  );
});

test("a crash between any two deletions leaves no file that leads nowhere, and loses nothing", () => {
  fc.assert(
    fc.property(clean, policies, fc.nat(), (steps, policy, cut) => {
      const files = filesAfter(steps);
      const left = after(files, plan(files, policy));
      const gone = files.present.filter((file) => !left.present.includes(file));
      const ascending = gone.toSorted((a, b) => Number(a.maxTxid - b.maxTxid));
      // The newest went first, and the manifest does not name them any more.
      const leftovers = ascending
        .slice(0, cut % (gone.length + 1))
        .map((file) => ({ ...file, bodySha256: undefined, postApply: undefined }));
      const crashed = { ...left, present: [...left.present, ...leftovers] };
      const finished = after(crashed, plan(crashed, policy));
      const chains = new Chains(finished.present);
      expect(finished.present.length).toBe(chains.attached.length);
      const { gfs, fine } = wantedPoints(files, policy);
      for (const txid of [...gfs, ...fine]) expect(chains.reaches(txid), `TXID ${txid}`).toBe(true);
      expect(plan(finished, policy)).toMatchObject({ merges: [], deletions: [], forgotten: [] });
    }),
    runs(300),
  );
});

/** What only the manifest, or a reader of the whole file, knows of it. */
function unproved(file: RestoreFile): RestoreFile {
  return { ...file, bodySha256: undefined, postApply: undefined };
}

/** As surveyAndPlan: what is to stay and is not proved is read to its end first. */
function planWithProofs(
  files: Files,
  truth: ReadonlyMap<string, RestoreFile>,
  policy: RetentionPolicy,
): [Files, CompactionPlan] {
  for (let survey = files; ; ) {
    const planned = plan(survey, policy);
    const staying = [...planned.snapshots.map(({ file }) => file), ...planned.untouched];
    const unread = new Set(staying.filter(({ bodySha256 }) => bodySha256 === undefined));
    if (unread.size === 0) return [survey, planned];
    survey = {
      ...survey,
      present: survey.present.map((file) => (unread.has(file) ? (truth.get(file.key) ?? file) : file)),
    };
  }
}

test("a crash after any of the merges, the manifest, or any of the deletions: nothing wanted is lost, and the next run ends it", () => {
  fc.assert(
    fc.property(eventful, policies, fc.nat(), (steps, policy, cut) => {
      const files = filesAfter(steps);
      const done = plan(files, policy);
      const left = after(files, done);
      const { gfs, fine } = wantedPoints(files, policy);
      const made = left.present.filter((file) => !files.present.includes(file));
      const gone = files.present
        .filter((file) => !left.present.includes(file))
        .toSorted((a, b) => Number(b.maxTxid - a.maxTxid));
      const truth = new Map([...files.present, ...made].map((file) => [file.key, file]));

      const at = cut % (made.length + 1 + gone.length + 1);
      const isNamed = at > made.length;
      const merged = made.slice(0, at).map((file) => (isNamed ? file : unproved(file)));
      const deleted = new Set(isNamed ? gone.slice(0, at - made.length - 1) : []);
      const goes = (file: RestoreFile) => isNamed && gone.includes(file);
      const crashed: Files = {
        present: [
          ...files.present
            .filter((file) => !deleted.has(file))
            .map((file) => (goes(file) ? unproved(file) : file)),
          ...merged,
        ],
        missing: isNamed ? left.missing : files.missing,
      };
      const reaches = (present: readonly RestoreFile[], when: string) => {
        const chains = new Chains(present.map(({ key }) => truth.get(key) as RestoreFile));
        for (const txid of [...gfs, ...fine]) expect(chains.reaches(txid), `TXID ${txid} ${when}`).toBe(true);
      };
      reaches(crashed.present, `after ${at} steps`);

      const [survey, second] = planWithProofs(crashed, truth, policy);
      const finished = after(survey, second);
      for (const file of finished.present) truth.set(file.key, { ...truth.get(file.key), ...file });
      reaches(finished.present, "when it is finished");
      const [, third] = planWithProofs(finished, truth, policy);
      expect(third).toMatchObject({ merges: [], deletions: [], forgotten: [] });
    }),
    runs(300),
  );
});
