import { ftruncateSync } from "node:fs";
import { setImmediate } from "node:timers/promises";
import { WalrustError } from "../errors.ts";
import { PageChecksums } from "../ltx/page-checksums.ts";
import { PageMarks, type PageRun } from "../ltx/page-marks.ts";
import { cleanUpAfterFailure } from "../shadow/clean-up.ts";
import { fsyncOffThread, writeFully } from "../shadow/durable-file.ts";
import { localError } from "../shadow/local-error.ts";
import { removeLocalFile } from "../shadow/local-files.ts";
import type { Core } from "../wasm/core.ts";
import { type PageSet, runsOf } from "./page-set.ts";
import type { ReplicaFile } from "./replica-file.ts";
import { RollbackJournal } from "./rollback-journal.ts";

export interface RewriteOptions {
  readonly file: ReplicaFile;
  readonly journalPath: string;
  readonly core: Core;
  /** Random, u32. */
  readonly nonce: number;
  /** What the file is to hold. */
  readonly pages: PageSet;
  /** The replica's new page 1, whether `pages` have one or not; undefined for a database without pages. */
  readonly pageOne: Uint8Array | undefined;
}

/**
 * Changes the pages of a replica in one step: readers see the state before or the state after, and so does whoever comes after
 * a crash at any moment. EXCLUSIVE is held from before `prepare` until after `commit` or `abandon`.
 */
export class Rewrite {
  /** XOR of the checksums of the pages that are replaced or cut off, as they lie in the file; page 1 is not among them. */
  readonly xorBefore: bigint;
  readonly #options: RewriteOptions;
  readonly #journal: RollbackJournal;
  readonly #changed: PageMarks;
  #isTouched = false;

  /** Reads the pages that are to change, and writes them to the journal. Errors: LOCAL_*; then nothing was touched. */
  static async prepare(options: RewriteOptions): Promise<Rewrite> {
    const { file, pages, journalPath, nonce } = options;
    const { pageSizeBytes } = pages;
    const pagesBefore = file.sizeBytes / pageSizeBytes;
    if (!Number.isInteger(pagesBefore)) throw new WalrustError("INTERNAL", "a replica with half a page");
    const journal = new RollbackJournal(journalPath, { pageSizeBytes, pagesBefore, nonce, mode: file.mode });
    try {
      const reading = new ReadingBefore(options, pagesBefore, journal);
      await reading.run();
      return new Rewrite(options, journal, reading);
    } catch (error) {
      journal.close();
      cleanUpAfterFailure(() => removeLocalFile(journalPath));
      throw error;
    }
  }

  private constructor(options: RewriteOptions, journal: RollbackJournal, reading: ReadingBefore) {
    this.#options = options;
    this.#journal = journal;
    this.#changed = reading.changed;
    this.xorBefore = reading.xor;
  }

  /** Errors: LOCAL_*; then `abandon`. */
  async commit(): Promise<void> {
    const { file, pages, pageOne } = this.#options;
    await this.#journal.finish();
    this.#isTouched = true;
    try {
      await this.#writeChanged();
      if (pageOne) writeFully(file.fd, pageOne, 0);
      const sizeBytes = pages.commitPages * pages.pageSizeBytes;
      if (file.sizeBytes !== sizeBytes) ftruncateSync(file.fd, sizeBytes);
      await fsyncOffThread(file.fd);
    } catch (error) {
      throw localError(error, "write", file.path);
    }
    this.#journal.remove();
  }

  /**
   * After a failure: the pages are or become what they were. Where some were written already, the lock ends here, and the journal is
   * hot: whoever comes next rolls it back, and we are the first to try.
   */
  abandon(): void {
    const { file, journalPath } = this.#options;
    this.#journal.close();
    if (!this.#isTouched) {
      removeLocalFile(journalPath);
      return;
    }
    file.unlock();
    try {
      file.tryLock("shared", 0);
      file.unlock();
    } catch {
      // The failure that led here is the one to tell; the proof before the next use rolls back, or says why not.
    }
  }

  async #writeChanged(): Promise<void> {
    const { file, pages, core } = this.#options;
    const { pageSizeBytes } = pages;
    const most = new PageChecksums(core, pageSizeBytes).batchCapacity;
    const buffer = new Uint8Array(most * pageSizeBytes);
    for (const { pgno, count } of this.#changed.runs(most)) {
      const piece = buffer.subarray(0, count * pageSizeBytes);
      pages.read(pgno, piece);
      writeFully(file.fd, piece, (pgno - 1) * pageSizeBytes);
      await setImmediate();
    }
  }
}

/** One pass over the pages that may change: what they are now goes to the journal, and into the sum. */
class ReadingBefore {
  readonly changed: PageMarks;
  xor = 0n;
  readonly #file: ReplicaFile;
  readonly #pages: PageSet;
  readonly #pagesBefore: number;
  readonly #journal: RollbackJournal;
  readonly #sums: PageChecksums;
  readonly #after: Uint8Array;

  constructor({ file, pages, core }: RewriteOptions, pagesBefore: number, journal: RollbackJournal) {
    this.#file = file;
    this.#pages = pages;
    this.#pagesBefore = pagesBefore;
    this.#journal = journal;
    this.#sums = new PageChecksums(core, pages.pageSizeBytes);
    this.#after = new Uint8Array(this.#sums.input.length);
    this.changed = new PageMarks(pages.commitPages);
  }

  async run(): Promise<void> {
    const { pageSizeBytes, commitPages } = this.#pages;
    const most = this.#sums.batchCapacity;
    if (this.#pagesBefore > 0) this.#journal.append(1, this.#readPages({ pgno: 1, count: 1 }));
    for (const run of this.#pages.runs()) {
      const last = run.pgno + run.count - 1;
      // Page 1 always changes, and is dealt with on its own.
      for (const piece of runsOf(Math.max(run.pgno, 2), last, { pageSizeBytes, most })) {
        this.#replaced(piece);
        await setImmediate();
      }
    }
    const firstCut = Math.max(commitPages + 1, 2);
    for (const piece of runsOf(firstCut, this.#pagesBefore, { pageSizeBytes, most })) {
      this.#journalAll(piece);
      await setImmediate();
    }
  }

  #replaced({ pgno, count }: PageRun): void {
    const size = this.#pages.pageSizeBytes;
    const had = Math.max(0, Math.min(count, this.#pagesBefore - pgno + 1));
    const before = this.#readPages({ pgno, count: had });
    this.#sum(pgno, had);
    const after = this.#after.subarray(0, count * size);
    this.#pages.read(pgno, after);
    for (let i = 0; i < count; i++) {
      const page = i < had ? before.subarray(i * size, (i + 1) * size) : undefined;
      if (page && Buffer.compare(page, after.subarray(i * size, (i + 1) * size)) === 0) continue;
      this.changed.set(pgno + i);
      if (page) this.#journal.append(pgno + i, page);
    }
  }

  #journalAll(run: PageRun): void {
    const size = this.#pages.pageSizeBytes;
    const before = this.#readPages(run);
    this.#sum(run.pgno, run.count);
    for (let i = 0; i < run.count; i++) {
      this.#journal.append(run.pgno + i, before.subarray(i * size, (i + 1) * size));
    }
  }

  /** Into the core's input, where they are summed. */
  #readPages({ pgno, count }: PageRun): Uint8Array {
    const size = this.#pages.pageSizeBytes;
    const into = this.#sums.input.subarray(0, count * size);
    if (this.#file.read(into, (pgno - 1) * size) === into.length) return into;
    throw localError(new Error("it is shorter than it was"), "read", this.#file.path);
  }

  #sum(pgno: number, count: number): void {
    for (let row = 0; row < count; row++) this.#sums.setPage(row, pgno + row);
    this.xor ^= this.#sums.sum(count);
  }
}
