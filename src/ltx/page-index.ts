/** A temporary file for what of a page index does not fit memory. Whoever made it removes it. */
export interface IndexSpill {
  /** Appends bytes, which are the spill's to keep; a promise means that the caller must wait for it. */
  append(bytes: Uint8Array): Promise<void> | undefined;
  /** All that was appended, in pieces. A piece is valid until the next one is asked for. */
  readBack(): AsyncIterable<Uint8Array>;
}

const MAX_MEMORY_BYTES = 1024 * 1024;

/** The index entries of the pages written so far; every 1 MiB of them goes to the spill, if there is one. */
export class PageIndex {
  readonly #spill: IndexSpill | undefined;
  #pieces: Uint8Array[] = [];
  #heldBytes = 0;
  #spilledBytes = 0;

  constructor(spill: IndexSpill | undefined) {
    this.#spill = spill;
  }

  get sizeBytes(): number {
    return this.#spilledBytes + this.#heldBytes;
  }

  /** Copies `entries` before it returns; a promise means that the caller must wait for it. */
  append(entries: Uint8Array): Promise<void> | undefined {
    this.#pieces.push(entries.slice());
    this.#heldBytes += entries.length;
    if (this.#spill === undefined || this.#heldBytes < MAX_MEMORY_BYTES) return undefined;
    const held = Buffer.concat(this.#pieces);
    this.#pieces = [];
    this.#heldBytes = 0;
    this.#spilledBytes += held.length;
    return this.#spill.append(held);
  }

  /** Everything appended, in pieces that are valid until the next one is asked for. */
  async *chunks(): AsyncIterable<Uint8Array> {
    if (this.#spill && this.#spilledBytes > 0) yield* this.#spill.readBack();
    yield* this.#pieces;
  }
}
