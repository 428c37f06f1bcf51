import { WalrustError } from "../errors.ts";
import { isRepair, LTX_HEADER_SIZE, type LtxHeader, type Txid } from "../ltx/format.ts";
import { decodeHeader } from "../ltx/header.ts";
import { statedChecksum } from "../ltx/stated-checksum.ts";
import {
  type ListedFile,
  type ListedFiles,
  listAllFiles,
  type ManifestReading,
  readManifest,
  readRange,
  type StoredManifest,
} from "../storage/database-objects.ts";
import { databaseKeys, type LayoutName } from "../storage/keys.ts";
import type { Manifest, ManifestFile } from "../storage/manifest.ts";
import type { CallOptions, Storage } from "../storage/storage.ts";
import { inParallel } from "./in-parallel.ts";
import type { RestoreFile, RestoreFiles } from "./restore-file.ts";

/** The files of one database that exist, as its manifest and a list of its objects tell together. */
export interface Catalog extends RestoreFiles {
  /** Who reads need not care; who writes, merges or deletes must. */
  readonly layout: LayoutName;
  /** Undefined where it is missing or damaged: then the list alone tells, and nobody knows of objects that are gone. */
  readonly manifest: StoredManifest | undefined;
  readonly manifestState: ManifestState;
  readonly manifestEtag: string | undefined;
  /** Why a damaged one cannot be used. */
  readonly manifestError: WalrustError | undefined;
}

/**
 * Without a sound manifest nobody knows whether the newest objects are gone: only a list shows the head then.
 * `none`: the layout knows no manifest.
 */
export type ManifestState = ManifestReading["state"] | "none";

/** A manifest that changes while we list was overtaken by a prune or a merge: then both are read again. */
const MAX_READS = 4;
const HEADERS_AT_ONCE = 16;

/**
 * What exists of a database in the walrust layout (formats.md, section 4): the manifest, and a list for what
 * is newer. Only STORAGE_NOT_FOUND means that there is no manifest; every other error is thrown. A damaged one
 * is as good as none: the objects are the truth. Where nothing of ours is there, what Litestream wrote counts.
 * Errors: STORAGE_*; INTEGRITY_VERSION; CONFIG_INVALID for a name that can't be one; RESTORE_NOTHING for a
 * replica of Litestream 0.3, which cannot be read.
 */
export async function readCatalog(
  storage: Storage,
  name: string,
  options: CallOptions = {},
): Promise<Catalog> {
  const keys = databaseKeys(name);
  let reading = await readManifest(storage, keys, options);
  for (let reads = 1; ; reads++) {
    const listed = await listAllFiles(storage, keys, options);
    if (reading.state === "missing" && listed.walrust.length === 0) return ofLitestream(name, listed);
    const catalog = joinCatalog(name, reading, listed.walrust);
    if (catalog.missing.length === 0) return catalog;
    const again = await readManifest(storage, keys, options);
    if (again.etag === reading.etag || reads === MAX_READS) return catalog;
    reading = again;
  }
}

/** The same catalog, with what the headers of `files` tell. Errors: STORAGE_*; INTEGRITY_FORMAT. */
export async function withHeaders(
  storage: Storage,
  catalog: Catalog,
  files: readonly RestoreFile[],
  options: CallOptions = {},
): Promise<Catalog> {
  const read = await inParallel(files, HEADERS_AT_ONCE, async (file) => {
    const header = await readHeader(storage, file, options);
    return {
      ...file,
      timestampMs: header.timestampMs,
      isRepair: isRepair(header),
      preApply: header.preApply,
      ...(statedChecksum(header) !== undefined && { postApply: statedChecksum(header) }),
    };
  });
  const byKey = new Map(read.map((file) => [file.key, file]));
  return { ...catalog, present: catalog.present.map((file) => byKey.get(file.key) ?? file) };
}

async function readHeader(storage: Storage, file: RestoreFile, options: CallOptions): Promise<LtxHeader> {
  const bytes = await readRange(storage, file.key, { offset: 0, length: LTX_HEADER_SIZE }, options);
  const header = decodeHeader(bytes, file.key);
  assertNamed(file, header);
  return header;
}

/** A file is what its name says. Errors: INTEGRITY_FORMAT. */
export function assertNamed(file: RestoreFile, { minTxid, maxTxid }: LtxHeader): void {
  if (minTxid === file.minTxid && maxTxid === file.maxTxid) return;
  throw new WalrustError(
    "INTEGRITY_FORMAT",
    `${file.key} holds TXIDs ${minTxid} to ${maxTxid}, not those of its name`,
    {
      hint: "It was copied or renamed by hand; `walrust verify` shows what it costs.",
      details: { object: file.key, min_txid: String(minTxid), max_txid: String(maxTxid) },
    },
  );
}

/** The last TXID that a file says it holds, if this is the error of assertNamed. */
export function heldBy({ details }: WalrustError): Txid | undefined {
  const { max_txid: maxTxid } = details;
  return typeof maxTxid === "string" ? BigInt(maxTxid) : undefined;
}

/** Of a file that was only listed. */
export const UNREAD = {
  timestampMs: undefined,
  isRepair: undefined,
  preApply: undefined,
  postApply: undefined,
  bodySha256: undefined,
} as const;

function ofLitestream(name: string, { litestream, hasVersion03 }: ListedFiles): Catalog {
  if (litestream.length === 0 && hasVersion03) throw version03(name);
  const present = litestream.map((file) => ({ ...UNREAD, ...file }));
  const isLitestream = present.length > 0;
  return {
    ...{ name, present, missing: [], headTxid: headOf(undefined, present) },
    layout: isLitestream ? "litestream" : "walrust",
    manifestState: isLitestream ? "none" : "missing",
    ...{ manifest: undefined, manifestEtag: undefined, manifestError: undefined },
  };
}

function version03(name: string): WalrustError {
  return new WalrustError("RESTORE_NOTHING", `the backup of "${name}" was written by Litestream 0.3`, {
    hint: "Restore it with `litestream restore`, then let walrust watch what it restores.",
  });
}

/** What a manifest and a list of objects tell together. */
export function joinCatalog(name: string, reading: ManifestReading, listed: readonly ListedFile[]): Catalog {
  const keys = databaseKeys(name);
  const { manifest, state } = reading;
  const named = new Map((manifest?.files ?? []).map((file) => [keys.ltx(file.minTxid, file.maxTxid), file]));
  const present = listed.map((file) => {
    const entry = named.get(file.key);
    named.delete(file.key);
    return { ...UNREAD, ...file, ...(entry && factsOf(entry)) };
  });
  const missing = [...named].map(([key, entry]) => {
    const { minTxid, maxTxid, sizeBytes } = entry;
    return { ...UNREAD, key, minTxid, maxTxid, sizeBytes, lastModifiedMs: undefined, ...factsOf(entry) };
  });
  return {
    layout: "walrust",
    ...{ name, present, missing, headTxid: headOf(manifest, present) },
    ...{ manifest, manifestState: state, manifestEtag: reading.etag },
    manifestError: state === "damaged" ? reading.error : undefined,
  };
}

/**
 * What only the manifest knows without a look at the file. Not whether it is a repair: that it does not say so
 * proves nothing, and who must know reads the header, which also proves the time.
 */
function factsOf({ timestampMs, preApply, postApply, sha256 }: ManifestFile) {
  return { timestampMs, preApply, postApply, bodySha256: sha256 };
}

/** A manifest names no file beyond its current TXID. */
function headOf(manifest: Manifest | undefined, present: readonly RestoreFile[]): Txid {
  let head = manifest?.currentTxid ?? 0n;
  for (const { maxTxid } of present) if (maxTxid > head) head = maxTxid;
  return head;
}
