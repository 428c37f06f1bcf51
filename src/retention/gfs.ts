import type { RetentionSettings } from "../config/settings.ts";
import type { Txid } from "../ltx/format.ts";

export type Tier = keyof RetentionSettings;

/** Why a snapshot stays. */
export type GfsReason = "newest" | Tier;

export interface DatedSnapshot {
  readonly txid: Txid;
  /** Unix ms; must not decrease with the TXID (restore/timeline.ts). */
  readonly timestampMs: number;
}

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

/** Day 0 of Unix time was a Thursday, and ISO weeks begin on Monday. Counted through, they know no New Year. */
const DAYS_FROM_MONDAY = 3;

/** The number of the bucket that a time falls into, in UTC: it grows with time. */
const BUCKET: { readonly [T in Tier]: (timestampMs: number) => number } = {
  hourly: (ms) => Math.floor(ms / HOUR_MS),
  daily: (ms) => Math.floor(ms / DAY_MS),
  weekly: (ms) => Math.floor((Math.floor(ms / DAY_MS) + DAYS_FROM_MONDAY) / 7),
  monthly: (ms) => new Date(ms).getUTCFullYear() * 12 + new Date(ms).getUTCMonth(),
};

const TIERS = ["hourly", "daily", "weekly", "monthly"] as const satisfies readonly Tier[];

/**
 * Grandfather, father, son: of the N newest buckets of each tier that hold a snapshot the newest snapshot, and
 * always the newest of all. Pure; the clock of this machine has no part in it.
 * @returns what stays, newest first, with every reason for it.
 */
export function keptByGfs(
  snapshots: readonly DatedSnapshot[],
  retention: RetentionSettings,
): ReadonlyMap<Txid, readonly GfsReason[]> {
  const kept = new Map<Txid, readonly GfsReason[]>();
  const taken = new Set<string>();
  const left: Record<Tier, number> = { ...retention };
  for (const { txid, timestampMs } of snapshots.toSorted(newestFirst)) {
    const reasons: GfsReason[] = kept.size === 0 ? ["newest"] : [];
    for (const tier of TIERS) {
      const bucket = `${tier} ${BUCKET[tier](timestampMs)}`;
      if (left[tier] === 0 || taken.has(bucket)) continue;
      taken.add(bucket);
      left[tier] -= 1;
      reasons.push(tier);
    }
    if (reasons.length > 0) kept.set(txid, reasons);
  }
  return kept;
}

function newestFirst(a: DatedSnapshot, b: DatedSnapshot): number {
  return a.txid > b.txid ? -1 : 1;
}
