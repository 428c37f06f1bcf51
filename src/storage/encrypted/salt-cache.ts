import { readRange } from "../database-objects.ts";
import type { Storage } from "../storage.ts";
import { decodeHeader, HEADER_BYTES } from "./object-format.ts";

export interface SaltedObject {
  /** The storage as it is, without a key. */
  readonly storage: Storage;
  /** Its name there. */
  readonly stored: string;
  readonly key: string;
}

const MAX_SALTS = 256;

/** Salts of objects read lately: a large object is read in many ranges, and each of them needs it. */
export class SaltCache {
  readonly #salts = new Map<string, Promise<Uint8Array>>();

  get(object: SaltedObject): Promise<Uint8Array> {
    const known = this.#salts.get(object.stored);
    if (known !== undefined) return known;
    // Shared by all who ask meanwhile, and so by nobody's signal.
    const salt = readSalt(object);
    this.#remember(object.stored, salt);
    salt.catch(() => this.#salts.delete(object.stored));
    return salt;
  }

  set(stored: string, salt: Uint8Array): void {
    this.#remember(stored, Promise.resolve(salt));
  }

  /** Whether the object has another salt by now; then that one is remembered. */
  async isStale(object: SaltedObject, salt: Uint8Array): Promise<boolean> {
    this.#salts.delete(object.stored);
    return Buffer.compare(await this.get(object), salt) !== 0;
  }

  #remember(stored: string, salt: Promise<Uint8Array>): void {
    this.#salts.delete(stored);
    this.#salts.set(stored, salt);
    const [oldest] = this.#salts.keys();
    if (this.#salts.size > MAX_SALTS && oldest !== undefined) this.#salts.delete(oldest);
  }
}

async function readSalt({ storage, stored, key }: SaltedObject): Promise<Uint8Array> {
  return decodeHeader(await readRange(storage, stored, { offset: 0, length: HEADER_BYTES }), key);
}
