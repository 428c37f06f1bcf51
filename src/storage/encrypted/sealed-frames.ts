import { CHUNK_BYTES, TAG_BYTES } from "./object-format.ts";

/** Bytes that come in pieces of any size, cut into frames of the sizes asked for. One frame is held at a time. */
export class SealedFrames {
  readonly #source: AsyncIterator<Uint8Array>;
  readonly #buffer = Buffer.allocUnsafe(CHUNK_BYTES + TAG_BYTES);
  #piece: Uint8Array = new Uint8Array();
  #at = 0;

  constructor(source: AsyncIterable<Uint8Array>) {
    this.#source = source[Symbol.asyncIterator]();
  }

  /** The next `size` bytes, or what is left of them, and whether nothing follows. They are valid until the next call. */
  async next(size: number): Promise<{ readonly bytes: Uint8Array; readonly isLast: boolean }> {
    await this.#hasMore();
    const end = this.#at + size;
    if (end < this.#piece.length) {
      const bytes = this.#piece.subarray(this.#at, end);
      this.#at = end;
      return { bytes, isLast: false };
    }
    // Whether it is the last shows with the next piece, and that one may overwrite this one.
    let filled = 0;
    while (filled < size && (await this.#hasMore())) {
      const take = this.#piece.subarray(this.#at, this.#at + size - filled);
      this.#buffer.set(take, filled);
      filled += take.length;
      this.#at += take.length;
    }
    return { bytes: this.#buffer.subarray(0, filled), isLast: !(await this.#hasMore()) };
  }

  /** Ends the source. */
  async close(): Promise<void> {
    await this.#source.return?.();
  }

  async #hasMore(): Promise<boolean> {
    while (this.#at === this.#piece.length) {
      const next = await this.#source.next();
      if (next.done) return false;
      this.#piece = next.value;
      this.#at = 0;
    }
    return true;
  }
}
