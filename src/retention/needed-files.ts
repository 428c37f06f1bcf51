import type { Txid } from "../ltx/format.ts";
import { Chains } from "../restore/chains.ts";
import { isSnapshotFile, type RestoreFile } from "../restore/restore-file.ts";

export interface KnownFiles {
  readonly present: readonly RestoreFile[];
  readonly missing: readonly RestoreFile[];
}

export interface Wanted {
  /** Restore points that stay, ascending. */
  readonly points: readonly Txid[];
  /** TXIDs of snapshots that stay whatever is needed, and with which a stretch of history begins. */
  readonly beginnings: ReadonlySet<Txid>;
  /** TXIDs of all snapshots that stay whatever is needed. */
  readonly snapshots: ReadonlySet<Txid>;
  /** TXIDs to which incrementals lead as well: no snapshot that is to go is needed there. */
  readonly ledTo: ReadonlySet<Txid>;
}

/*
 * What a chain avoids, as bytes that it would have to read. A step passes over points that stay only where
 * there is no other way. The fine history leads through incrementals, also past the snapshots that it holds:
 * when those go one day, it must not fall apart. A snapshot that is to go stays if nothing else leads
 * somewhere; and a file that is gone may come back (object versions, another copy).
 */
const PASSING_OVER = 2 ** 42;
const MOST_PASSED_OVER = 16;
const KEPT_SNAPSHOT = 2 ** 47;
const OTHER_SNAPSHOT = 2 ** 48;
const DISPENSABLE_SNAPSHOT = 2 ** 49;
const GONE = 2 ** 50;

/**
 * The files without which one of the wanted points could not be restored any more; among them what is missing,
 * where a point could only be restored if it were not. Pure.
 */
export function neededFiles({ present, missing }: KnownFiles, wanted: Wanted): ReadonlySet<RestoreFile> {
  const originals = new Map<RestoreFile, RestoreFile>();
  const weigh = (file: RestoreFile, sizeBytes: number) => originals.set({ ...file, sizeBytes }, file);
  for (const file of present) weigh(file, isSnapshotFile(file) ? weight(file, wanted) : steps(file, wanted));
  for (const file of missing) weigh(file, file.sizeBytes + GONE);
  const needed = new Chains(originals.keys()).filesTo(wanted.points);
  return new Set([...needed].flatMap((file) => originals.get(file) ?? []));
}

/** A beginning that cost its bytes could lose to an older snapshot with incrementals. */
function weight({ maxTxid, sizeBytes }: RestoreFile, { beginnings, snapshots, ledTo }: Wanted): number {
  if (beginnings.has(maxTxid)) return 0;
  if (snapshots.has(maxTxid)) return sizeBytes + KEPT_SNAPSHOT;
  return sizeBytes + (ledTo.has(maxTxid) ? DISPENSABLE_SNAPSHOT : OTHER_SNAPSHOT);
}

function steps({ minTxid, maxTxid, sizeBytes }: RestoreFile, { points }: Wanted): number {
  const passedOver = countBelow(points, maxTxid) - countBelow(points, minTxid);
  return sizeBytes + Math.min(passedOver, MOST_PASSED_OVER) * PASSING_OVER;
}

/** How many of `ascending` are less than `txid`. */
function countBelow(ascending: readonly Txid[], txid: Txid): number {
  let [low, high] = [0, ascending.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((ascending[middle] ?? txid) < txid) low = middle + 1;
    else high = middle;
  }
  return low;
}
