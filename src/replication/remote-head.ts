import { isWalrustError, WalrustError } from "../errors.ts";
import type { Txid } from "../ltx/format.ts";
import { checksumAfter } from "../ltx/stated-checksum.ts";
import { leftoversOf } from "../restore/leftovers.ts";
import type { PublishedState } from "../shadow/cursor.ts";
import { hasNothing, type ListedFile, listAllFiles, readManifest } from "../storage/database-objects.ts";
import type { DatabaseKeys, LayoutName, LtxKeys } from "../storage/keys.ts";
import type { CallOptions, Storage } from "../storage/storage.ts";
import { type RemoteFileEnds, readFileEnds } from "./remote-file.ts";

/** No database has it: all have bit 63. */
export const UNKNOWN_CHECKSUM = 0n;

/** The newest state that storage holds, as far as names and the two ends of one file tell. */
export interface RemoteHead {
  /** Post-apply UNKNOWN_CHECKSUM where the file of another writer does not say it. */
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
  /** Undefined: storage holds no file of this database, or the newest one is damaged, and nothing can follow it. */
  readonly head: RemoteHead | undefined;
  /** Highest TXID that an object or the manifest names; 0: none. */
  readonly highestTxid: Txid;
  /** Keys of the files that the manifest should name and does not, in order: a crash came between a file and its manifest. */
  readonly unnamed: readonly string[];
}

/** What a writer that was the only one all the time knows of the copy, without a request. */
export interface KnownCopy {
  readonly published: PublishedState;
  readonly pageSizeBytes: number;
  readonly newestSnapshot: NewestSnapshot;
  /** On the monotonic clock. */
  readonly manifestWrittenMs: number;
}

/** The view of a copy whose head is known, and which the manifest names whole. */
export function viewOfKnown({ published, pageSizeBytes, newestSnapshot }: KnownCopy): RemoteView {
  const { log, txid } = published;
  const head: RemoteHead = {
    state: { ...published, log: undefined },
    pageSizeBytes,
    newestSnapshot,
    logEnd: log && { salt1: log.salt1, salt2: log.salt2, offset: log.offset },
    incrementalsAfter: (after) => (after === txid ? [] : undefined),
  };
  return { head, highestTxid: txid, unnamed: [] };
}

/**
 * @param options.isLikelyNew there may well be nothing: one list tells
 * Errors: every one of storage but "not found"; INTEGRITY_VERSION.
 */
export async function findRemoteHead(
  storage: Storage,
  keys: DatabaseKeys,
  { isLikelyNew = false, ...options }: CallOptions & { readonly isLikelyNew?: boolean } = {},
): Promise<RemoteView> {
  if (isLikelyNew && (await hasNothing(storage, keys, options))) {
    return { head: undefined, highestTxid: 0n, unnamed: [] };
  }
  const { manifest } = await readManifest(storage, keys, options);
  const { walrust, litestream } = await listAllFiles(storage, keys, options);
  if (manifest === undefined && walrust.length === 0 && litestream.length > 0)
    throw otherLayout(storage, keys, "litestream");
  const files = walrust.toSorted(byTxid);
  const newest = files.at(-1);
  const named = manifest?.currentTxid ?? 0n;
  if (newest === undefined) return { head: undefined, highestTxid: named, unnamed: [] };
  const known = new Set(manifest?.files.map((file) => keys.ltx(file.minTxid, file.maxTxid)));
  const leftovers = new Set(leftoversOf(manifest, files));
  const unnamed = files.filter((file) => !known.has(file.key) && !leftovers.has(file)).map(({ key }) => key);
  const view = { highestTxid: named > newest.maxTxid ? named : newest.maxTxid, unnamed };

  return { ...view, head: await readHead(storage, files, newest, options) };
}

/** Two layouts under one name: each would be blind to what the other holds. */
export function otherLayout(storage: Storage, { prefix }: LtxKeys, found: LayoutName): WalrustError {
  const name = prefix.slice(0, -1);
  return new WalrustError(
    "CONFIG_INVALID",
    `the copy of "${name}" in ${storage.url} is in the ${found} layout`,
    {
      hint: `Go on with it by layout = "${found}" in [s3], or by --layout ${found}; or give the database another prefix.`,
    },
  );
}

/**
 * The head that a file is. Undefined: it is damaged.
 * @param files in order, `newest` among them. Errors: those of storage.
 */
export async function readHead(
  storage: Storage,
  files: readonly ListedFile[],
  newest: ListedFile,
  options: CallOptions,
): Promise<RemoteHead | undefined> {
  const ends = await soundEnds(storage, newest, options);
  if (ends === undefined) return undefined;
  const { header, trailer } = ends;
  const snapshot = files.findLast((file) => file.minTxid === 1n);
  return {
    state: {
      txid: newest.maxTxid,
      postApply: checksumAfter(header, trailer) ?? UNKNOWN_CHECKSUM,
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
}

/** Undefined: the file is damaged. It was read and is not what its name says, which no failure of storage is taken for. */
async function soundEnds(
  storage: Storage,
  file: ListedFile,
  options: CallOptions,
): Promise<RemoteFileEnds | undefined> {
  try {
    return await readFileEnds(storage, file, options);
  } catch (error) {
    if (isWalrustError(error, "INTEGRITY_FORMAT", "INTEGRITY_CHECKSUM")) return undefined;
    throw error;
  }
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
export function byTxid(a: ListedFile, b: ListedFile): number {
  if (a.maxTxid !== b.maxTxid) return a.maxTxid < b.maxTxid ? -1 : 1;
  return a.minTxid < b.minTxid ? -1 : 1;
}
