import { isWalrustError, WalrustError } from "../errors.ts";
import type { Txid } from "../ltx/format.ts";
import type { DatabaseKeys } from "./keys.ts";
import { parseLitestreamKey, parseVersion03Key } from "./litestream-keys.ts";
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
  /** Of a file in the Litestream layout; absent in our own. */
  readonly level?: number;
}

/** The LTX files of a name, by layout. */
export interface ListedFiles {
  readonly walrust: readonly ListedFile[];
  readonly litestream: readonly ListedFile[];
  /** Litestream 0.3 wrote something there. */
  readonly hasVersion03: boolean;
}

export interface StoredManifest extends Manifest {
  readonly etag: string;
}

/** What stands under a manifest's key. A damaged one is as good as none: the objects are the truth. */
export type ManifestReading =
  | { readonly state: "ok"; readonly manifest: StoredManifest; readonly etag: string }
  | { readonly state: "missing"; readonly manifest: undefined; readonly etag: undefined }
  | {
      readonly state: "damaged";
      readonly manifest: undefined;
      readonly etag: string;
      readonly error: WalrustError;
    };

/** Errors: every one of storage but "not found"; INTEGRITY_VERSION. */
export async function readManifest(
  storage: Storage,
  keys: DatabaseKeys,
  options: CallOptions = {},
): Promise<ManifestReading> {
  const key = keys.manifest();
  let etag: string | undefined;
  for (;;) {
    try {
      const { body, ...stored } = await storage.get(key, { ...options, maxBytes: MANIFEST_MAX_BYTES });
      etag = stored.etag;
      const manifest = { ...parseManifest(body, key), etag };
      assertOfDatabase(manifest, keys);
      return { state: "ok", manifest, etag };
    } catch (error) {
      if (isWalrustError(error, "STORAGE_NOT_FOUND"))
        return { state: "missing", manifest: undefined, etag: undefined };
      if (!isWalrustError(error, ...DAMAGE)) throw error;
      if (etag !== undefined) return { state: "damaged", manifest: undefined, etag, error };
      // Storage itself could not read it: then once more, so that the etag is that of what is damaged.
      const head = await storage.head(key, options);
      if (error.code === "STORAGE_REJECTED" && head.sizeBytes <= MANIFEST_MAX_BYTES) throw error;
      etag = head.etag;
    }
  }
}

/** What is there cannot be used: too large to be one, cannot be decrypted, is none. A refusal of another kind says nothing of it. */
const DAMAGE = ["INTEGRITY_FORMAT", "INTEGRITY_CHECKSUM", "STORAGE_REJECTED"] as const;

/** Copied from another database: it says nothing of this one. */
function assertOfDatabase({ name }: Manifest, keys: DatabaseKeys): void {
  if (`${name}/` === keys.prefix) return;
  throw new WalrustError("INTEGRITY_FORMAT", `${keys.manifest()} is the manifest of "${name}"`, {
    hint: "`walrust verify --fix` makes it again from the objects.",
    details: { object: keys.manifest() },
  });
}

/** Whether nothing is stored under a name but the record of who writes it. Errors: those of storage. */
export async function hasNothing(
  storage: Storage,
  keys: DatabaseKeys,
  options: CallOptions = {},
): Promise<boolean> {
  for await (const { key } of storage.list(keys.prefix, options)) {
    if (key !== keys.writer()) return false;
  }
  return true;
}

/** Whatever LTX files there are under a name, in no order: one list. Errors: those of storage. */
export async function listAllFiles(
  storage: Storage,
  keys: DatabaseKeys,
  options: CallOptions = {},
): Promise<ListedFiles> {
  const walrust: ListedFile[] = [];
  const litestream: ListedFile[] = [];
  let hasVersion03 = false;
  for await (const { key, sizeBytes, lastModifiedMs } of storage.list(keys.prefix, options)) {
    const own = keys.parse(key);
    if (own?.kind === "ltx") {
      walrust.push({ key, minTxid: own.minTxid, maxTxid: own.maxTxid, sizeBytes, lastModifiedMs });
      continue;
    }
    const other = parseLitestreamKey(key);
    if (other !== undefined && `${other.database}/` === keys.prefix) {
      const { minTxid, maxTxid, level } = other;
      litestream.push({ key, minTxid, maxTxid, sizeBytes, lastModifiedMs, level });
    }
    const older = parseVersion03Key(key);
    if (older !== undefined && `${older}/` === keys.prefix) hasVersion03 = true;
  }
  return { walrust, litestream, hasVersion03 };
}

/** The LTX files of a database in our own layout, in no order. Errors: those of storage. */
export async function listFiles(
  storage: Storage,
  keys: DatabaseKeys,
  options: CallOptions = {},
): Promise<readonly ListedFile[]> {
  return (await listAllFiles(storage, keys, options)).walrust;
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
