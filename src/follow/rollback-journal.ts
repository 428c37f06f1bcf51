import { closeSync, constants, openSync, rmSync } from "node:fs";
import { dirname } from "node:path";
import { fsyncFolder, fsyncOffThread, writeFully } from "../shadow/durable-file.ts";
import { localError } from "../shadow/local-error.ts";

/**
 * A rollback journal as SQLite writes and reads it (SQLite file format, section 3). While it lies beside a database, is
 * finished, and nobody holds RESERVED or more, it is hot: any SQLite that may write plays it back before it reads, and one
 * that may not refuses to read. So whoever dies while pages change leaves the state before, whole.
 *
 * Header, 28 bytes in a sector of its own, big-endian:
 *   0  magic                         8
 *   8  records                       u32
 *  12  nonce of the records' sums    u32
 *  16  pages of the database before  u32
 *  20  sector size                   u32
 *  24  page size                     u32
 * Record: page number u32, the page as it was, sum u32. The lock page is in none: SQLite would stop there.
 */
const MAGIC = Buffer.from("d9d505f920a163d7", "hex");
const SECTOR_SIZE = 512;
const BUFFER_BYTES = 1 << 20;
/** Whatever was there, but through no link: SQLite follows none either. */
const REPLACE = constants.O_WRONLY | constants.O_CREAT | constants.O_TRUNC | constants.O_NOFOLLOW;
/** Each 200th byte counts in a record's sum, from the end. */
const SUM_STEP = 200;

export interface JournalOptions {
  readonly pageSizeBytes: number;
  /** What a rollback cuts or extends the database to. */
  readonly pagesBefore: number;
  /** Random, u32: records of another journal in the same blocks of the disk don't fit. */
  readonly nonce: number;
  /** Permissions: those of the database, so that who reads that one can see whether this one is finished. */
  readonly mode: number;
}

export class RollbackJournal {
  readonly #path: string;
  readonly #options: JournalOptions;
  readonly #fd: number;
  readonly #buffer: Buffer;
  #buffered = 0;
  #records = 0;
  #sizeBytes = SECTOR_SIZE;
  #isOpen = true;

  /** Only while EXCLUSIVE is held; a journal that was there is lost. Errors: LOCAL_IO, LOCAL_DISK_FULL. */
  constructor(path: string, options: JournalOptions) {
    this.#path = path;
    this.#options = options;
    this.#buffer = Buffer.allocUnsafe(Math.max(BUFFER_BYTES, options.pageSizeBytes + 8));
    this.#fd = this.#guard("create", () => openSync(path, REPLACE, options.mode));
  }

  /** Errors: LOCAL_IO, LOCAL_DISK_FULL. */
  append(pgno: number, page: Uint8Array): void {
    const size = page.length + 8;
    if (this.#buffered + size > this.#buffer.length) this.#flush();
    const at = this.#buffered;
    this.#buffer.writeUInt32BE(pgno, at);
    this.#buffer.set(page, at + 4);
    this.#buffer.writeUInt32BE(sumOf(page, this.#options.nonce), at + 4 + page.length);
    this.#buffered += size;
    this.#records += 1;
  }

  /**
   * Makes it durable, and hot for whoever comes after a crash. The header goes last: without it a journal is not hot, and as
   * much of the records as reached the disk does not matter. Errors: LOCAL_IO, LOCAL_DISK_FULL.
   */
  async finish(): Promise<void> {
    this.#flush();
    await this.#sync();
    const { nonce, pagesBefore, pageSizeBytes } = this.#options;
    const header = Buffer.alloc(SECTOR_SIZE);
    MAGIC.copy(header);
    [this.#records, nonce, pagesBefore, SECTOR_SIZE, pageSizeBytes].forEach((field, i) => {
      header.writeUInt32BE(field, 8 + 4 * i);
    });
    this.#guard("write", () => writeFully(this.#fd, header, 0));
    await this.#sync();
    this.#guard("sync", () => fsyncFolder(dirname(this.#path)));
  }

  /** The pages are as they shall be, and durable: nothing is rolled back from here on. Errors: LOCAL_IO. */
  remove(): void {
    this.close();
    this.#guard("remove", () => {
      rmSync(this.#path);
      fsyncFolder(dirname(this.#path));
    });
  }

  /** Leaves it where it is. Safe to call twice. */
  close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    closeSync(this.#fd);
  }

  #flush(): void {
    const bytes = this.#buffer.subarray(0, this.#buffered);
    this.#guard("write", () => writeFully(this.#fd, bytes, this.#sizeBytes));
    this.#sizeBytes += this.#buffered;
    this.#buffered = 0;
  }

  async #sync(): Promise<void> {
    await fsyncOffThread(this.#fd).catch((error: unknown) => {
      throw localError(error, "sync", this.#path);
    });
  }

  #guard<T>(operation: string, call: () => T): T {
    try {
      return call();
    } catch (error) {
      throw localError(error, operation, this.#path);
    }
  }
}

function sumOf(page: Uint8Array, nonce: number): number {
  let sum = nonce;
  for (let at = page.length - SUM_STEP; at > 0; at -= SUM_STEP) sum = (sum + (page[at] ?? 0)) >>> 0;
  return sum;
}
