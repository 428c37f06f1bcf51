import { closeSync, openSync, readSync } from "node:fs";
import { join } from "node:path";
import { setImmediate } from "node:timers/promises";
import { WalrustError } from "../errors.ts";
import type { PageBatch } from "../ltx/decoder.ts";
import type { LtxEncoder } from "../ltx/encoder.ts";
import { runsOfBatch } from "../restore/page-runs.ts";
import { writeFully } from "../shadow/durable-file.ts";
import { localError } from "../shadow/local-error.ts";
import { PageTable } from "../shadow/page-table.ts";

/** Pages that are looked through at once for those that are there. */
const WINDOW_PAGES = 4096;

/**
 * The newest version of each page in a chain of incrementals, on disk: a sparse file with each page in its
 * place, and a table of their checksums, which says too which pages are there. What it keeps in memory does
 * not grow with the pages, but by a few bytes for each window of the database in which one lies.
 */
export class MergedPages {
  readonly #path: string;
  readonly #fd: number;
  readonly #pageSizeBytes: number;
  readonly #table: PageTable;
  /** Windows in which pages were put: the others need no look, however large the database. */
  readonly #windows = new Set<number>();

  /** @param folder empty, and whoever made it removes it. Errors: LOCAL_IO, LOCAL_DISK_FULL. */
  constructor(folder: string, pageSizeBytes: number) {
    this.#path = join(folder, "pages");
    this.#pageSizeBytes = pageSizeBytes;
    this.#table = PageTable.create(join(folder, "table"), pageSizeBytes);
    try {
      this.#fd = openSync(this.#path, "wx+", 0o600);
    } catch (error) {
      this.#table.close();
      throw localError(error, "create", this.#path);
    }
  }

  /** Puts pages in place of older ones. Errors: LOCAL_IO, LOCAL_DISK_FULL. */
  put(batch: PageBatch): void {
    for (const { pgno, count, pages, checksums } of runsOfBatch(batch, this.#pageSizeBytes)) {
      try {
        writeFully(this.#fd, pages, (pgno - 1) * this.#pageSizeBytes);
      } catch (error) {
        throw localError(error, "write", this.#path);
      }
      this.#table.write(pgno, count, checksums);
      for (let first = pgno; first < pgno + count; first += WINDOW_PAGES) this.#touch(first);
      this.#touch(pgno + count - 1);
    }
  }

  /** The database was cut: pages behind the first `pages` are gone, until a later file brings them anew. */
  truncate(pages: number): void {
    this.#table.truncate(pages);
  }

  /**
   * Feeds all pages to an encoder, in ascending order, letting others run after each batch. Errors: LOCAL_IO,
   * also when a page is not what was put there.
   */
  async encodeInto(encoder: LtxEncoder, options: { readonly signal?: AbortSignal } = {}): Promise<void> {
    for (const window of [...this.#windows].sort((a, b) => a - b)) {
      const present = this.#presentIn(window);
      for (let done = 0; done < present.length; done += encoder.batchCapacity) {
        options.signal?.throwIfAborted();
        await this.#encodeBatch(encoder, present.slice(done, done + encoder.batchCapacity));
        await setImmediate();
      }
    }
  }

  close(): void {
    this.#table.close();
    closeSync(this.#fd);
  }

  #touch(pgno: number): void {
    this.#windows.add(Math.floor((pgno - 1) / WINDOW_PAGES));
  }

  #presentIn(window: number): readonly PresentPage[] {
    const first = window * WINDOW_PAGES + 1;
    const words = new Uint32Array(WINDOW_PAGES * 2);
    this.#table.read(first, WINDOW_PAGES, new Uint8Array(words.buffer));
    const present: PresentPage[] = [];
    for (let i = 0; i < WINDOW_PAGES; i += 1) {
      const [low = 0, high = 0] = [words[i * 2], words[i * 2 + 1]];
      // Every page checksum has bit 63.
      if (high !== 0) present.push({ pgno: first + i, low, high });
    }
    return present;
  }

  async #encodeBatch(encoder: LtxEncoder, batch: readonly PresentPage[]): Promise<void> {
    const size = this.#pageSizeBytes;
    for (const [row, { pgno }] of batch.entries()) {
      encoder.setPage(row, pgno);
      this.#read(pgno, encoder.input.subarray(row * size, (row + 1) * size));
    }
    encoder.oldChecksums.fill(0, 0, batch.length * 8);
    await encoder.encode(batch.length);
    const { buffer, byteOffset } = encoder.newChecksums;
    const encoded = new Uint32Array(buffer, byteOffset, batch.length * 2);
    const wrong = batch.find(
      ({ low, high }, row) => encoded[row * 2] !== low || encoded[row * 2 + 1] !== high,
    );
    if (wrong === undefined) return;
    throw new WalrustError("LOCAL_IO", `page ${wrong.pgno} in ${this.#path} is not what was written there`, {
      hint: "The disk for temporary files (TMPDIR) cannot be trusted.",
    });
  }

  #read(pgno: number, into: Uint8Array): void {
    let got: number;
    try {
      got = readSync(this.#fd, into, 0, into.length, (pgno - 1) * this.#pageSizeBytes);
    } catch (error) {
      throw localError(error, "read", this.#path);
    }
    if (got < into.length) throw new WalrustError("LOCAL_IO", `${this.#path} ends within page ${pgno}`);
  }
}

interface PresentPage {
  readonly pgno: number;
  /** Its checksum. */
  readonly low: number;
  readonly high: number;
}
