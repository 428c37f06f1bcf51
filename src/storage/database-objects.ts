import { isWalrustError } from "../errors.ts";
import type { Txid } from "../ltx/format.ts";
import type { DatabaseKeys } from "./keys.ts";
import { MANIFEST_MAX_BYTES, type Manifest, parseManifest } from "./manifest.ts";
import type { CallOptions, Storage } from "./storage.ts";

/** An LTX file as a list of objects shows it. */
export interface ListedFile {
  readonly key: string;
  readonly minTxid: Txid;
  readonly maxTxid: Txid;
  readonly sizeBytes: number;
  /** Unix ms */
  readonly lastModifiedMs: number;
}

export interface StoredManifest extends Manifest {
  readonly etag: string;
}

/** The manifest, or undefined where there is none. Errors: every other one of storage; INTEGRITY_FORMAT when it cannot be used. */
export async function readManifest(
  storage: Storage,
  keys: DatabaseKeys,
  options: CallOptions = {},
): Promise<StoredManifest | undefined> {
  const key = keys.manifest();
  try {
    const { body, etag } = await storage.get(key, { ...options, maxBytes: MANIFEST_MAX_BYTES });
    return { ...parseManifest(body, key), etag };
  } catch (error) {
    if (isWalrustError(error, "STORAGE_NOT_FOUND")) return undefined;
    throw error;
  }
}

/** The LTX files of a database, in no order. Errors: those of storage. */
export async function listFiles(
  storage: Storage,
  keys: DatabaseKeys,
  options: CallOptions = {},
): Promise<ListedFile[]> {
  const files: ListedFile[] = [];
  for await (const { key, sizeBytes, lastModifiedMs } of storage.list(keys.prefix, options)) {
    const stored = keys.parse(key);
    if (stored?.kind !== "ltx") continue;
    files.push({ key, minTxid: stored.minTxid, maxTxid: stored.maxTxid, sizeBytes, lastModifiedMs });
  }
  return files;
}

/** The bytes [offset, offset + length) of an object in one piece; fewer where it ends before. Errors: those of storage. */
export async function readRange(
  storage: Storage,
  key: string,
  range: { readonly offset: number; readonly length: number },
  options: CallOptions = {},
): Promise<Uint8Array> {
  const bytes = new Uint8Array(range.length);
  let done = 0;
  for await (const piece of storage.read(key, { ...options, ...range })) {
    bytes.set(piece, done);
    done += piece.length;
  }
  return bytes.subarray(0, done);
}
