import type { Txid } from "../ltx/format.ts";
import { databaseKeys, type LayoutName, parseKey } from "../storage/keys.ts";
import { parseLitestreamKey } from "../storage/litestream-keys.ts";
import type { CallOptions, Storage } from "../storage/storage.ts";
import { type Catalog, type ManifestState, readCatalog, withHeaders } from "./catalog.ts";
import { restorableTxids } from "./chains.ts";
import { nothingThere } from "./plan-errors.ts";
import { isSnapshotFile, knownFiles, type RestoreFile } from "./restore-file.ts";
import { timelineOf } from "./timeline.ts";

/** A database in a storage, as a list of its objects shows it. */
export interface ListedDatabase {
  readonly name: string;
  readonly layout: LayoutName;
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
    const file = fileOf(key);
    if (file === undefined) continue;
    const { name, layout, maxTxid } = file;
    const known = databases.get(name);
    // what readCatalog would take: where both are there, ours count
    if (known?.layout === "walrust" && layout === "litestream") continue;
    const before = known?.layout === layout ? known : { ...NONE, name };
    const isNewestSnapshot = isSnapshotFile(file) && maxTxid >= (before.snapshotTxid ?? 0n);
    databases.set(name, {
      ...{ name, layout },
      txid: larger(maxTxid, before.txid),
      lastModifiedMs: Math.max(before.lastModifiedMs, lastModifiedMs),
      snapshotTxid: isNewestSnapshot ? maxTxid : before.snapshotTxid,
      snapshotModifiedMs: isNewestSnapshot ? lastModifiedMs : before.snapshotModifiedMs,
      files: before.files + 1,
      sizeBytes: before.sizeBytes + sizeBytes,
    });
  }
  return [...databases.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
}

function fileOf(key: string) {
  const own = parseKey(key);
  if (own?.stored.kind === "ltx") return { ...own.stored, name: own.database, layout: "walrust" } as const;
  const other = parseLitestreamKey(key);
  // at the root of a storage a replica has no name by which it could be asked for
  if (other === undefined || other.database === "") return undefined;
  return { ...other, name: other.database, layout: "litestream" } as const;
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
  /** Without a sound one nobody knows whether newer objects than `headTxid` are gone. */
  readonly manifest: ManifestState;
}

/**
 * The restore points of one database. Only headers of files that the manifest does not name yet are read. It may
 * say of those that it names which are repairs (ManifestFile); a restore by time looks at the files in question.
 * Errors: RESTORE_NOTHING; STORAGE_*; INTEGRITY_FORMAT; INTEGRITY_VERSION.
 */
export async function listRestorePoints(
  storage: Storage,
  name: string,
  options: CallOptions = {},
): Promise<RestorePoints> {
  const listed = await readCatalog(storage, name, options);
  if (knownFiles(listed).length === 0) throw nothingThere(name);
  const unread = listed.present.filter(({ timestampMs }) => timestampMs === undefined);
  const { present, missing, headTxid, manifestState } = await withHeaders(storage, listed, unread, options);
  return {
    name,
    points: pointsOf(withNamedRepairs(present, listed)),
    headTxid,
    files: present.toSorted(byTxid),
    missing: missing.map(({ key }) => key),
    manifest: manifestState,
  };
}

function withNamedRepairs(files: readonly RestoreFile[], { name, manifest }: Catalog): RestoreFile[] {
  const keys = databaseKeys(name);
  const repairs = (manifest?.files ?? []).filter(({ isRepair }) => isRepair);
  const named = new Set(repairs.map(({ minTxid, maxTxid }) => keys.ltx(minTxid, maxTxid)));
  return files.map((file) => (named.has(file.key) ? { ...file, isRepair: true } : file));
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
