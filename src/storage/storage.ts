/**
 * The contract of every storage. Keys are relative to the storage's root (a bucket and prefix, or a folder), use `/`,
 * and are made by keys.ts alone. Every failure is a WalrustError with a STORAGE_* code; only STORAGE_NOT_FOUND means
 * that nothing is there. One contract suite (test/storage/contract.ts) runs on every implementation.
 *
 * Patience: a call tries again by itself for a few seconds, then fails with a retryable code. Who has something to upload
 * calls again, after a second at most, until storage is back: storage that is away is then asked about once a second by all
 * callers together, and uploads go on within two seconds of its return.
 */
export interface Storage {
  /** The address without secrets, for messages: `s3://bucket/prefix`, `file:///folder`. */
  readonly url: string;
  /** Whether put-if-absent and put-if-match are checked by the provider. */
  readonly conditionalPut: boolean;
  /** Least time that an answer took over the network, ms; 0: there is none between, or too few answers came. */
  readonly distanceMs: number;

  /** Proves once that the root exists and may be used. Errors: STORAGE_BUCKET_NOT_FOUND, STORAGE_AUTH, ... */
  check(options?: CallOptions): Promise<void>;

  /** Makes `body` durable under `key`, whole or not at all. Errors: STORAGE_CONFLICT when a condition fails. */
  put(key: string, body: Uint8Array, options?: PutOptions): Promise<PutResult>;

  /** For bodies of unknown or large size; nothing is visible under `key` before `complete` resolves. */
  upload(key: string, options: UploadOptions): Upload;

  /** A whole small object. Errors: STORAGE_NOT_FOUND; STORAGE_REJECTED when it is larger than `maxBytes`. */
  get(key: string, options: CallOptions & { readonly maxBytes: number }): Promise<GetResult>;

  /**
   * The bytes [offset, offset + length) of an object, or up to its end, in pieces. Resumes by range after a cut, and fails if
   * the object changed meanwhile. A piece is valid until the next one is asked for.
   */
  read(key: string, options?: ReadOptions): AsyncIterable<Uint8Array>;

  /** For a doubt about one object: in a folder it reads a whole LTX file for its SHA-256. Errors: STORAGE_NOT_FOUND. */
  head(key: string, options?: CallOptions): Promise<ObjectHead>;

  /** All objects whose key starts with `prefix`, in ascending order of the key's UTF-8 bytes, in pages behind the scenes. */
  list(prefix: string, options?: CallOptions): AsyncIterable<StoredObject>;

  /** Deletes; keys that do not exist are no error. */
  delete(keys: readonly string[], options?: CallOptions): Promise<void>;

  /** Ends pools and timers. No call may follow. */
  close(): Promise<void>;
}

export interface CallOptions {
  readonly signal?: AbortSignal;
}

export interface PutOptions extends CallOptions {
  readonly condition?: PutCondition;
  /** Whole SHA-256 of an LTX body, 64 hex digits: kept as user metadata `sha256`. */
  readonly sha256?: string;
  /** The file's mtime (folders), and user metadata `litestream-timestamp`, where the layout asks for them. Unix ms. */
  readonly timestampMs?: number;
}

export type PutCondition = { readonly kind: "absent" } | { readonly kind: "match"; readonly etag: string };

export interface PutResult {
  readonly etag: string;
}

export interface UploadOptions extends CallOptions {
  readonly condition?: { readonly kind: "absent" };
  /** Bytes at the start that are known only at the end, and given to `complete`. */
  readonly headSizeBytes: number;
  /** A guess of the whole size, to choose the size of parts. */
  readonly expectedSizeBytes: number;
  readonly timestampMs?: number;
}

export interface Upload {
  /**
   * Appends bytes behind the head and everything written before. They are copied before it returns; a promise means that the
   * caller must wait for it before it writes again.
   */
  write(bytes: Uint8Array): Promise<void> | undefined;
  /** Puts the head in place and makes the whole durable. `sha256`: as in PutOptions, kept where the provider allows it. */
  complete(head: Uint8Array, options?: { readonly sha256?: string }): Promise<PutResult>;
  /** Leaves nothing behind. Safe to call at any time, also after a failure. */
  abort(): Promise<void>;
}

export interface ReadOptions extends CallOptions {
  readonly offset?: number;
  readonly length?: number;
}

export interface StoredObject {
  readonly key: string;
  readonly sizeBytes: number;
  /** Unix ms */
  readonly lastModifiedMs: number;
}

export interface ObjectHead extends StoredObject {
  readonly etag: string;
  readonly sha256: string | undefined;
}

export interface GetResult {
  readonly body: Uint8Array;
  readonly etag: string;
}
