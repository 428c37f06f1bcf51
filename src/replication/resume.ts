import type { Txid } from "../ltx/format.ts";

/**
 * What a restart may conclude, in one pure function (capture.md, "On start"). It only concludes what is proved; when nothing is, the database
 * is copied anew. Whatever it says, no TXID that was ever given out is used for another state.
 */
export interface ResumeFacts {
  /** What storage holds; undefined: it answered that there is nothing, which is not the same as not answering. */
  readonly remote: RemoteFacts | undefined;
  /** Highest TXID that any witness names: objects, manifest, local cursor. 0: none. */
  readonly highestTxid: Txid;
  readonly pageSizeBytes: number;
  /** The local page table's checksum is the remote head's, so it describes that very state. */
  readonly tableIsHead: boolean;
  /** Local frames (shadow WAL, live log) go on right behind the remote head, without a hole up to the end of the log. */
  readonly framesContinue: boolean;
}

export interface RemoteFacts {
  readonly txid: Txid;
  readonly pageSizeBytes: number;
  /** A snapshot is there, so that incrementals have a base. */
  readonly hasSnapshot: boolean;
  /** The head says which database it is; a file of Litestream does not, and nothing can be proved of it. */
  readonly hasChecksum: boolean;
}

export type SnapshotReason =
  | "nothing-stored"
  | "no-snapshot-stored"
  | "objects-missing"
  | "no-checksum-stored"
  | "page-size-changed";

export type ResumeConclusion =
  /** 1. The local state is the remote head, and the log continues it: go on, no scan, no upload. */
  | { readonly kind: "continue" }
  /** 2. Nothing local proves the head: read the database; if its checksum is the head's, go on, else a snapshot at `txid`. */
  | { readonly kind: "compare"; readonly txid: Txid }
  /** 3. The page table is the head, but the log does not continue it: publish the pages that differ. */
  | { readonly kind: "repair" }
  /** 4. A snapshot of the whole database. */
  | { readonly kind: "snapshot"; readonly txid: Txid; readonly reason: SnapshotReason };

export function concludeResume(facts: ResumeFacts): ResumeConclusion {
  const { remote } = facts;
  const txid = facts.highestTxid + 1n;
  if (remote === undefined) return { kind: "snapshot", txid, reason: "nothing-stored" };
  // Storage has lost what it had acknowledged: a chain cannot go on over that hole.
  if (facts.highestTxid > remote.txid) return { kind: "snapshot", txid, reason: "objects-missing" };
  if (!remote.hasSnapshot) return { kind: "snapshot", txid, reason: "no-snapshot-stored" };
  if (remote.pageSizeBytes !== facts.pageSizeBytes)
    return { kind: "snapshot", txid, reason: "page-size-changed" };
  if (!remote.hasChecksum) return { kind: "snapshot", txid, reason: "no-checksum-stored" };
  if (!facts.tableIsHead) return { kind: "compare", txid };
  return facts.framesContinue ? { kind: "continue" } : { kind: "repair" };
}
