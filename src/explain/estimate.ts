import type { CompactionSettings, RetentionSettings, SyncSettings } from "../config/settings.ts";
import type { PriceList } from "./prices.ts";

/*
 * What a configuration comes to in a month of 30 days: requests, bytes, dollars. Pure, and no more than an estimate: what an application
 * writes is unknown, so it is said for three kinds of writing. The assumptions are constants here, and are printed with the numbers.
 */

export interface EstimatedDatabase {
  readonly sizeBytes: number;
  readonly pageSizeBytes: number;
  readonly sync: SyncSettings;
  readonly retention: RetentionSettings;
}

/** How an application writes. */
export interface WriteProfile {
  readonly name: "idle" | "typical" | "ceiling";
  readonly hoursADay: number;
  /** Between two publications, if wal_sync_interval allows it. */
  readonly publicationEveryMs: number;
  /** Changed in each. */
  readonly pages: number;
}

/** Of a month, but for what is stored: that is what lies there at its end. */
export interface MonthlyLoad {
  readonly puts: number;
  readonly gets: number;
  readonly lists: number;
  readonly deletes: number;
  readonly uploadedBytes: number;
  readonly storedBytes: number;
}

export interface EstimateOptions {
  readonly partSizeBytes: number;
  readonly compaction: CompactionSettings;
}

export const DAYS = 30;
/** Bytes of an LTX file for each byte of its pages: LZ4 halves ordinary tables; random or compressed content stays as it is. */
export const COMPRESSION = 0.5;

export const PROFILES: readonly WriteProfile[] = [
  { name: "idle", hoursADay: 0, publicationEveryMs: 0, pages: 0 },
  { name: "typical", hoursADay: 8, publicationEveryMs: 10_000, pages: 20 },
  { name: "ceiling", hoursADay: 24, publicationEveryMs: 0, pages: 20 },
];

const HOUR_MS = 3_600_000;
/** Header, index and trailer of an LTX file; a row of the manifest. */
const FILE_BYTES = 200;
const MANIFEST_ROW_BYTES = 400;
const KEYS_A_LIST = 1000;

const NOTHING: MonthlyLoad = { puts: 0, gets: 0, lists: 0, deletes: 0, uploadedBytes: 0, storedBytes: 0 };

/** Of all databases together. */
export function monthlyLoad(
  databases: readonly EstimatedDatabase[],
  profile: WriteProfile,
  options: EstimateOptions,
): MonthlyLoad {
  return databases.map((database) => loadOf(database, profile, options)).reduce(sum, NOTHING);
}

/** Dollars of a month. */
export function monthlyCost(load: MonthlyLoad, prices: PriceList): number {
  const requests =
    load.puts * prices.put + load.gets * prices.get + load.lists * prices.list + load.deletes * prices.delete;
  const { dollars = 0, includedGb = 0 } = prices.fee ?? {};
  const billedGb = Math.max(0, load.storedBytes / 1e9 - includedGb);
  return dollars + billedGb * prices.storageGb + requests / 1000;
}

function loadOf(
  database: EstimatedDatabase,
  profile: WriteProfile,
  { partSizeBytes, compaction }: EstimateOptions,
): MonthlyLoad {
  const { sync } = database;
  const activeMs = profile.hoursADay * DAYS * HOUR_MS;
  const everyMs = Math.max(profile.publicationEveryMs, sync.walSyncIntervalMs);
  const publications = activeMs / everyMs;
  const snapshots = Math.min(publications, snapshotsIn(activeMs, everyMs, sync));
  const compactions = (sync.compactAfterSnapshot ? snapshots : 0) + times(activeMs, sync.compactIntervalMs);
  const publicationBytes = profile.pages * database.pageSizeBytes * COMPRESSION + FILE_BYTES;
  const snapshotBytes = database.sizeBytes * COMPRESSION + FILE_BYTES;

  const stored = storedFiles({ database, compaction, activeMs, everyMs, snapshots, compactions });
  const storedFileCount = stored.snapshots + stored.incrementals;
  // a merge reads each incremental once, and writes one for each step of time
  const isMerged = compactions > 0 && compaction.stepMs > everyMs;
  const merges = isMerged ? activeMs / compaction.stepMs : 0;
  const manifests = Math.min(publications, activeMs / Math.max(1, sync.manifestIntervalMs)) + compactions;
  const validations = times(DAYS * 24 * HOUR_MS, sync.validationIntervalMs);
  return {
    puts: publications + manifests + snapshots * requestsOf(snapshotBytes, partSizeBytes) + merges,
    gets: manifests + (isMerged ? publications : 0) + validations * storedFileCount,
    lists: (compactions + validations) * Math.ceil(storedFileCount / KEYS_A_LIST),
    deletes: compactions,
    uploadedBytes:
      (publications + (isMerged ? publications : 0)) * publicationBytes +
      snapshots * snapshotBytes +
      manifests * storedFileCount * MANIFEST_ROW_BYTES,
    storedBytes: stored.snapshots * snapshotBytes + stored.publications * publicationBytes,
  };
}

interface StoredFacts {
  readonly database: EstimatedDatabase;
  readonly compaction: CompactionSettings;
  readonly activeMs: number;
  readonly everyMs: number;
  readonly snapshots: number;
  readonly compactions: number;
}

/** What lies there at the end of a month. Without compaction nothing is ever deleted. */
function storedFiles({ database, compaction, activeMs, everyMs, snapshots, compactions }: StoredFacts) {
  if (compactions === 0) {
    const publications = activeMs / everyMs;
    return { snapshots: Math.max(1, snapshots), incrementals: publications, publications };
  }
  const { hourly, daily, weekly, monthly } = database.retention;
  // single steps are kept as far back as hourly snapshots are, else behind the newest snapshot
  const historyMs = Math.min(activeMs, Math.max(1, hourly) * HOUR_MS);
  const fineMs = Math.min(historyMs, compaction.fineWindowMs);
  const coarseEveryMs = Math.max(everyMs, compaction.stepMs);
  return {
    snapshots: Math.max(1, Math.min(snapshots, hourly + daily + weekly + monthly)),
    incrementals: fineMs / everyMs + (historyMs - fineMs) / coarseEveryMs,
    publications: historyMs / everyMs,
  };
}

/** The first trigger decides: each counts from the last snapshot. One publication is one commit at least. */
function snapshotsIn(activeMs: number, everyMs: number, sync: SyncSettings): number {
  const byChanges = sync.maxChanges * everyMs;
  const distances = [sync.snapshotIntervalMs, sync.maxIntervalMs, byChanges].filter((ms) => ms > 0);
  const onIdle = sync.onIdleMs > 0 ? DAYS : 0;
  return onIdle + (distances.length === 0 ? 0 : activeMs / Math.min(...distances));
}

function times(durationMs: number, intervalMs: number): number {
  return intervalMs > 0 ? durationMs / intervalMs : 0;
}

/** One PUT, or one for each part, one before and one after them. */
function requestsOf(sizeBytes: number, partSizeBytes: number): number {
  return sizeBytes <= partSizeBytes ? 1 : Math.ceil(sizeBytes / partSizeBytes) + 2;
}

function sum(left: MonthlyLoad, right: MonthlyLoad): MonthlyLoad {
  return {
    puts: left.puts + right.puts,
    gets: left.gets + right.gets,
    lists: left.lists + right.lists,
    deletes: left.deletes + right.deletes,
    uploadedBytes: left.uploadedBytes + right.uploadedBytes,
    storedBytes: left.storedBytes + right.storedBytes,
  };
}
