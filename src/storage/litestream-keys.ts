import { formatLitestreamFilename, parseLitestreamFilename } from "../ltx/filename.ts";
import type { Txid } from "../ltx/format.ts";
import { keyProblem } from "./key-rules.ts";
import { databaseKeys, type LtxKeys } from "./keys.ts";

/**
 * The keys of Litestream 0.5 (formats.md, section 5), which its S3 and its file replicas write differently:
 *
 *     {database}/0000/0000000000000002-0000000000000002.ltx      level 0 in a bucket, as 4 hex digits
 *     {database}/ltx/0/0000000000000002-0000000000000002.ltx     level 0 in a folder, as plain hex
 *
 * Level 0 holds what was just published, 1 to 8 what Litestream has merged, 9 snapshots. Both ways are read
 * wherever they are found: a bucket may have been copied to a folder.
 */

export const LIVE_LEVEL = 0;
export const SNAPSHOT_LEVEL = 9;

const OF_A_BUCKET = /^(?:(.+)\/)?(000[0-9])\/([^/]+)$/s;
const OF_A_FOLDER = /^(?:(.+)\/)?ltx\/([0-9])\/([^/]+)$/s;
/** Litestream 0.3 kept generations of snapshots and pieces of the log. */
const OF_VERSION_03 = /^(?:(.+)\/)?generations\/[0-9a-f]{16}\/(?:snapshots|wal)\/[^/]+\.lz4$/s;

export interface LitestreamFile {
  readonly database: string;
  readonly level: number;
  readonly minTxid: Txid;
  readonly maxTxid: Txid;
}

/** The file of Litestream 0.5 that a key stands for; undefined for all others. A file without a database lies at the storage's root. */
export function parseLitestreamKey(key: string): LitestreamFile | undefined {
  const match = OF_A_FOLDER.exec(key) ?? OF_A_BUCKET.exec(key);
  const range = match?.[3] === undefined ? undefined : parseLitestreamFilename(match[3]);
  if (match === null || range === undefined || keyProblem(key) !== undefined) return undefined;
  return { database: match[1] ?? "", level: Number(match[2]), ...range };
}

/** The database of which Litestream 0.3 wrote this object. */
export function parseVersion03Key(key: string): string | undefined {
  const match = OF_VERSION_03.exec(key);
  return match === null ? undefined : (match[1] ?? "");
}

/** @param where buckets and folders have different levels. Errors: CONFIG_INVALID for a name that can't be one. */
export function litestreamKeys(name: string, where: "bucket" | "folder"): LtxKeys {
  const own = databaseKeys(name);
  const { prefix } = own;
  const levelFolder = (level: number) =>
    where === "folder" ? `ltx/${level}` : level.toString(16).padStart(4, "0");
  return {
    prefix,
    ltx: (minTxid, maxTxid) => {
      const level = minTxid === maxTxid ? LIVE_LEVEL : SNAPSHOT_LEVEL;
      return `${prefix}${levelFolder(level)}/${formatLitestreamFilename({ minTxid, maxTxid })}`;
    },
    writer: () => own.writer(),
  };
}
