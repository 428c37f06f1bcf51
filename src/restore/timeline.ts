import type { Txid } from "../ltx/format.ts";
import { isSnapshotFile, type RestoreFile } from "./restore-file.ts";

/** A TXID at which a file ends, whether it can be restored or not, and the step that leads to it. */
export interface TimelinePoint {
  readonly txid: Txid;
  /** Unix ms, never less than the one before: a clock that was set back does not reorder commits. */
  readonly timestampMs: number;
  /**
   * Commits between the point before and this one are not known: a repair spans them, or no incremental does
   * (pruned, lost, or a new snapshot after a gap).
   */
  readonly afterHole: boolean;
}

/**
 * All points of a database, ascending. Where several files end at a TXID, its time is the earliest one: a
 * snapshot may be made later.
 */
export function timelineOf(files: readonly RestoreFile[]): TimelinePoint[] {
  const times = new Map<Txid, number>();
  for (const { maxTxid, timestampMs } of files) {
    if (timestampMs === undefined) continue;
    times.set(maxTxid, Math.min(timestampMs, times.get(maxTxid) ?? Number.POSITIVE_INFINITY));
  }
  const steps = new Steps(files);
  const points: TimelinePoint[] = [];
  for (const [txid, ownMs] of [...times].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const before = points.at(-1);
    points.push({
      txid,
      timestampMs: Math.max(ownMs, before?.timestampMs ?? ownMs),
      afterHole: before !== undefined && !steps.areKnownAfter(before.txid),
    });
  }
  return points;
}

/** The incrementals that hold the TXID behind a point: what is known of the step to the next one. */
export function filesAfter(files: readonly RestoreFile[], txid: Txid): RestoreFile[] {
  return files.filter((file) => !isSnapshotFile(file) && file.minTxid <= txid + 1n && txid < file.maxTxid);
}

/** Which TXIDs lie in files whose single commits are known. */
class Steps {
  /** Disjoint and ascending, as [first, last]. */
  readonly #known: Array<[Txid, Txid]> = [];

  constructor(files: readonly RestoreFile[]) {
    const known = files.filter((file) => !isSnapshotFile(file) && file.isRepair !== true);
    for (const { minTxid, maxTxid } of known.sort((a, b) => (a.minTxid < b.minTxid ? -1 : 1))) {
      const last = this.#known.at(-1);
      if (last === undefined || minTxid > last[1] + 1n) this.#known.push([minTxid, maxTxid]);
      else if (maxTxid > last[1]) last[1] = maxTxid;
    }
  }

  /** Points are asked for in ascending order: ranges that lie behind are dropped. */
  areKnownAfter(txid: Txid): boolean {
    const next = txid + 1n;
    while (this.#known[0] && this.#known[0][1] < next) this.#known.shift();
    const range = this.#known[0];
    return range !== undefined && range[0] <= next;
  }
}
