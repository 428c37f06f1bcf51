import type { TxidRange } from "../ltx/filename.ts";
import type { Manifest } from "../storage/manifest.ts";

/**
 * Whether the writer has told of a file all that it will ever tell, so that the manifest names it or never will. It names its incrementals
 * together with the TXID up to which it has named them, and its snapshots one after the other: a snapshot may end where the manifest ends,
 * and be named later.
 */
export function settledBy({
  files,
  currentTxid,
}: Pick<Manifest, "files" | "currentTxid">): (file: TxidRange) => boolean {
  const lastSnapshot = files.reduce(
    (last, { minTxid, maxTxid }) => (minTxid === 1n && maxTxid > last ? maxTxid : last),
    0n,
  );
  return ({ minTxid, maxTxid }) => (minTxid === 1n ? maxTxid < lastSnapshot : maxTxid <= currentTxid);
}
