import { WalrustError } from "../errors.ts";
import type { Txid } from "../ltx/format.ts";
import { Chains } from "./chains.ts";
import { lossAt, nothingThere, type Planning, twoHistories, unreachable } from "./plan-errors.ts";
import { knownFiles, type RestoreFile, type RestoreFiles, type RestorePoint } from "./restore-file.ts";
import { filesAfter, type TimelinePoint, timelineOf } from "./timeline.ts";

export type RestoreTarget =
  | { readonly kind: "latest" }
  | { readonly kind: "txid"; readonly txid: Txid }
  /**
   * The last commit at or before `timestampMs`; in a hole of the history the point before it if `nearest`,
   * else none.
   */
  | { readonly kind: "time"; readonly timestampMs: number; readonly nearest?: boolean };

export interface RestorePlan {
  /** A snapshot, then what is applied to it, in order. */
  readonly files: readonly RestoreFile[];
  readonly point: RestorePoint;
  /** `after-last`: the time asked for is later than the last known commit, so this is the latest state. */
  readonly match: "exact" | "after-last" | "nearest";
  readonly headTxid: Txid;
  readonly totalBytes: number;
}

/**
 * The exact chain to a target (surface.md, "Point in time"), or why there is none. Pure.
 * Errors: RESTORE_NOTHING, RESTORE_UNREACHABLE, INTEGRITY_MISSING, INTEGRITY_CHAIN. Never an older or a mixed
 * state in their place.
 */
export function planRestore(files: RestoreFiles, target: RestoreTarget): RestorePlan {
  if (knownFiles(files).length === 0) throw nothingThere(files.name);
  const planning = { files, chains: new Chains(files.present), timeline: timelineOf(knownFiles(files)) };
  switch (target.kind) {
    case "latest":
      return planTo(planning, files.headTxid, "exact");
    case "txid":
      return planTo(planning, target.txid, "exact");
    case "time":
      return planAt(planning, target);
    default:
      return target satisfies never;
  }
}

/**
 * Files whose headers must be read before a target can be planned: the manifest tells their times, but not
 * which are repairs; and where it is wrong about the times on either side of the one asked for, another state
 * would be restored.
 */
export function headersNeeded(files: RestoreFiles, target: RestoreTarget): readonly RestoreFile[] {
  if (target.kind !== "time") return [];
  const withoutTime = files.present.filter(({ timestampMs }) => timestampMs === undefined);
  if (withoutTime.length > 0) return withoutTime;
  const timeline = timelineOf(knownFiles(files));
  const at = (around(timeline, target.timestampMs).before ?? timeline[0])?.txid;
  if (at === undefined) return [];
  const endingThere = files.present.filter(({ maxTxid }) => maxTxid === at);
  const decisive = new Set([...endingThere, ...filesAfter(files.present, at)]);
  return [...decisive].filter(({ isRepair }) => isRepair === undefined);
}

function planAt(planning: Planning, target: RestoreTarget & { readonly kind: "time" }): RestorePlan {
  const { files, chains, timeline } = planning;
  if (headersNeeded(files, target).length > 0) {
    throw new WalrustError("INTERNAL", "a point in time was planned before the headers were read");
  }
  const { timestampMs, nearest = false } = target;
  const { before, after } = around(timeline, timestampMs);
  if (before === undefined) throw unreachable(planning, { timestampMs }, 0n);
  const isBetween = timestampMs > before.timestampMs;
  if (after === undefined && isBetween) return planTo(planning, files.headTxid, "after-last");

  const inHole = isBetween && after?.afterHole === true;
  if (inHole && !nearest) throw unreachable(planning, { timestampMs }, before.txid);
  if (chains.reaches(before.txid)) return planTo(planning, before.txid, inHole ? "nearest" : "exact");
  const loss = lossAt(planning, before.txid);
  if (loss) throw loss;
  // A point between reachable ones that has no base: what pruning left of a stretch of history is a hole too.
  const nearestBefore = chains.txids().findLast((txid) => txid < before.txid);
  if (!nearest || nearestBefore === undefined) throw unreachable(planning, { timestampMs }, before.txid - 1n);
  return planTo(planning, nearestBefore, "nearest");
}

function planTo(planning: Planning, txid: Txid, match: RestorePlan["match"]): RestorePlan {
  const { files, chains, timeline } = planning;
  if (!chains.reaches(txid)) throw lossAt(planning, txid) ?? unreachable(planning, { txid }, txid);
  const endings = chains.endings(txid);
  if (endings.length > 1) throw twoHistories(files.name, txid, endings);
  const chain = chains.chainTo(txid);
  return {
    files: chain,
    point: { txid, timestampMs: timeline.find((point) => point.txid === txid)?.timestampMs },
    match,
    headTxid: files.headTxid,
    totalBytes: chain.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
  };
}

/** The last point at or before a time, and the one behind it. */
function around(timeline: readonly TimelinePoint[], timestampMs: number) {
  const index = timeline.findLastIndex((point) => point.timestampMs <= timestampMs);
  return { before: timeline[index], after: timeline[index + 1] };
}
