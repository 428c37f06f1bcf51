import { WalrustError } from "../../errors.ts";
import type * as contract from "../storage.ts";
import { MARK_KEY, readMark } from "./mark.ts";

/**
 * A storage that is used without a key. One that holds encrypted objects would look empty: it is refused where somebody checks it, and where
 * nothing is found. That costs one request a process. Errors: CONFIG_INVALID from `check` and `list`.
 */
export class UnencryptedStorage implements contract.Storage {
  readonly url: string;
  readonly #storage: contract.Storage;
  #isUnmarked = false;

  constructor(storage: contract.Storage) {
    this.url = storage.url;
    this.#storage = storage;
  }

  /** May turn out to be otherwise while it is used. */
  get conditionalPut(): boolean {
    return this.#storage.conditionalPut;
  }

  get distanceMs(): number {
    return this.#storage.distanceMs;
  }

  async check(options?: contract.CallOptions): Promise<void> {
    await this.#storage.check(options);
    await this.#refuseMarked();
  }

  async *list(prefix: string, options?: contract.CallOptions): AsyncGenerator<contract.StoredObject> {
    let isEmpty = true;
    for await (const object of this.#storage.list(prefix, options)) {
      isEmpty = false;
      yield object;
    }
    if (isEmpty) await this.#refuseMarked();
  }

  put(key: string, body: Uint8Array, options?: contract.PutOptions): Promise<contract.PutResult> {
    return this.#storage.put(key, body, options);
  }

  upload(key: string, options: contract.UploadOptions): contract.Upload {
    return this.#storage.upload(key, options);
  }

  get(
    key: string,
    options: contract.CallOptions & { readonly maxBytes: number },
  ): Promise<contract.GetResult> {
    return this.#storage.get(key, options);
  }

  read(key: string, options?: contract.ReadOptions): AsyncIterable<Uint8Array> {
    return this.#storage.read(key, options);
  }

  head(key: string, options?: contract.CallOptions): Promise<contract.ObjectHead> {
    return this.#storage.head(key, options);
  }

  delete(keys: readonly string[], options?: contract.CallOptions): Promise<void> {
    return this.#storage.delete(keys, options);
  }

  close(): Promise<void> {
    return this.#storage.close();
  }

  async #refuseMarked(): Promise<void> {
    if (this.#isUnmarked) return;
    if ((await readMark(this.#storage)) !== undefined) {
      throw new WalrustError("CONFIG_INVALID", `${this.url} is encrypted, and no key is given`, {
        hint: "Name the key in walrust.toml: [encryption] with key_file or key_env.",
        details: { object: MARK_KEY },
      });
    }
    this.#isUnmarked = true;
  }
}
