import { closeSync, ftruncateSync, openSync } from "node:fs";
import { WalrustError } from "../errors.ts";
import type { DecodedLtx, PageBatch } from "../ltx/decoder.ts";
import { type Checksum, hasChecksums, isSnapshot, type LtxHeader, lockPage } from "../ltx/format.ts";
import { checksumAfter } from "../ltx/stated-checksum.ts";
import { fsyncOffThread, writeFully } from "../shadow/durable-file.ts";
import { localError } from "../shadow/local-error.ts";
import { removeLocalFile } from "../shadow/local-files.ts";
import { HeldPages } from "./held-pages.ts";
import { PageChecksums } from "./page-checksums.ts";
import { pageLeftOut, runsOfBatch } from "./page-runs.ts";

/** Pages in a row that are written at once; fewer are held back. */
const LONG_RUN_BYTES = 64 * 1024;

/**
 * A database under construction in a temporary file: LTX files are applied to it one after the other, and
 * after each one its checksum is proved. What it holds in between is of no use to anybody, so a failure
 * discards all of it.
 */
export class StagedDatabase {
  readonly path: string;
  readonly #checksumsPath: string;
  readonly #fd: number;
  #checksums: PageChecksums | undefined;
  #held: HeldPages | undefined;
  #closed = false;
  #pageSizeBytes = 0;
  #pages = 0;
  /** The file that is being applied, and the last page so far. */
  #objectName = "";
  #lastPage = 0;

  /** Errors: LOCAL_IO, LOCAL_DISK_FULL. */
  constructor(path: string) {
    this.path = path;
    this.#checksumsPath = `${path}-pages`;
    try {
      this.#fd = openSync(path, "wx+", 0o600);
    } catch (error) {
      throw localError(error, "create", path);
    }
  }

  get pageSizeBytes(): number {
    return this.#pageSizeBytes;
  }

  get sizeBytes(): number {
    return this.#pages * this.#pageSizeBytes;
  }

  get checksum(): Checksum | undefined {
    return this.#checksums?.databaseChecksum;
  }

  /** Before the pages of a file: it must continue what is here. Errors: INTEGRITY_CHAIN. */
  begin(header: LtxHeader, objectName: string): void {
    this.#objectName = objectName;
    this.#lastPage = this.#pages;
    if (this.#checksums === undefined) {
      if (!isSnapshot(header))
        throw broken(objectName, "it is no snapshot, and nothing was restored before it");
      this.#pageSizeBytes = header.pageSizeBytes;
      this.#checksums = new PageChecksums(this.#checksumsPath, header.pageSizeBytes);
      this.#held = new HeldPages(this.#fd, header.pageSizeBytes);
      return;
    }
    if (isSnapshot(header))
      throw broken(objectName, "it is a snapshot, and something was restored before it");
    if (header.pageSizeBytes !== this.#pageSizeBytes) {
      throw broken(
        objectName,
        `its pages have ${header.pageSizeBytes} bytes, those before it ${this.#pageSizeBytes}`,
      );
    }
    if (hasChecksums(header) && header.preApply !== this.#checksums.databaseChecksum) {
      throw broken(objectName, "its pre-apply checksum is not that of the database so far");
    }
  }

  /** Errors: INTEGRITY_CHAIN, LOCAL_IO, LOCAL_DISK_FULL. */
  apply(batch: PageBatch): void {
    const size = this.#pageSizeBytes;
    for (const { pgno, count, pages, checksums } of runsOfBatch(batch, size)) {
      const absent = pageLeftOut(this.#lastPage, pgno, size);
      if (absent !== undefined) throw lacksPage(this.#objectName, absent);
      this.#lastPage = Math.max(this.#lastPage, pgno + count - 1);
      this.#writing(() => {
        if (pages.length < LONG_RUN_BYTES) this.#held?.put(pgno, pages);
        else this.#writeThrough(pgno, count, pages);
      });
      this.#checksums?.set(pgno, count, checksums);
    }
  }

  /**
   * After the pages of a file: cuts or extends the database to its size and proves it. Errors:
   * INTEGRITY_CHAIN, LOCAL_*.
   */
  end({ header, trailer }: DecodedLtx, objectName: string): void {
    const checksums = this.#checksums;
    if (checksums === undefined) throw new WalrustError("INTERNAL", "a file ended that did not begin");
    const { commit } = header;
    const absent = checksums.firstAbsent(this.#pages + 1, commit);
    if (absent !== undefined) throw lacksPage(objectName, absent);
    this.#resize(commit, checksums);
    const after = checksumAfter(header, trailer);
    if (after !== undefined && after !== checksums.databaseChecksum) {
      throw broken(objectName, "its post-apply checksum is not that of the database after it");
    }
  }

  /** The file is whole at once, and durable when this resolves. Errors: LOCAL_IO, LOCAL_DISK_FULL. */
  async sync(): Promise<void> {
    this.#writing(() => this.#held?.flush());
    await fsyncOffThread(this.#fd).catch((error: unknown) => {
      throw localError(error, "sync", this.path);
    });
  }

  /** Closes everything and removes what only building needed; the file itself stays. Safe to call twice. Errors: LOCAL_IO. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#checksums?.close();
    closeSync(this.#fd);
    removeLocalFile(this.#checksumsPath);
  }

  /** Leaves nothing behind. Safe to call at any time. */
  discard(): void {
    this.close();
    for (const suffix of ["", "-wal", "-shm", "-journal"]) removeLocalFile(this.path + suffix);
  }

  #writeThrough(pgno: number, count: number, pages: Uint8Array): void {
    this.#held?.drop(pgno, pgno + count - 1);
    writeFully(this.#fd, pages, (pgno - 1) * this.#pageSizeBytes);
  }

  #writing(write: () => void): void {
    try {
      write();
    } catch (error) {
      throw localError(error, "write", this.path);
    }
  }

  #resize(commit: number, checksums: PageChecksums): void {
    if (commit < this.#pages) this.#held?.drop(commit + 1, this.#pages);
    const endsWithLockPage = commit === lockPage(this.#pageSizeBytes);
    if (commit < this.#pages || endsWithLockPage) {
      try {
        ftruncateSync(this.#fd, commit * this.#pageSizeBytes);
      } catch (error) {
        throw localError(error, "resize", this.path);
      }
    }
    if (commit < this.#pages) checksums.truncate(commit);
    this.#pages = commit;
  }
}

function lacksPage(objectName: string, pgno: number): WalrustError {
  return broken(objectName, `it makes the database larger without page ${pgno}`);
}

function broken(objectName: string, why: string): WalrustError {
  return new WalrustError("INTEGRITY_CHAIN", `${objectName} does not follow the files before it: ${why}`, {
    hint: "Run `walrust verify` to see which restore points are good.",
    details: { object: objectName },
  });
}
