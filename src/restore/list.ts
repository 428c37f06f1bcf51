import type { Txid } from "../ltx/format.ts";
import { parseKey } from "../storage/keys.ts";
import type { CallOptions, Storage } from "../storage/storage.ts";
import { readCatalog, withHeaders } from "./catalog.ts";
import { restorableTxids } from "./chains.ts";
import { nothingThere } from "./plan-errors.ts";
import { isSnapshotFile, knownFiles, type RestoreFile } from "./restore-file.ts";
import { timelineOf } from "./timeline.ts";

/** A database in a storage, as a list of its objects shows it. */
export interface ListedDatabase {
  readonly name: string;
  /** The newest TXID that a file holds. */
  readonly txid: Txid;
  /** TXID of the newest snapshot; undefined: nothing can be restored. */
  readonly snapshotTxid: Txid | undefined;
  /** Unix ms at which storage got its newest object and its newest snapshot. */
  readonly lastModifiedMs: number;
  readonly snapshotModifiedMs: number | undefined;
  readonly files: number;
  readonly sizeBytes: number;
}

/**
 * All databases that have LTX files, by name. One list of the storage, and no other request. Errors:
 * STORAGE_*.
 */
export async function listDatabases(storage: Storage, options: CallOptions = {}): Promise<ListedDatabase[]> {
  const databases = new Map<string, ListedDatabase>();
  for await (const { key, sizeBytes, lastModifiedMs } of storage.list("", options)) {
    const parsed = parseKey(key);
    if (parsed?.stored.kind !== "ltx") continue;
    const { database: name, stored } = parsed;
    const before = databases.get(name) ?? { ...NONE, name };
    const isNewestSnapshot = isSnapshotFile(stored) && stored.maxTxid >= (before.snapshotTxid ?? 0n);
    databases.set(name, {
      name,
      txid: larger(stored.maxTxid, before.txid),
      lastModifiedMs: Math.max(before.lastModifiedMs, lastModifiedMs),
      snapshotTxid: isNewestSnapshot ? stored.maxTxid : before.snapshotTxid,
      snapshotModifiedMs: isNewestSnapshot ? lastModifiedMs : before.snapshotModifiedMs,
      files: before.files + 1,
      sizeBytes: before.sizeBytes + sizeBytes,
    });
  }
  return [...databases.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
}

function larger(a: Txid, b: Txid): Txid {
  if (a < b) return b;
  return a;
}

const NONE = {
  txid: 0n,
  snapshotTxid: undefined,
  lastModifiedMs: 0,
  snapshotModifiedMs: undefined,
  files: 0,
  sizeBytes: 0,
} as const;

export interface ListedPoint {
  readonly txid: Txid;
  /** Unix ms, as a restore by time understands it. */
  readonly timestampMs: number;
  readonly isSnapshot: boolean;
  /** The single commits between the point before and this one are in no file, or in a repair. */
  readonly afterHole: boolean;
}

export interface RestorePoints {
  readonly name: string;
  /** What can be restored, ascending. */
  readonly points: readonly ListedPoint[];
  /** The newest TXID ever published: if it is not the last point's, something is lost. */
  readonly headTxid: Txid;
  /** The files that are there, ascending by their last TXID. */
  readonly files: readonly RestoreFile[];
  /** Keys that the manifest names, and that are gone. */
  readonly missing: readonly string[];
}

/**
 * The restore points of one database. Only headers of files that the manifest does not name yet are read: a
 * repair that it names is known to a restore by time, which looks at the one file in question, but not here.
 * Errors: RESTORE_NOTHING; STORAGE_*; INTEGRITY_FORMAT.
 */
export async function listRestorePoints(
  storage: Storage,
  name: string,
  options: CallOptions = {},
): Promise<RestorePoints> {
  const listed = await readCatalog(storage, name, options);
  if (knownFiles(listed).length === 0) throw nothingThere(name);
  const unread = listed.present.filter(({ timestampMs }) => timestampMs === undefined);
  const { present, missing, headTxid } = await withHeaders(storage, listed, unread, options);
  return {
    name,
    points: pointsOf(present),
    headTxid,
    files: present.toSorted(byTxid),
    missing: missing.map(({ key }) => key),
  };
}

function pointsOf(files: readonly RestoreFile[]): ListedPoint[] {
  const restorable = new Set(restorableTxids(files));
  const snapshots = new Set(files.filter(isSnapshotFile).map(({ maxTxid }) => maxTxid));
  return timelineOf(files)
    .filter(({ txid }) => restorable.has(txid))
    .map((point) => ({ ...point, isSnapshot: snapshots.has(point.txid) }));
}

function byTxid(a: RestoreFile, b: RestoreFile): number {
  if (a.maxTxid !== b.maxTxid) return a.maxTxid < b.maxTxid ? -1 : 1;
  return a.minTxid < b.minTxid ? -1 : 1;
}
