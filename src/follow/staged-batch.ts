import { closeSync, openSync, readSync } from "node:fs";
import { WalrustError } from "../errors.ts";
import type { DecodedLtx, PageBatch } from "../ltx/decoder.ts";
import { type Checksum, hasChecksums, isSnapshot, type LtxHeader, type Txid } from "../ltx/format.ts";
import type { PageRun } from "../ltx/page-marks.ts";
import { checksumAfter } from "../ltx/stated-checksum.ts";
import { pageLeftOut, runsOfBatch } from "../restore/page-runs.ts";
import { writeFully } from "../shadow/durable-file.ts";
import { localError, onLocalFile } from "../shadow/local-error.ts";
import { removeLocalFile } from "../shadow/local-files.ts";
import { PageTable } from "../shadow/page-table.ts";
import type { PageSet } from "./page-set.ts";
import type { ReplicaPaths } from "./replica-paths.ts";
import type { Applied } from "./replica-state.ts";

const ENTRIES_AT_ONCE = 512;

/**
 * Incrementals that lead on from a replica's position, as one step: the newest version of each page at its place in a sparse
 * scratch file, and its checksum in a table. They are proved here as far as that can be done without the replica's pages; it is
 * not touched before that. What was staged when something fails is of no use.
 */
export class StagedBatch implements PageSet {
  readonly pageSizeBytes: number;
  readonly #paths: Pick<ReplicaPaths, "batchImage" | "batchTable">;
  readonly #fd: number;
  readonly #table: PageTable;
  #txid: Txid;
  #commitPages: number;
  #timestampMs: number;
  /** Of the last file, or of the replica; undefined after a file that claims none. */
  #postApply: Checksum | undefined;
  #files = 0;
  #unprovenFiles = 0;
  #isOtherHistory = false;
  /** The file that is being applied, and the last page so far. */
  #objectName = "";
  #lastPage = 0;

  /** Errors: LOCAL_IO, LOCAL_DISK_FULL. */
  constructor(paths: Pick<ReplicaPaths, "batchImage" | "batchTable">, from: Applied) {
    this.#paths = paths;
    this.pageSizeBytes = from.pageSizeBytes;
    this.#txid = from.txid;
    this.#commitPages = from.commitPages;
    this.#timestampMs = from.timestampMs;
    this.#postApply = from.postApply;
    try {
      this.#fd = openSync(paths.batchImage, "w+", 0o600);
    } catch (error) {
      throw localError(error, "create", paths.batchImage);
    }
    try {
      this.#table = PageTable.create(paths.batchTable, from.pageSizeBytes);
    } catch (error) {
      closeSync(this.#fd);
      throw error;
    }
  }

  get txid(): Txid {
    return this.#txid;
  }

  get commitPages(): number {
    return this.#commitPages;
  }

  get timestampMs(): number {
    return this.#timestampMs;
  }

  /** What the last file claims; undefined where it claims nothing. */
  get postApply(): Checksum | undefined {
    return this.#postApply;
  }

  get files(): number {
    return this.#files;
  }

  get unprovenFiles(): number {
    return this.#unprovenFiles;
  }

  /** The first file begins with another database than the replica is. */
  get isOtherHistory(): boolean {
    return this.#isOtherHistory;
  }

  /** Before the pages of a file: it must continue what was staged, or the replica. Errors: INTEGRITY_CHAIN. */
  begin(header: LtxHeader, objectName: string): void {
    this.#objectName = objectName;
    this.#lastPage = this.#commitPages;
    if (isSnapshot(header) || header.minTxid !== this.#txid + 1n)
      throw broken(objectName, `it is not what follows TXID ${this.#txid}`);
    const isSamePageSize = header.pageSizeBytes === this.pageSizeBytes;
    const isSameDatabase =
      !hasChecksums(header) || this.#postApply === undefined || header.preApply === this.#postApply;
    if (isSamePageSize && isSameDatabase) return;
    this.#isOtherHistory = this.#files === 0;
    throw broken(
      objectName,
      isSamePageSize ? "its pre-apply checksum is another" : "its pages have another size",
    );
  }

  /** Errors: INTEGRITY_CHAIN, LOCAL_IO, LOCAL_DISK_FULL. */
  apply(batch: PageBatch): void {
    for (const { pgno, count, pages, checksums } of runsOfBatch(batch, this.pageSizeBytes)) {
      const absent = pageLeftOut(this.#lastPage, pgno, this.pageSizeBytes);
      if (absent !== undefined) throw lacksPage(this.#objectName, absent);
      this.#lastPage = Math.max(this.#lastPage, pgno + count - 1);
      try {
        writeFully(this.#fd, pages, (pgno - 1) * this.pageSizeBytes);
      } catch (error) {
        throw localError(error, "write", this.#paths.batchImage);
      }
      this.#table.write(pgno, count, checksums);
    }
  }

  /** After the pages of a file. Errors: INTEGRITY_CHAIN, LOCAL_IO. */
  end({ header, trailer }: DecodedLtx, objectName: string): void {
    const absent = this.#table.firstAbsent(this.#commitPages + 1, header.commit);
    if (absent !== undefined) throw lacksPage(objectName, absent);
    // What is cut off must not come back when a later file makes the database larger again.
    this.#table.truncate(header.commit);
    this.#txid = header.maxTxid;
    this.#commitPages = header.commit;
    this.#timestampMs = header.timestampMs;
    this.#postApply = checksumAfter(header, trailer);
    this.#files += 1;
    if (this.#postApply === undefined) this.#unprovenFiles += 1;
  }

  /** XOR of the checksums of all pages. */
  xor(): bigint {
    return this.#table.xor(1, this.#commitPages);
  }

  has(pgno: number): boolean {
    return pgno <= this.#commitPages && this.#table.firstAbsent(pgno, pgno) === undefined;
  }

  *runs(): Generator<PageRun> {
    const words = new Uint32Array(ENTRIES_AT_ONCE * 2);
    let first: number | undefined;
    const last = this.#table.pages;
    for (let from = 1; from <= last; from += ENTRIES_AT_ONCE) {
      const count = Math.min(ENTRIES_AT_ONCE, last - from + 1);
      this.#table.read(from, count, new Uint8Array(words.buffer));
      for (let i = 0; i < count; i++) {
        const isPresent = words[2 * i + 1] !== 0;
        if (isPresent) first ??= from + i;
        if (isPresent || first === undefined) continue;
        yield { pgno: first, count: from + i - first };
        first = undefined;
      }
    }
    if (first !== undefined) yield { pgno: first, count: last - first + 1 };
  }

  read(pgno: number, into: Uint8Array): void {
    onLocalFile("read", this.#paths.batchImage, () => {
      const got = readSync(this.#fd, into, 0, into.length, (pgno - 1) * this.pageSizeBytes);
      if (got !== into.length) throw new Error("it is shorter than it was");
    });
  }

  /** Leaves nothing behind. */
  discard(): void {
    this.#table.close();
    closeSync(this.#fd);
    removeLocalFile(this.#paths.batchImage);
    removeLocalFile(this.#paths.batchTable);
  }
}

function lacksPage(objectName: string, pgno: number): WalrustError {
  return broken(objectName, `it makes the database larger without page ${pgno}`);
}

function broken(objectName: string, why: string): WalrustError {
  return new WalrustError("INTEGRITY_CHAIN", `${objectName} does not continue the replica: ${why}`, {
    hint: "Run `walrust verify` to see what the backup is worth.",
    details: { object: objectName },
  });
}
