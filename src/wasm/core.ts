import { WalrustError } from "../errors.ts";
import type { CoreExports } from "./generated/exports.ts";
import { CORE_WASM_BASE64 } from "./generated/release.ts";
import { BATCH_ROWS, INPUT_OFFSET, INPUT_SIZE } from "./layout.ts";

/** Compiles the bytes that build/wasm.mjs put into a module of src/wasm/generated/. */
export function compileCore(base64: string = CORE_WASM_BASE64): WebAssembly.Module {
  return new WebAssembly.Module(Buffer.from(base64, "base64"));
}

/** How many pages of a size a batch holds. */
export function batchCapacity(pageSizeBytes: number): number {
  return Math.min(BATCH_ROWS, Math.floor(INPUT_SIZE / pageSizeBytes));
}

/**
 * One instance of the core with its own fixed memory. Bytes go in and come out through regions (layout.ts); views on
 * them never detach, but what they show is valid only until the next call of the core, and never across an `await`
 * unless it is lent.
 */
export class Core {
  /** The input region: read straight into it. */
  readonly input: Uint8Array;
  readonly #exports: CoreExports;
  readonly #buffer: ArrayBuffer;
  #lent = false;
  #stream = 0;

  constructor(module: WebAssembly.Module) {
    const instance = new WebAssembly.Instance(module, { env: { abort: failAssertion } });
    this.#exports = instance.exports as CoreExports;
    this.#buffer = this.#exports.memory.buffer;
    this.input = this.borrow(INPUT_OFFSET, INPUT_SIZE);
  }

  /** The kernels. Asserts that nobody else is looking at memory that a kernel may change. */
  get wasm(): CoreExports {
    if (this.#lent) throw new WalrustError("INTERNAL", "the core was called while its memory was lent");
    return this.#exports;
  }

  /** A view of a region, valid until the next call of the core. */
  borrow(offset: number, length: number): Uint8Array {
    return new Uint8Array(this.#buffer, offset, length);
  }

  /** The same as pairs of words, for rows and columns of u32 (little-endian, as every machine that runs us). */
  borrowU32(offset: number, count: number): Uint32Array {
    return new Uint32Array(this.#buffer, offset, count);
  }

  /** A copy, the caller's to keep. */
  take(offset: number, length: number): Uint8Array {
    return this.borrow(offset, length).slice();
  }

  /** Lets others look at borrowed views during `use`, in which no kernel can run. */
  lend<T>(use: () => T): T {
    this.#beginLending();
    try {
      return use();
    } finally {
      this.#lent = false;
    }
  }

  /** The same until the promise of `use` is done. */
  async lendAcross(use: () => Promise<void> | void): Promise<void> {
    this.#beginLending();
    try {
      await use();
    } finally {
      this.#lent = false;
    }
  }

  /**
   * Begins an encoding or decoding: there is one stream state, and it belongs to whoever began last. An abandoned
   * stream needs no cleaning up.
   * @returns the generation to show to `assertStream` before every step
   */
  beginStream(): number {
    this.#stream += 1;
    return this.#stream;
  }

  assertStream(generation: number): void {
    if (generation !== this.#stream) {
      throw new WalrustError("INTERNAL", "another stream began in this core before this one was done");
    }
  }

  #beginLending(): void {
    if (this.#lent) throw new WalrustError("INTERNAL", "the core's memory is lent already");
    this.#lent = true;
  }
}

/** Only debug builds call it: a kernel's own invariant does not hold. */
function failAssertion(): never {
  throw new WalrustError("INTERNAL", "an assertion of the WebAssembly core failed");
}
