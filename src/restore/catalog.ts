import { WalrustError } from "../errors.ts";
import { isRepair, LTX_HEADER_SIZE, type LtxHeader, type Txid } from "../ltx/format.ts";
import { decodeHeader } from "../ltx/header.ts";
import {
  type ListedFile,
  listFiles,
  readManifest,
  readRange,
  type StoredManifest,
} from "../storage/database-objects.ts";
import { databaseKeys } from "../storage/keys.ts";
import type { Manifest, ManifestFile } from "../storage/manifest.ts";
import type { CallOptions, Storage } from "../storage/storage.ts";
import { inParallel } from "./in-parallel.ts";
import type { RestoreFile, RestoreFiles } from "./restore-file.ts";

/** The files of one database that exist, as its manifest and a list of its objects tell together. */
export interface Catalog extends RestoreFiles {
  readonly manifest: StoredManifest | undefined;
}

export interface CatalogOptions extends CallOptions {
  /** For those who go on without a manifest that cannot be used. */
  readonly readManifest?: typeof readManifest;
}

/** A manifest that changes while we list was overtaken by a prune or a merge: then both are read again. */
const MAX_READS = 4;
const HEADERS_AT_ONCE = 16;

/**
 * What exists of a database in the walrust layout (formats.md, section 4): the manifest, and a list for what
 * is newer. Only STORAGE_NOT_FOUND means that there is no manifest; every other error is thrown.
 * Errors: STORAGE_*; INTEGRITY_FORMAT for a manifest that cannot be used; CONFIG_INVALID for a name that
 * can't be one.
 */
export async function readCatalog(
  storage: Storage,
  name: string,
  options: CatalogOptions = {},
): Promise<Catalog> {
  const { readManifest: read = readManifest, ...call } = options;
  const keys = databaseKeys(name);
  let manifest = await read(storage, keys, call);
  for (let reads = 1; ; reads++) {
    const catalog = joined(name, manifest, await listFiles(storage, keys, call));
    if (catalog.missing.length === 0) return catalog;
    const again = await read(storage, keys, call);
    if (again?.etag === manifest?.etag || reads === MAX_READS) return catalog;
    manifest = again;
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
      details: { object: file.key },
    },
  );
}

const UNREAD = {
  timestampMs: undefined,
  isRepair: undefined,
  preApply: undefined,
  postApply: undefined,
  bodySha256: undefined,
} as const;

function joined(name: string, manifest: StoredManifest | undefined, listed: readonly ListedFile[]): Catalog {
  const keys = databaseKeys(name);
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
  return { name, manifest, present, missing, headTxid: headOf(manifest, present) };
}

/** What only the manifest knows without a look at the file. */
function factsOf({ timestampMs, preApply, postApply, sha256 }: ManifestFile) {
  return { timestampMs, preApply, postApply, bodySha256: sha256 };
}

/** A manifest names no file beyond its current TXID. */
function headOf(manifest: Manifest | undefined, present: readonly RestoreFile[]): Txid {
  let head = manifest?.currentTxid ?? 0n;
  for (const { maxTxid } of present) if (maxTxid > head) head = maxTxid;
  return head;
}
