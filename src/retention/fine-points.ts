import type { CompactionSettings } from "../config/settings.ts";
import type { Txid } from "../ltx/format.ts";
import type { TimelinePoint } from "../restore/timeline.ts";

export interface FineHistory {
  readonly timeline: readonly TimelinePoint[];
  /** It begins behind this TXID. */
  readonly base: Txid;
  /** Where incrementals end. A point that is only a snapshot is the business of the tiers. */
  readonly ends: ReadonlySet<Txid>;
  /** Where one ends that can be restored now. */
  readonly ledTo: ReadonlySet<Txid>;
}

/**
 * Which points of the fine history stay restore points: all that are younger than the fine window; of older
 * ones the newest of each step, and the last one before a hole, since what comes behind it cannot lead there.
 * What cannot be reached now is not for us to thin out: it may be again. Steps are windows of UTC, and only
 * those that lie wholly before the fine window are thinned out: what is done to one is done once. Pure.
 */
export function finePoints(
  { timeline, base, ends, ledTo }: FineHistory,
  { fineWindowMs, stepMs }: CompactionSettings,
  nowMs: number,
): Txid[] {
  const firstFineStep = Math.floor((nowMs - fineWindowMs) / stepMs);
  const kept: Txid[] = [];
  let next: { readonly step: number; readonly reachable: boolean } | undefined;
  let holeBehind = false;
  for (const { txid, timestampMs, afterHole } of timeline.toReversed()) {
    if (txid <= base) break;
    if (!ends.has(txid)) {
      holeBehind ||= afterHole;
      continue;
    }
    const [step, reachable] = [Math.floor(timestampMs / stepMs), ledTo.has(txid)];
    const leadsOn = next?.reachable && next.step === step && !holeBehind;
    if (!reachable || !leadsOn || step >= firstFineStep) kept.push(txid);
    next = { step, reachable };
    holeBehind = afterHole;
  }
  return kept.reverse();
}
