import { WalrustError } from "../errors.ts";
import type { Storage } from "../storage/storage.ts";
import type { RestoreFile } from "./restore-file.ts";

export interface PrefetchOptions {
  /** Requests under way at once; so many segments are in memory, and one more that is being decoded. */
  readonly parallel: number;
  readonly signal?: AbortSignal;
}

export const SEGMENT_SIZE = 1024 * 1024;
const SMALLEST_BUFFER = 64 * 1024;

interface Segment {
  readonly file: RestoreFile;
  readonly offset: number;
  readonly length: number;
}

interface Fetch extends Segment {
  /** Holds the segment at its start. */
  readonly buffer: Promise<Uint8Array>;
}

/**
 * Reads files one behind the other, ahead of whoever takes them: large ones in several ranges at once, small
 * ones several at once, in a fixed amount of memory. Files must be taken in the order given, each to its end.
 */
export class Prefetch {
  readonly #storage: Storage;
  readonly #parallel: number;
  readonly #segments: Iterator<Segment>;
  readonly #stop = new AbortController();
  readonly #signal: AbortSignal;
  readonly #fetches: Fetch[] = [];
  readonly #buffers: Uint8Array[] = [];
  readonly #underWay = new Set<Promise<Uint8Array>>();
  #abandoned: RestoreFile | undefined;

  constructor(storage: Storage, files: readonly RestoreFile[], options: PrefetchOptions) {
    this.#storage = storage;
    this.#parallel = options.parallel;
    this.#segments = segmentsOf(files);
    this.#signal = options.signal ? AbortSignal.any([options.signal, this.#stop.signal]) : this.#stop.signal;
  }

  /**
   * The bytes of the next file, in pieces that are valid until the next is asked for; whoever stops before
   * the end goes on with the next file.
   * Errors: STORAGE_*; INTEGRITY_FORMAT.
   */
  async *take(file: RestoreFile): AsyncGenerator<Uint8Array> {
    try {
      for (let taken = 0; taken < file.sizeBytes; ) {
        this.#fill();
        const fetch = this.#fetches.shift();
        if (fetch?.file !== file)
          throw new WalrustError("INTERNAL", "prefetched files are taken out of order");
        const buffer = await fetch.buffer;
        taken += fetch.length;
        yield buffer.subarray(0, fetch.length);
        this.#giveBack(buffer);
      }
    } finally {
      this.#abandon(file);
    }
  }

  /** Ends what is under way. Safe to call at any time. */
  async close(): Promise<void> {
    this.#stop.abort();
    await Promise.allSettled(this.#underWay);
  }

  /**
   * What is left of a file is of no use: it is not waited for. Nothing is left when it was taken to its end.
   */
  #abandon(file: RestoreFile): void {
    this.#abandoned = file;
    while (this.#fetches[0]?.file === file) this.#fetches.shift();
  }

  #fill(): void {
    while (this.#fetches.length < this.#parallel) {
      const next = this.#segments.next();
      if (next.done) return;
      if (next.value.file === this.#abandoned) continue;
      const buffer = this.#fetch(next.value);
      this.#underWay.add(buffer);
      // It is waited for when its turn comes; until then nobody looks at a failure.
      const done = () => this.#underWay.delete(buffer);
      buffer.then(done, done);
      this.#fetches.push({ ...next.value, buffer });
    }
  }

  async #fetch({ file, offset, length }: Segment): Promise<Uint8Array> {
    const buffer = this.#buffer(length);
    const options = { offset, length, signal: this.#signal };
    let filled = 0;
    for await (const piece of this.#storage.read(file.key, options)) {
      if (filled + piece.length > length) throw changed(file);
      buffer.set(piece, filled);
      filled += piece.length;
    }
    if (filled < length) throw changed(file);
    return buffer;
  }

  /**
   * Memory of a segment that was used before, where one is large enough; else new memory in few sizes, so
   * that it will be.
   */
  #buffer(length: number): Uint8Array {
    const index = this.#buffers.findIndex((buffer) => buffer.length >= length);
    const [used] = index < 0 ? [] : this.#buffers.splice(index, 1);
    return used ?? new Uint8Array(Math.max(SMALLEST_BUFFER, 2 ** Math.ceil(Math.log2(length))));
  }

  #giveBack(buffer: Uint8Array): void {
    this.#buffers.push(buffer);
    if (this.#buffers.length > this.#parallel) this.#buffers.shift();
  }
}

function* segmentsOf(files: readonly RestoreFile[]): Generator<Segment> {
  for (const file of files) {
    for (let offset = 0; offset < file.sizeBytes; offset += SEGMENT_SIZE) {
      yield { file, offset, length: Math.min(SEGMENT_SIZE, file.sizeBytes - offset) };
    }
  }
}

function changed(file: RestoreFile): WalrustError {
  return new WalrustError("INTEGRITY_FORMAT", `${file.key} has not the size that it was listed with`, {
    hint: "LTX files never change: something else writes to this storage.",
    details: { object: file.key },
  });
}
