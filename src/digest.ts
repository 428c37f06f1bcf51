import { createSHA256, type IHasher } from "hash-wasm";

/** Making a hasher instantiates a WebAssembly module, so finished ones are kept, as many as could be busy at once. */
const MAX_IDLE = 4;
const idle: IHasher[] = [];

/** SHA-256 of bytes that come in pieces. */
export class Sha256 {
  #hasher: IHasher | undefined;

  private constructor(hasher: IHasher) {
    this.#hasher = hasher.init();
  }

  static async begin(): Promise<Sha256> {
    return new Sha256(idle.pop() ?? (await createSHA256()));
  }

  update(bytes: Uint8Array): void {
    this.#use().update(bytes);
  }

  /** The digest as 64 hex digits. Nothing may follow but `release`. */
  finish(): string {
    const digest = this.#use().digest("hex");
    this.release();
    return digest;
  }

  /** Gives the hasher back, also in the middle of bytes. Safe to call twice, and after `finish`. */
  release(): void {
    if (this.#hasher !== undefined && idle.length < MAX_IDLE) idle.push(this.#hasher);
    this.#hasher = undefined;
  }

  #use(): IHasher {
    if (this.#hasher === undefined) throw new TypeError("this SHA-256 is finished");
    return this.#hasher;
  }
}

/** SHA-256 of bytes that are all here, as 64 hex digits. */
export async function sha256Hex(bytes: Uint8Array): Promise<string> {
  const sha = await Sha256.begin();
  sha.update(bytes);
  return sha.finish();
}
