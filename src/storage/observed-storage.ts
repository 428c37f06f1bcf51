import type { Clock } from "../clock.ts";
import { isWalrustError } from "../errors.ts";
import type { StorageRequest } from "./dependencies.ts";
import type * as contract from "./storage.ts";

/** A storage without requests of its own, such as a folder: tells of each call when it is done. */
export class ObservedStorage implements contract.Storage {
  readonly #inner: contract.Storage;
  readonly #clock: Clock;
  readonly #tell: (request: StorageRequest) => void;

  constructor(inner: contract.Storage, clock: Clock, tell: (request: StorageRequest) => void) {
    this.#inner = inner;
    this.#clock = clock;
    this.#tell = tell;
  }

  get url(): string {
    return this.#inner.url;
  }

  get conditionalPut(): boolean {
    return this.#inner.conditionalPut;
  }

  get distanceMs(): number {
    return this.#inner.distanceMs;
  }

  check(options?: contract.CallOptions): Promise<void> {
    return this.#observed("head", () => this.#inner.check(options));
  }

  put(key: string, body: Uint8Array, options?: contract.PutOptions): Promise<contract.PutResult> {
    return this.#observed("put", () => this.#inner.put(key, body, options));
  }

  upload(key: string, options: contract.UploadOptions): contract.Upload {
    const upload = this.#inner.upload(key, options);
    return {
      write: (bytes) => upload.write(bytes),
      complete: (head, completed) => this.#observed("put", () => upload.complete(head, completed)),
      abort: () => upload.abort(),
    };
  }

  get(
    key: string,
    options: contract.CallOptions & { readonly maxBytes: number },
  ): Promise<contract.GetResult> {
    return this.#observed("get", () => this.#inner.get(key, options));
  }

  read(key: string, options?: contract.ReadOptions): AsyncIterable<Uint8Array> {
    return this.#observedPieces("get", this.#inner.read(key, options));
  }

  head(key: string, options?: contract.CallOptions): Promise<contract.ObjectHead> {
    return this.#observed("head", () => this.#inner.head(key, options));
  }

  list(prefix: string, options?: contract.CallOptions): AsyncIterable<contract.StoredObject> {
    return this.#observedPieces("list", this.#inner.list(prefix, options));
  }

  delete(keys: readonly string[], options?: contract.CallOptions): Promise<void> {
    return this.#observed("delete", () => this.#inner.delete(keys, options));
  }

  close(): Promise<void> {
    return this.#inner.close();
  }

  async #observed<T>(operation: StorageRequest["operation"], call: () => Promise<T>): Promise<T> {
    const done = this.#begin(operation);
    try {
      const result = await call();
      done("ok");
      return result;
    } catch (error) {
      done(outcomeOf(error));
      throw error;
    }
  }

  async *#observedPieces<T>(
    operation: StorageRequest["operation"],
    pieces: AsyncIterable<T>,
  ): AsyncGenerator<T> {
    const done = this.#begin(operation);
    let outcome: StorageRequest["outcome"] = "ok"; // also for whoever has read enough
    try {
      yield* pieces;
    } catch (error) {
      outcome = outcomeOf(error);
      throw error;
    } finally {
      done(outcome);
    }
  }

  #begin(operation: StorageRequest["operation"]): (outcome: StorageRequest["outcome"]) => void {
    const sinceMs = this.#clock.monotonicMs();
    return (outcome) => this.#tell({ operation, outcome, durationMs: this.#clock.monotonicMs() - sinceMs });
  }
}

function outcomeOf(error: unknown): StorageRequest["outcome"] {
  if (isWalrustError(error, "STORAGE_NOT_FOUND")) return "not_found";
  if (isWalrustError(error, "STORAGE_CONFLICT")) return "conflict";
  return isWalrustError(error, "ABORTED") ? "aborted" : "failed";
}
