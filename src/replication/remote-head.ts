import { isWalrustError } from "../errors.ts";
import type { Txid } from "../ltx/format.ts";
import type { PublishedState } from "../shadow/cursor.ts";
import { type ListedFile, listFiles, readManifest } from "../storage/database-objects.ts";
import type { DatabaseKeys } from "../storage/keys.ts";
import type { Manifest } from "../storage/manifest.ts";
import type { CallOptions, Storage } from "../storage/storage.ts";
import { readFileEnds } from "./remote-file.ts";

/** The newest state that storage holds, as far as names and the two ends of one file tell. */
export interface RemoteHead {
  readonly state: PublishedState;
  readonly pageSizeBytes: number;
  readonly newestSnapshot: NewestSnapshot | undefined;
  /** Where its file says that it ends in the source log; undefined for snapshots. */
  readonly logEnd: { readonly salt1: number; readonly salt2: number; readonly offset: number } | undefined;
  /** Keys of the incrementals that lead from `txid` to the head, in order; undefined: there is a hole. */
  incrementalsAfter(txid: Txid): readonly string[] | undefined;
}

export interface NewestSnapshot {
  readonly txid: Txid;
  /** Unix ms */
  readonly takenAtMs: number;
}

export interface RemoteView {
  /** Undefined: storage holds no file of this database. */
  readonly head: RemoteHead | undefined;
  /** Highest TXID that an object or the manifest names; 0: none. */
  readonly highestTxid: Txid;
  /** Keys of the files that the manifest should name and does not, in order: a crash came between a file and its manifest. */
  readonly unnamed: readonly string[];
}

/** Errors: every one of storage but "not found"; INTEGRITY_FORMAT when the newest file is damaged. */
export async function findRemoteHead(
  storage: Storage,
  keys: DatabaseKeys,
  options: CallOptions = {},
): Promise<RemoteView> {
  const manifest = await manifestIfSound(storage, keys, options);
  const files = await listFiles(storage, keys, options);
  files.sort(byTxid);
  const newest = files.at(-1);
  const named = manifest?.currentTxid ?? 0n;
  if (newest === undefined) return { head: undefined, highestTxid: named, unnamed: [] };

  const { header, trailer } = await readFileEnds(storage, newest.key, options);
  const snapshot = files.findLast((file) => file.minTxid === 1n);
  const head: RemoteHead = {
    state: {
      txid: newest.maxTxid,
      postApply: trailer.postApply,
      commitPages: header.commit,
      timestampMs: header.timestampMs,
      log: undefined,
    },
    pageSizeBytes: header.pageSizeBytes,
    newestSnapshot: snapshot && { txid: snapshot.maxTxid, takenAtMs: snapshot.lastModifiedMs },
    logEnd:
      header.walOffset === 0n
        ? undefined
        : {
            salt1: header.walSalt1,
            salt2: header.walSalt2,
            offset: Number(header.walOffset + header.walSize),
          },
    incrementalsAfter: (txid) => chainAfter(files, txid, newest.maxTxid),
  };
  const known = new Set(manifest?.files.map((file) => keys.ltx(file.minTxid, file.maxTxid)));
  const unnamed = files.map(({ key }) => key).filter((key) => !known.has(key));
  return { head, highestTxid: named > newest.maxTxid ? named : newest.maxTxid, unnamed };
}

/** Incrementals from behind `txid` to `head`: at each step the longest one that fits. */
function chainAfter(files: readonly ListedFile[], txid: Txid, head: Txid): readonly string[] | undefined {
  const chain: string[] = [];
  for (let at = txid; at < head; ) {
    const next = files.findLast((file) => file.minTxid === at + 1n && file.minTxid > 1n);
    if (next === undefined) return undefined;
    chain.push(next.key);
    at = next.maxTxid;
  }
  return chain;
}

/** By the TXID they lead to; of two that lead to the same, the incremental last: it knows where it ends in the log. */
function byTxid(a: ListedFile, b: ListedFile): number {
  if (a.maxTxid !== b.maxTxid) return a.maxTxid < b.maxTxid ? -1 : 1;
  return a.minTxid < b.minTxid ? -1 : 1;
}

/** A damaged manifest is as good as none: the objects are the truth. */
async function manifestIfSound(
  storage: Storage,
  keys: DatabaseKeys,
  options: CallOptions,
): Promise<Manifest | undefined> {
  try {
    return await readManifest(storage, keys, options);
  } catch (error) {
    if (isWalrustError(error, "INTEGRITY_FORMAT")) return undefined;
    throw error;
  }
}
