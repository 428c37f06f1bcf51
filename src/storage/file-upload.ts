import { aborted } from "./abort.ts";
import { Chunker } from "./chunker.ts";
import { fileError } from "./file-error.ts";
import type { StorageFolder } from "./file-folder.ts";
import { TempFile } from "./file-temp.ts";
import type { PutResult, Upload, UploadOptions } from "./storage.ts";

const CHUNK_SIZE_BYTES = 1024 * 1024;

/** An upload into a folder: streamed to a temporary file while the writer fills the next chunk. */
export class FileUpload implements Upload {
  readonly #folder: StorageFolder;
  readonly #key: string;
  readonly #options: UploadOptions;
  readonly #random: () => number;
  readonly #chunker: Chunker;
  /** Opened with the first full chunk, or at the end. */
  #temp: Promise<TempFile> | undefined;
  #ended = false;

  constructor(folder: StorageFolder, key: string, options: UploadOptions, random: () => number) {
    folder.pathOf(key); // refuses bad keys at once
    this.#folder = folder;
    this.#key = key;
    this.#options = options;
    this.#random = random;
    this.#chunker = new Chunker({
      chunkSizeBytes: CHUNK_SIZE_BYTES,
      reservedBytes: options.headSizeBytes,
      expectedSizeBytes: options.expectedSizeBytes,
      parallel: 1,
      deliver: (chunk, index) => this.#append(chunk, index),
    });
  }

  write(bytes: Uint8Array): Promise<void> | undefined {
    if (this.#options.signal?.aborted) return Promise.reject(aborted(this.#options.signal));
    return this.#chunker.write(bytes);
  }

  async complete(head: Uint8Array): Promise<PutResult> {
    if (head.length !== this.#options.headSizeBytes)
      throw new RangeError("the head has another size than announced");
    if (this.#options.signal?.aborted) throw aborted(this.#options.signal);
    await this.#chunker.settle();
    const { chunk, index } = this.#chunker.rest();
    if (index === 0) chunk.set(head);
    try {
      await this.#append(chunk, index);
      const temp = await this.#open();
      if (index > 0) await temp.write(head, 0);
      this.#ended = true;
      try {
        return await temp.publish(this.#options.condition, this.#options.timestampMs);
      } finally {
        await temp.discard();
      }
    } catch (error) {
      throw fileError(error, `write ${this.#key}`);
    }
  }

  async abort(): Promise<void> {
    await this.#chunker.stop();
    if (this.#ended) return;
    this.#ended = true;
    // An upload whose file could not be opened has nothing to discard.
    const temp = await this.#temp?.catch(() => undefined);
    try {
      await temp?.discard();
    } catch (error) {
      throw fileError(error, `remove the temporary file of ${this.#key}`);
    }
  }

  async #append(chunk: Uint8Array, index: number): Promise<void> {
    try {
      await (await this.#open()).write(chunk, index * CHUNK_SIZE_BYTES);
    } catch (error) {
      throw fileError(error, `write ${this.#key}`);
    }
  }

  #open(): Promise<TempFile> {
    this.#temp ??= TempFile.create(this.#folder, this.#key, this.#random);
    return this.#temp;
  }
}
