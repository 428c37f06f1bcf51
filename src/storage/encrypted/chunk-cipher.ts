import { createCipheriv, createDecipheriv } from "node:crypto";
import { TAG_BYTES } from "./object-format.ts";

const ALGORITHM = "aes-256-gcm";
const NONCE_BYTES = 12;
const COUNTER_BYTES = 6;

/**
 * The chunks of one body: AES-256-GCM in the STREAM construction (Hoang, Reyhanitabar, Rogaway, Vizár 2015), with the nonces of age
 * (C2SP, age.md, "Payload"). A chunk opens only at its own place, and the last one only as the last.
 *
 *     nonce: 0          11     12
 *            | counter  | last |     counter: the chunk's number, big endian; last: 01 for the last chunk, else 00
 */
export class ChunkCipher {
  readonly #key: Uint8Array;

  /** @param key of this body alone; a (chunk, isLast) is sealed once with it */
  constructor(key: Uint8Array) {
    this.#key = key;
  }

  seal(chunk: number, isLast: boolean, plain: Uint8Array): { readonly sealed: Buffer; readonly tag: Buffer } {
    const cipher = createCipheriv(ALGORITHM, this.#key, nonceOf(chunk, isLast), { authTagLength: TAG_BYTES });
    const sealed = cipher.update(plain);
    cipher.final(); // empty: GCM is a stream
    return { sealed, tag: cipher.getAuthTag() };
  }

  /** @param bytes the sealed chunk and its tag. Undefined: it is not what was sealed there. */
  open(chunk: number, isLast: boolean, bytes: Uint8Array): Buffer | undefined {
    const end = bytes.length - TAG_BYTES;
    if (end < 0) return undefined;
    const nonce = nonceOf(chunk, isLast);
    const decipher = createDecipheriv(ALGORITHM, this.#key, nonce, { authTagLength: TAG_BYTES });
    decipher.setAuthTag(bytes.subarray(end));
    const plain = decipher.update(bytes.subarray(0, end));
    try {
      decipher.final();
      return plain;
    } catch {
      return undefined; // final() of GCM fails for one reason only
    }
  }
}

function nonceOf(chunk: number, isLast: boolean): Buffer {
  const nonce = Buffer.alloc(NONCE_BYTES);
  nonce.writeUIntBE(chunk, NONCE_BYTES - 1 - COUNTER_BYTES, COUNTER_BYTES);
  nonce[NONCE_BYTES - 1] = isLast ? 1 : 0;
  return nonce;
}
