import { hkdfSync } from "node:crypto";

export const MASTER_KEY_BYTES = 32;

const NO_SALT = new Uint8Array();

/**
 * The user's key. It encrypts nothing itself: every use has a key of its own, by HKDF-SHA256 (RFC 5869) with the use in `info`.
 * The bytes are private, so that nothing that prints an object prints them.
 *
 *     info = "walrust-encryption v1 {use}" 00 {context}
 */
export class MasterKey {
  readonly #bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    if (bytes.length !== MASTER_KEY_BYTES) throw new RangeError(`a key has ${MASTER_KEY_BYTES} bytes`);
    this.#bytes = bytes;
  }

  /** 64 bytes, for AES-256-SIV. The same for all names, since equal names must become equal. */
  forNames(): Uint8Array {
    return this.#derive("names", NO_SALT, "", 64);
  }

  /**
   * 32 bytes, for AES-256-GCM: the key of one body. `salt` is random for every body, so no nonce is ever used twice; `key` binds the body to its
   * place, so that no object can stand in for another one.
   */
  forObject(salt: Uint8Array, key: string): Uint8Array {
    return this.#derive("object", salt, key, 32);
  }

  /** 32 bytes that prove the key, and tell nothing about it. */
  proof(salt: Uint8Array): Uint8Array {
    return this.#derive("proof", salt, "", 32);
  }

  #derive(use: string, salt: Uint8Array, context: string, length: number): Uint8Array {
    const info = `walrust-encryption v1 ${use}\0${context}`;
    return new Uint8Array(hkdfSync("sha256", this.#bytes, salt, info, length));
  }
}
