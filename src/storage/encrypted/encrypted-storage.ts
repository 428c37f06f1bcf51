import { randomBytes } from "node:crypto";
import { WalrustError } from "../../errors.ts";
import { checkAborted } from "../abort.ts";
import type { StorageDependencies } from "../dependencies.ts";
import { assertKey, assertListPrefix, compareKeys } from "../key-rules.ts";
import { parseKey } from "../keys.ts";
import type * as contract from "../storage.ts";
import { ChunkCipher } from "./chunk-cipher.ts";
import { decryptRange, openFromHeader, type SealedObject } from "./decrypt.ts";
import { EncryptedUpload, sealWhole } from "./encrypt.ts";
import { KeyProof } from "./key-proof.ts";
import { MARK_KEY } from "./mark.ts";
import type { MasterKey } from "./master-key.ts";
import { NameCipher } from "./names.ts";
import { HEAD_BYTES, plainSizeOf, SALT_BYTES, storedSizeOf } from "./object-format.ts";
import { SaltCache } from "./salt-cache.ts";

export interface EncryptedStorageDependencies extends Pick<StorageDependencies, "clock" | "logger"> {
  /** For salts: cryptographic, and the same only in tests. */
  readonly randomBytes?: (size: number) => Uint8Array;
}

/**
 * A storage whose bodies and names are encrypted before they leave this process (docs/encryption.md). Keys and sizes are the plain ones on this
 * side; SHA-256 and times of bodies are not handed on, since they would tell what is in them. One chunk is held in memory each way.
 */
export class EncryptedStorage implements contract.Storage {
  readonly url: string;
  readonly #storage: contract.Storage;
  readonly #master: MasterKey;
  readonly #names: NameCipher;
  readonly #salts = new SaltCache();
  readonly #proof: KeyProof;
  readonly #logger: StorageDependencies["logger"];
  readonly #randomBytes: (size: number) => Uint8Array;

  constructor(storage: contract.Storage, master: MasterKey, dependencies: EncryptedStorageDependencies) {
    this.url = storage.url;
    this.#storage = storage;
    this.#master = master;
    this.#names = new NameCipher(master.forNames());
    this.#logger = dependencies.logger;
    this.#randomBytes = dependencies.randomBytes ?? randomBytes;
    this.#proof = new KeyProof({
      storage,
      master,
      names: this.#names,
      randomBytes: this.#randomBytes,
      now: () => dependencies.clock.now(),
      onUnencrypted: (database) => this.#tellUnencrypted(database),
    });
  }

  /** May turn out to be otherwise while it is used. */
  get conditionalPut(): boolean {
    return this.#storage.conditionalPut;
  }

  get distanceMs(): number {
    return this.#storage.distanceMs;
  }

  async check(options: contract.CallOptions = {}): Promise<void> {
    checkAborted(options.signal);
    await this.#storage.check(options);
    await this.#proof.beforeReading();
  }

  async put(key: string, body: Uint8Array, options: contract.PutOptions = {}): Promise<contract.PutResult> {
    const stored = this.#seal(key, options.signal);
    const { cipher, salt } = this.#newCipher(key);
    return this.#putSealed(key, stored, sealWhole(cipher, salt, body), options);
  }

  upload(key: string, options: contract.UploadOptions): contract.Upload {
    const stored = this.#seal(key, undefined);
    const { headSizeBytes, expectedSizeBytes, condition, signal } = options;
    const call = { ...(condition && { condition }), ...(signal && { signal }) };
    const upload = new EncryptedUpload({
      ...this.#newCipher(key),
      headSizeBytes,
      signal,
      put: (object) => this.#putSealed(key, stored, object, call),
      begin: async () => {
        await this.#proof.beforeWriting();
        const bodyBytes = storedSizeOf(headSizeBytes + expectedSizeBytes) - HEAD_BYTES;
        return this.#storage.upload(stored, {
          ...call,
          headSizeBytes: HEAD_BYTES,
          expectedSizeBytes: Math.max(0, bodyBytes),
        });
      },
    });
    return {
      write: (bytes) => upload.write(bytes)?.catch(rethrowAbout(key)),
      complete: (head) => upload.complete(head).catch(rethrowAbout(key)),
      abort: () => upload.abort(),
    };
  }

  async get(
    key: string,
    { maxBytes, signal }: contract.CallOptions & { readonly maxBytes: number },
  ): Promise<contract.GetResult> {
    const object = this.#object(key, signal);
    await this.#proof.beforeReading();
    const limit = { maxBytes: storedSizeOf(maxBytes), ...(signal && { signal }) };
    const got = await this.#storage.get(object.stored, limit).catch(rethrowAbout(key));
    const body = Buffer.allocUnsafeSlow(got.body.length); // a body is smaller than its object
    let filled = 0;
    const whole = { start: 0, end: Number.POSITIVE_INFINITY };
    for await (const piece of openFromHeader(object, one(got.body), whole)) {
      body.set(piece, filled);
      filled += piece.length;
    }
    return { body: body.subarray(0, filled), etag: got.etag };
  }

  async *read(key: string, options: contract.ReadOptions = {}): AsyncGenerator<Uint8Array> {
    const { offset: start = 0, length = Number.POSITIVE_INFINITY, signal } = options;
    const object = this.#object(key, signal);
    await this.#proof.beforeReading();
    if (length === 0) return;
    try {
      yield* decryptRange(object, { start, end: start + length }, signal ? { signal } : {});
    } catch (error) {
      throw about(key, error);
    }
  }

  async head(key: string, options: contract.CallOptions = {}): Promise<contract.ObjectHead> {
    const { stored } = this.#object(key, options.signal);
    await this.#proof.beforeReading();
    const head = await this.#storage.head(stored, options).catch(rethrowAbout(key));
    return { ...head, key, sizeBytes: bodySizeOf(head), sha256: undefined };
  }

  /**
   * The order of sealed names is not that of the plain ones, so the whole list is held and put in order before the first object is given.
   * What is not sealed with this key is not shown.
   */
  async *list(prefix: string, options: contract.CallOptions = {}): AsyncGenerator<contract.StoredObject> {
    assertListPrefix(prefix);
    checkAborted(options.signal);
    await this.#proof.beforeReading();
    const folder = this.#names.sealFolder(prefix.slice(0, prefix.lastIndexOf("/") + 1));
    const objects: contract.StoredObject[] = [];
    let unencrypted: string | undefined;
    for await (const object of this.#storage.list(folder, options)) {
      const key = this.#names.open(object.key);
      if (key === undefined) unencrypted ??= parseKey(object.key)?.database;
      else if (key.startsWith(prefix) && key !== MARK_KEY)
        objects.push({ ...object, key, sizeBytes: bodySizeOf(object) });
    }
    if (unencrypted !== undefined) this.#tellUnencrypted(unencrypted);
    yield* objects.sort((a, b) => compareKeys(a.key, b.key));
  }

  async delete(keys: readonly string[], options: contract.CallOptions = {}): Promise<void> {
    const stored = keys.map((key) => this.#seal(key, options.signal));
    await this.#proof.beforeReading();
    await this.#storage.delete(stored, options);
  }

  close(): Promise<void> {
    return this.#storage.close();
  }

  async #putSealed(
    key: string,
    stored: string,
    object: Uint8Array,
    { condition, signal }: contract.PutOptions,
  ): Promise<contract.PutResult> {
    await this.#proof.beforeWriting();
    const options = { ...(condition && { condition }), ...(signal && { signal }) };
    return this.#storage.put(stored, object, options).catch(rethrowAbout(key));
  }

  /** Every body has a salt, and so a key, of its own. */
  #newCipher(key: string): { readonly cipher: ChunkCipher; readonly salt: Uint8Array } {
    const salt = this.#randomBytes(SALT_BYTES);
    return { cipher: new ChunkCipher(this.#master.forObject(salt, key)), salt };
  }

  #object(key: string, signal: AbortSignal | undefined): SealedObject {
    const stored = this.#seal(key, signal);
    return { storage: this.#storage, stored, key, master: this.#master, salts: this.#salts };
  }

  #seal(key: string, signal: AbortSignal | undefined): string {
    assertKey(key);
    if (key === MARK_KEY) throw new WalrustError("STORAGE_REJECTED", `${MARK_KEY} is walrust's own`);
    checkAborted(signal);
    return this.#names.seal(key);
  }

  #tellUnencrypted(database: string): void {
    const message = `${this.url} also holds copies that are not encrypted (${database}): they stay as they are, and are not shown`;
    this.#logger.warn({ database }, message);
  }
}

/** A size that no whole object has is that of a damaged one: it is shown, and whoever reads it is told. */
function bodySizeOf({ sizeBytes }: { readonly sizeBytes: number }): number {
  return plainSizeOf(sizeBytes) ?? 0;
}

/** Storage knows the object by its sealed name alone. */
function about(key: string, error: unknown): unknown {
  if (!(error instanceof WalrustError) || !error.code.startsWith("STORAGE_")) return error;
  const { code, message, hint, details, cause } = error;
  return new WalrustError(code, `${key}: ${message}`, {
    details,
    cause,
    ...(hint !== undefined && { hint }),
  });
}

function rethrowAbout(key: string): (error: unknown) => never {
  return (error) => {
    throw about(key, error);
  };
}

async function* one(piece: Uint8Array): AsyncGenerator<Uint8Array> {
  yield piece;
}
