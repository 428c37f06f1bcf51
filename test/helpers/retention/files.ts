import type { RetentionPolicy } from "../../../src/config/settings.ts";
import type { RestoreFile } from "../../../src/restore/restore-file.ts";
import { type CompactionPlan, planCompaction, type SurveyedFiles } from "../../../src/retention/plan.ts";

export const SECOND = 1000;
export const MINUTE = 60 * SECOND;
export const HOUR = 60 * MINUTE;
export const NOON = Date.UTC(2026, 0, 31, 12);

/** The checksum of the database at a TXID, in a history that nobody forked. */
export function checksumAt(txid: bigint | number, history = 0): bigint {
  return (1n << 63n) | (BigInt(history) << 40n) | BigInt(txid);
}

/** A file that the manifest names, captured at `atMs`. */
export function namedFile(
  min: number,
  max: number,
  atMs: number,
  other: Partial<RestoreFile> = {},
): RestoreFile {
  const key = `app/${String(min).padStart(8, "0")}-${String(max).padStart(8, "0")}.ltx`;
  return {
    key,
    minTxid: BigInt(min),
    maxTxid: BigInt(max),
    sizeBytes: min === 1 ? 1_000_000 : 1000,
    lastModifiedMs: atMs,
    timestampMs: atMs,
    isRepair: undefined,
    preApply: min === 1 ? 0n : checksumAt(min - 1),
    postApply: checksumAt(max),
    bodySha256: "00",
    ...other,
  };
}

/** What the manifest does not name: only its header was read. */
export function unnamedFile(min: number, max: number, atMs: number): RestoreFile {
  return namedFile(min, max, atMs, { postApply: undefined, bodySha256: undefined, isRepair: false });
}

export interface Situation {
  readonly present: readonly RestoreFile[];
  readonly missing?: readonly RestoreFile[];
  readonly unsettled?: readonly RestoreFile[];
  readonly unusable?: readonly RestoreFile[];
}

export function surveyed({ present, missing = [], unsettled = [], unusable = [] }: Situation): SurveyedFiles {
  const headTxid = [...present, ...missing].reduce(
    (head, { maxTxid }) => (maxTxid > head ? maxTxid : head),
    0n,
  );
  const keys = new Set(unsettled.map(({ key }) => key));
  return { name: "app", present, missing, headTxid, unsettled: keys, unusable };
}

export const POLICY: RetentionPolicy = {
  retention: { hourly: 24, daily: 7, weekly: 12, monthly: 12 },
  compaction: { fineWindowMs: HOUR, stepMs: MINUTE },
};

export function policyOf(
  retention: Partial<RetentionPolicy["retention"]>,
  compaction: Partial<RetentionPolicy["compaction"]> = {},
): RetentionPolicy {
  return {
    retention: { hourly: 0, daily: 0, weekly: 0, monthly: 0, ...retention },
    compaction: { ...POLICY.compaction, ...compaction },
  };
}

const rangeOf = ({ minTxid, maxTxid }: Pick<RestoreFile, "minTxid" | "maxTxid">) => `${minTxid}-${maxTxid}`;

/** A plan in a form that a test can spell out. */
export function outline(plan: CompactionPlan) {
  return {
    snapshots: plan.snapshots.map(({ file, reasons }) => `${file.maxTxid}: ${reasons.join(" ")}`),
    untouched: plan.untouched.map(rangeOf),
    merges: plan.merges.map((merge) => `${rangeOf(merge)} of ${merge.sources.length}`),
    expired: plan.deletions.filter(({ why }) => why === "expired").map(({ file }) => rangeOf(file)),
    superseded: plan.deletions.filter(({ why }) => why === "superseded").map(({ file }) => rangeOf(file)),
    forgotten: plan.forgotten.map(rangeOf),
  };
}

export function outlineOf(situation: Situation, policy: RetentionPolicy, nowMs = NOON) {
  return outline(planCompaction(surveyed(situation), policy, nowMs));
}
