import { aborted, checkAborted } from "../abort.ts";
import type { PutResult, Upload } from "../storage.ts";
import type { ChunkCipher } from "./chunk-cipher.ts";
import {
  CHUNK_BYTES,
  encodeHeader,
  FIRST_CHUNK_BYTES,
  plainStart,
  sealedStart,
  storedSizeOf,
} from "./object-format.ts";

/** A body that is all here, as an object. */
export function sealWhole(cipher: ChunkCipher, salt: Uint8Array, body: Uint8Array): Uint8Array {
  const object = Buffer.allocUnsafeSlow(storedSizeOf(body.length));
  object.set(encodeHeader(salt));
  for (let chunk = 0; ; chunk += 1) {
    const end = Math.min(plainStart(chunk + 1), body.length);
    const isLast = end === body.length;
    const { sealed, tag } = cipher.seal(chunk, isLast, body.subarray(plainStart(chunk), end));
    object.set(sealed, sealedStart(chunk));
    object.set(tag, sealedStart(chunk) + sealed.length);
    if (isLast) return object;
  }
}

export interface EncryptedUploadOptions {
  readonly cipher: ChunkCipher;
  readonly salt: Uint8Array;
  /** At most FIRST_CHUNK_BYTES. */
  readonly headSizeBytes: number;
  readonly signal: AbortSignal | undefined;
  /** For a body that fits into chunk 0. */
  readonly put: (object: Uint8Array) => Promise<PutResult>;
  /** For a larger one: an upload whose head is the header and chunk 0. */
  readonly begin: () => Promise<Upload>;
}

/**
 * Seals what is written, chunk by chunk, into an upload. Chunk 0 waits for the head, and every other chunk for one more byte: only then is it
 * known not to be the last. Memory: a chunk, and what a single write brings beyond it.
 */
export class EncryptedUpload implements Upload {
  readonly #options: EncryptedUploadOptions;
  readonly #first = Buffer.alloc(FIRST_CHUNK_BYTES);
  #firstBytes: number;
  #chunk = 1;
  /** Of the chunk that is being filled; made with its first byte. */
  #filling: Buffer | undefined;
  #filledBytes = 0;
  /** Sealed and not written yet. */
  #outgoing: Uint8Array[] = [];
  #upload: Promise<Upload> | undefined;
  #began: Upload | undefined;
  #isOver = false;

  constructor(options: EncryptedUploadOptions) {
    if (options.headSizeBytes > FIRST_CHUNK_BYTES)
      throw new RangeError(`a head has at most ${FIRST_CHUNK_BYTES} bytes`);
    this.#options = options;
    this.#firstBytes = options.headSizeBytes;
  }

  write(bytes: Uint8Array): Promise<void> | undefined {
    const { signal } = this.#options;
    if (signal?.aborted) return Promise.reject(aborted(signal));
    const taken = this.#first.length - this.#firstBytes;
    this.#first.set(bytes.subarray(0, taken), this.#firstBytes);
    this.#firstBytes += Math.min(taken, bytes.length);
    for (let at = taken; at < bytes.length; ) at += this.#fill(bytes.subarray(at));
    return this.#drain();
  }

  async complete(head: Uint8Array): Promise<PutResult> {
    const { cipher, headSizeBytes, put, salt, signal } = this.#options;
    if (head.length !== headSizeBytes) throw new RangeError("the head has another size than announced");
    checkAborted(signal);
    // A second chunk 0 under the same nonce would give both away.
    if (this.#isOver) throw new Error("an upload is completed once");
    this.#isOver = true;
    this.#first.set(head);
    const body = this.#first.subarray(0, this.#firstBytes);
    if (this.#filling === undefined) return put(sealWhole(cipher, salt, body));
    this.#seal(this.#filling, true);
    await this.#drain();
    const { sealed, tag } = cipher.seal(0, false, body);
    const upload = await this.#begin();
    return upload.complete(Buffer.concat([encodeHeader(salt), sealed, tag]));
  }

  async abort(): Promise<void> {
    this.#isOver = true;
    this.#outgoing = [];
    // One that could not begin has nothing to give up.
    const upload = await this.#upload?.catch(() => undefined);
    await upload?.abort();
  }

  /** Returns how many bytes it took. */
  #fill(bytes: Uint8Array): number {
    const filling = this.#filling ?? Buffer.allocUnsafeSlow(CHUNK_BYTES);
    if (this.#filledBytes === CHUNK_BYTES) this.#seal(filling, false);
    this.#filling = filling;
    const taken = bytes.subarray(0, CHUNK_BYTES - this.#filledBytes);
    filling.set(taken, this.#filledBytes);
    this.#filledBytes += taken.length;
    return taken.length;
  }

  #seal(filling: Buffer, isLast: boolean): void {
    const plain = filling.subarray(0, this.#filledBytes);
    const { sealed, tag } = this.#options.cipher.seal(this.#chunk, isLast, plain);
    this.#outgoing.push(sealed, tag);
    this.#chunk += 1;
    this.#filledBytes = 0;
  }

  /** Hands on what is sealed, as the upload below takes it. */
  #drain(): Promise<void> | undefined {
    if (this.#outgoing.length === 0) return undefined;
    const upload = this.#began;
    if (upload === undefined) return this.#begin().then(() => this.#drain());
    for (let next = this.#outgoing.shift(); next !== undefined; next = this.#outgoing.shift()) {
      const wait = upload.write(next);
      if (wait) return wait.then(() => this.#drain());
    }
    return undefined;
  }

  async #begin(): Promise<Upload> {
    this.#upload ??= this.#options.begin();
    this.#began = await this.#upload;
    return this.#began;
  }
}
