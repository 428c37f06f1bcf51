import { createHash } from "node:crypto";
import { WalrustError } from "../../src/errors.ts";
import type {
  CallOptions,
  GetResult,
  ObjectHead,
  PutCondition,
  PutOptions,
  PutResult,
  ReadOptions,
  Storage,
  StoredObject,
  Upload,
  UploadOptions,
} from "../../src/storage/storage.ts";

export type StorageOperation = "check" | "put" | "upload" | "get" | "read" | "head" | "list" | "delete";

export interface StorageCall {
  readonly operation: StorageOperation;
  readonly key: string;
  /** Calls of any operation, from 0. */
  readonly index: number;
}

/**
 * What goes wrong with a call. `before`: it has no effect. `never`: nor does it, and no answer comes. `after`: it has its effect, and the
 * answer is lost; a read or a list has given `units` bytes or entries by then.
 */
export type Fault =
  | { readonly kind: "before"; readonly error: WalrustError }
  | { readonly kind: "never" }
  | LostAnswer;

interface LostAnswer {
  readonly kind: "after";
  readonly error: WalrustError;
  readonly units?: number;
}

export interface MemoryStorageOptions {
  readonly conditionalPut?: boolean;
  /** Largest piece that `read` gives. */
  readonly pieceSizeBytes?: number;
  /** Unix ms of what is written. */
  readonly now?: () => number;
}

interface Entry {
  readonly body: Uint8Array;
  readonly etag: string;
  readonly sha256: string | undefined;
  readonly lastModifiedMs: number;
}

/** A Storage in memory, strict about the contract: whoever breaks it fails here first. */
export class MemoryStorage implements Storage {
  readonly url = "memory://test";
  readonly conditionalPut: boolean;
  readonly distanceMs = 0;
  /** Every call made, in order. */
  readonly calls: StorageCall[] = [];
  /** Decides what goes wrong. */
  fault: (call: StorageCall) => Fault | undefined = () => undefined;

  readonly #objects = new Map<string, Entry>();
  readonly #pieceSizeBytes: number;
  readonly #now: () => number;
  #versions = 0;
  #closed = false;

  constructor(options: MemoryStorageOptions = {}) {
    this.conditionalPut = options.conditionalPut ?? true;
    this.#pieceSizeBytes = options.pieceSizeBytes ?? 4096;
    this.#now = options.now ?? (() => 0);
  }

  // For tests: what lies there, without a call.

  keys(): string[] {
    return [...this.#objects.keys()].sort(byUtf8);
  }

  peek(key: string): Uint8Array {
    return copyOf(this.#entry(key).body);
  }

  poke(key: string, body: Uint8Array): void {
    this.#store(key, copyOf(body), {});
  }

  remove(key: string): void {
    this.#objects.delete(key);
  }

  async check(options: CallOptions = {}): Promise<void> {
    await this.#call("check", "", options, () => undefined);
  }

  put(key: string, body: Uint8Array, options: PutOptions = {}): Promise<PutResult> {
    const copy = copyOf(body);
    return this.#call("put", key, options, () => {
      this.#assertCondition(key, options.condition);
      return this.#store(key, copy, options);
    });
  }

  upload(key: string, options: UploadOptions): Upload {
    const parts: Uint8Array[] = [];
    let state: "open" | "done" = "open";
    let writing = false;
    const assertOpen = () => {
      assertContract(state === "open", `the upload of ${key} has ended`);
      assertContract(!writing, `write to ${key} before the write before it was done`);
    };
    return {
      write: (bytes) => {
        assertOpen();
        parts.push(copyOf(bytes));
        if (parts.length % 4 !== 0) return undefined;
        writing = true;
        return Promise.resolve().then(() => {
          writing = false;
        });
      },
      complete: (head, completeOptions = {}) => {
        assertOpen();
        assertContract(head.length === options.headSizeBytes, `a head of ${head.length} bytes for ${key}`);
        state = "done";
        const body = new Uint8Array(Buffer.concat([head, ...parts]));
        return this.#call("upload", key, options, () => {
          this.#assertCondition(key, options.condition);
          const { timestampMs } = options;
          return this.#store(key, body, {
            ...completeOptions,
            ...(timestampMs !== undefined && { timestampMs }),
          });
        });
      },
      abort: async () => {
        state = "done";
      },
    };
  }

  get(key: string, options: CallOptions & { readonly maxBytes: number }): Promise<GetResult> {
    return this.#call("get", key, options, () => {
      const { body, etag } = this.#entry(key);
      if (body.length > options.maxBytes) {
        throw new WalrustError("STORAGE_REJECTED", `${key} is larger than ${options.maxBytes} bytes`);
      }
      return { body: copyOf(body), etag };
    });
  }

  async *read(key: string, options: ReadOptions = {}): AsyncIterable<Uint8Array> {
    const fault = await reach(this.#begin("read", key, options), options);
    const { body, etag } = this.#entry(key);
    const from = Math.min(options.offset ?? 0, body.length);
    const to = Math.min(from + (options.length ?? body.length), body.length);
    const cut = fault === undefined ? undefined : from + (fault.units ?? 0);
    // One buffer for all pieces: a caller that keeps one sees the next.
    const piece = new Uint8Array(this.#pieceSizeBytes);
    for (let at = from; at < to; ) {
      if (cut !== undefined && at >= cut) break;
      options.signal?.throwIfAborted();
      const end = Math.min(at + piece.length, to, cut ?? to);
      piece.set(body.subarray(at, end));
      yield piece.subarray(0, end - at);
      if (this.#objects.get(key)?.etag !== etag)
        throw new WalrustError("STORAGE_CONFLICT", `${key} changed while it was read`);
      at = end;
    }
    if (fault) throw fault.error;
  }

  head(key: string, options: CallOptions = {}): Promise<ObjectHead> {
    return this.#call("head", key, options, () => {
      const { body, etag, sha256, lastModifiedMs } = this.#entry(key);
      return { key, sizeBytes: body.length, etag, sha256, lastModifiedMs };
    });
  }

  async *list(prefix: string, options: CallOptions = {}): AsyncIterable<StoredObject> {
    const fault = await reach(this.#begin("list", prefix, options), options);
    let given = 0;
    for (const key of this.keys()) {
      if (fault && given >= (fault.units ?? 0)) break;
      options.signal?.throwIfAborted();
      const entry = this.#objects.get(key);
      if (!key.startsWith(prefix) || entry === undefined) continue;
      yield { key, sizeBytes: entry.body.length, lastModifiedMs: entry.lastModifiedMs };
      given += 1;
    }
    if (fault) throw fault.error;
  }

  async delete(keys: readonly string[], options: CallOptions = {}): Promise<void> {
    for (const key of keys) {
      await this.#call("delete", key, options, () => this.#objects.delete(key));
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
  }

  async #call<T>(
    operation: StorageOperation,
    key: string,
    options: CallOptions,
    effect: () => T,
  ): Promise<T> {
    const fault = await reach(this.#begin(operation, key, options), options);
    options.signal?.throwIfAborted();
    const result = effect();
    if (fault) throw fault.error;
    return result;
  }

  #begin(operation: StorageOperation, key: string, options: CallOptions): Fault | undefined {
    assertContract(!this.#closed, `${operation} after close`);
    if (operation !== "list" && operation !== "check") assertKey(key);
    options.signal?.throwIfAborted();
    const call = { operation, key, index: this.calls.length };
    this.calls.push(call);
    return this.fault(call);
  }

  #entry(key: string): Entry {
    const entry = this.#objects.get(key);
    if (entry === undefined) throw new WalrustError("STORAGE_NOT_FOUND", `${this.url}/${key} does not exist`);
    return entry;
  }

  #store(key: string, body: Uint8Array, options: PutOptions): PutResult {
    assertKey(key);
    this.#versions += 1;
    const etag = `"${createHash("md5").update(body).digest("hex")}-${this.#versions}"`;
    const lastModifiedMs = options.timestampMs ?? this.#now();
    this.#objects.set(key, { body, etag, sha256: options.sha256, lastModifiedMs });
    return { etag };
  }

  #assertCondition(key: string, condition: PutCondition | undefined): void {
    if (condition === undefined || !this.conditionalPut) return;
    const etag = this.#objects.get(key)?.etag;
    const holds = condition.kind === "absent" ? etag === undefined : etag === condition.etag;
    if (!holds) throw new WalrustError("STORAGE_CONFLICT", `${key}: the condition does not hold`);
  }
}

/** Until the call has its effect. Errors: that of a fault before it. */
async function reach(fault: Fault | undefined, { signal }: CallOptions): Promise<LostAnswer | undefined> {
  await Promise.resolve();
  if (fault?.kind === "before") throw fault.error;
  if (fault?.kind !== "never") return fault;
  signal?.throwIfAborted();
  return new Promise((_, reject) => {
    signal?.addEventListener("abort", () => reject(signal.reason), { once: true });
  });
}

/** Not `slice`: that of a Buffer shares its memory. */
function copyOf(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(bytes);
}

function byUtf8(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}

function assertKey(key: string): void {
  const parts = key.split("/");
  assertContract(
    !parts.some((part) => part === "" || part === "." || part === ".."),
    `not a key: ${JSON.stringify(key)}`,
  );
}

function assertContract(holds: boolean, message: string): void {
  if (!holds) throw new Error(`the contract of Storage is broken: ${message}`);
}
