import type { Storage, Upload } from "../../../src/storage/storage.ts";

/**
 * A storage under which the process dies: at the k-th request, before or after it takes effect, nothing ever comes back. What was waiting for it
 * stays where it was for good, as if it had been killed there.
 */
export class DyingStorage implements Storage {
  readonly #storage: Storage;
  readonly #at: number;
  readonly #effect: "before" | "after";
  readonly #died: () => void;
  /** Settles when the process has died. */
  readonly death: Promise<"died">;
  requests = 0;

  constructor(storage: Storage, at: number, effect: "before" | "after") {
    this.#storage = storage;
    this.#at = at;
    this.#effect = effect;
    let died = (_: "died") => {};
    this.death = new Promise((resolve) => {
      died = resolve;
    });
    this.#died = () => died("died");
  }

  get url() {
    return this.#storage.url;
  }

  get conditionalPut() {
    return this.#storage.conditionalPut;
  }

  get distanceMs() {
    return this.#storage.distanceMs;
  }

  check: Storage["check"] = (options) => this.#step(() => this.#storage.check(options));
  put: Storage["put"] = (...args) => this.#step(() => this.#storage.put(...args));
  get: Storage["get"] = (...args) => this.#step(() => this.#storage.get(...args));
  head: Storage["head"] = (...args) => this.#step(() => this.#storage.head(...args));
  delete: Storage["delete"] = (...args) => this.#step(() => this.#storage.delete(...args));

  upload: Storage["upload"] = (key, options): Upload => {
    const upload = this.#storage.upload(key, options);
    return {
      write: (bytes) => upload.write(bytes),
      complete: (...args) => this.#step(() => upload.complete(...args)),
      abort: () => upload.abort(),
    };
  };

  async *read(...args: Parameters<Storage["read"]>): AsyncIterable<Uint8Array> {
    await this.#step(async () => {});
    yield* this.#storage.read(...args);
  }

  async *list(...args: Parameters<Storage["list"]>): ReturnType<Storage["list"]> {
    await this.#step(async () => {});
    yield* this.#storage.list(...args);
  }

  close(): Promise<void> {
    return this.#storage.close();
  }

  async #step<T>(request: () => Promise<T>): Promise<T> {
    const dies = this.requests === this.#at;
    this.requests += 1;
    if (!dies) return request();
    if (this.#effect === "after") await request().catch(() => {});
    this.#died();
    return new Promise(() => {});
  }
}
