import { createHash, type Hash } from "node:crypto";
import { createSHA256, type IHasher } from "hash-wasm";

/**
 * SHA-256 by two engines that agree: hash-wasm for bodies of about a page, and the platform's own, with the processor's SHA instructions, for longer
 * ones, where it is three to four times as fast: hash-wasm would take more time there than all else that is done to an increment. Which one a body
 * gets depends on its length alone.
 */
const LONG_BYTES = 4096;

/** Making a hasher instantiates a WebAssembly module, so one is kept: it is used without an await in between. */
let shortHasher: IHasher | undefined;

/** SHA-256 of bytes that come in pieces. */
export class Sha256 {
  readonly #short: IHasher;
  /** Copies of the pieces, as long as the body is short. */
  #pieces: Uint8Array[] = [];
  #heldBytes = 0;
  #long: Hash | undefined;
  #isFinished = false;

  private constructor(short: IHasher) {
    this.#short = short;
  }

  static async begin(): Promise<Sha256> {
    shortHasher ??= await createSHA256();
    return new Sha256(shortHasher);
  }

  /** `bytes` are copied, or hashed before it returns. */
  update(bytes: Uint8Array): void {
    if (this.#isFinished) throw new TypeError("this SHA-256 is finished");
    if (this.#long !== undefined) {
      this.#long.update(bytes);
      return;
    }
    this.#heldBytes += bytes.length;
    if (this.#heldBytes <= LONG_BYTES) {
      this.#pieces.push(Buffer.from(bytes));
      return;
    }
    this.#long = createHash("sha256");
    for (const piece of this.#pieces) this.#long.update(piece);
    this.#pieces = [];
    this.#long.update(bytes);
  }

  /** The digest as 64 hex digits. Nothing may follow. */
  finish(): string {
    if (this.#isFinished) throw new TypeError("this SHA-256 is finished");
    this.#isFinished = true;
    if (this.#long !== undefined) return this.#long.digest("hex");
    this.#short.init();
    for (const piece of this.#pieces) this.#short.update(piece);
    return this.#short.digest("hex");
  }
}

/** SHA-256 of bytes that are all here, as 64 hex digits. */
export async function sha256Hex(bytes: Uint8Array): Promise<string> {
  const sha = await Sha256.begin();
  sha.update(bytes);
  return sha.finish();
}
