import type { Txid } from "../ltx/format.ts";
import { Chains } from "../restore/chains.ts";
import { isSnapshotFile, type RestoreFile } from "../restore/restore-file.ts";
import { listedFile } from "./source-files.ts";

/** What leads a replica on. */
export type NextStep =
  /** It is where the source is. */
  | { readonly kind: "none" }
  /** These incrementals, in order. */
  | { readonly kind: "apply"; readonly files: readonly RestoreFile[] }
  /** Nothing begins where it is (pruned, merged, or a new snapshot after a gap): the whole database, from a snapshot. */
  | { readonly kind: "jump" };

export function headOf(files: readonly RestoreFile[]): Txid {
  return files.reduce((head, { maxTxid }) => (maxTxid > head ? maxTxid : head), 0n);
}

/** Pure. @param txid where the replica is: not behind the head */
export function nextStep(txid: Txid, files: readonly RestoreFile[]): NextStep {
  const head = headOf(files);
  if (head <= txid) return { kind: "none" };
  const chains = new Chains([
    replicaAt(txid),
    ...files.filter((file) => !isSnapshotFile(file) && file.minTxid > txid),
  ]);
  if (!chains.reaches(head)) return { kind: "jump" };
  return { kind: "apply", files: chains.chainTo(head).slice(1) };
}

/** The replica as what a chain begins with: a snapshot that costs nothing. */
function replicaAt(txid: Txid): RestoreFile {
  return listedFile({ key: "", minTxid: 1n, maxTxid: txid, sizeBytes: 0 });
}
