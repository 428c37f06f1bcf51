import type { TxidRange } from "../ltx/filename.ts";
import type { Manifest } from "../storage/manifest.ts";

/**
 * Files that a sound manifest does not name any more, since what it names and is there replaced them: a newer
 * snapshot, or for an incremental one that holds all of its TXIDs. An interrupted prune, merge or
 * `verify --fix` left them, and the next prune takes them. That they have lost their base is no finding, and
 * nobody names them again.
 */
export function leftoversOf<T extends TxidRange>(
  manifest: Pick<Manifest, "files"> | undefined,
  present: readonly T[],
): T[] {
  if (manifest === undefined) return [];
  const names = new Set(manifest.files.map(nameOf));
  const named = present.filter((file) => names.has(nameOf(file)));
  const snapshots = named.filter(({ minTxid }) => minTxid === 1n);
  const newest = snapshots.reduce((txid, { maxTxid }) => (maxTxid > txid ? maxTxid : txid), 0n);
  const isMerged = mergedInto(named.filter(({ minTxid }) => minTxid > 1n));
  return present.filter((file) => !names.has(nameOf(file)) && (file.maxTxid <= newest || isMerged(file)));
}

/**
 * Whether incrementals in a row hold exactly the TXIDs of a file. Where the manifest names those and not the file, a merge ended before it was named:
 * nothing is lost, and the next prune goes on with it.
 */
export function isMergeOf(incrementals: readonly TxidRange[], { minTxid, maxTxid }: TxidRange): boolean {
  const ascending = incrementals.toSorted((a, b) => (a.minTxid < b.minTxid ? -1 : 1));
  const reached = new Set([minTxid]);
  for (const one of ascending)
    if (reached.has(one.minTxid) && one.maxTxid <= maxTxid) reached.add(one.maxTxid + 1n);
  return reached.has(maxTxid + 1n);
}

/** Whether one of these incrementals holds all TXIDs of a file. */
function mergedInto(incrementals: readonly TxidRange[]): (file: TxidRange) => boolean {
  const ascending = incrementals.toSorted((a, b) => (a.minTxid < b.minTxid ? -1 : 1));
  let last = 0n;
  const reach = ascending.map(({ minTxid, maxTxid }) => {
    last = maxTxid > last ? maxTxid : last;
    return { minTxid, last };
  });
  return ({ minTxid, maxTxid }) => {
    let [low, high] = [0, reach.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((reach[middle]?.minTxid ?? 0n) <= minTxid) low = middle + 1;
      else high = middle;
    }
    return maxTxid <= (reach[low - 1]?.last ?? 0n);
  };
}

function nameOf({ minTxid, maxTxid }: TxidRange): string {
  return `${minTxid}-${maxTxid}`;
}
