import { applyToDatabaseChecksum, EMPTY_DATABASE_CHECKSUM } from "../ltx/checksum.ts";
import type { Checksum } from "../ltx/format.ts";
import { PageTable } from "../shadow/page-table.ts";

const ROWS_AT_ONCE = 4096;

/**
 * The checksum of a database while pages are put in and cut off, and the table of page checksums that this
 * takes.
 */
export class PageChecksums {
  readonly #table: PageTable;
  readonly #old = new Uint32Array(ROWS_AT_ONCE * 2);
  readonly #oldBytes = new Uint8Array(this.#old.buffer);
  /** XOR of all page checksums, as two words: a bigint per page would cost more than the page. */
  #low = 0;
  #high = 0;
  #pages = 0;

  /** @param path of the table, a new file. Errors: LOCAL_IO, LOCAL_DISK_FULL. */
  constructor(path: string, pageSizeBytes: number) {
    this.#table = PageTable.create(path, pageSizeBytes);
  }

  get databaseChecksum(): Checksum {
    const xor = (BigInt(this.#high >>> 0) << 32n) | BigInt(this.#low >>> 0);
    return applyToDatabaseChecksum(EMPTY_DATABASE_CHECKSUM, xor);
  }

  /** @param checksums u64 LE of `count` pages from `pgno` on, aligned to words */
  set(pgno: number, count: number, checksums: Uint8Array): void {
    for (let done = 0; done < count; done += ROWS_AT_ONCE) {
      const rows = Math.min(ROWS_AT_ONCE, count - done);
      if (pgno + done <= this.#pages) this.#toggle(this.#read(pgno + done, rows));
      const part = checksums.subarray(done * 8, (done + rows) * 8);
      this.#toggle(new Uint32Array(part.buffer, part.byteOffset, rows * 2));
      this.#table.write(pgno + done, rows, part);
    }
    this.#pages = Math.max(this.#pages, pgno + count - 1);
  }

  /** Cuts off all pages behind the first `pages`. */
  truncate(pages: number): void {
    for (let pgno = pages + 1; pgno <= this.#pages; pgno += ROWS_AT_ONCE) {
      this.#toggle(this.#read(pgno, Math.min(ROWS_AT_ONCE, this.#pages - pgno + 1)));
    }
    this.#table.truncate(pages);
    this.#pages = Math.min(this.#pages, pages);
  }

  /** The first page from `from` to `to` that was never put in, the lock page aside. */
  firstAbsent(from: number, to: number): number | undefined {
    return this.#table.firstAbsent(from, to);
  }

  close(): void {
    this.#table.close();
  }

  #read(pgno: number, count: number): Uint32Array {
    this.#table.read(pgno, count, this.#oldBytes);
    return this.#old.subarray(0, count * 2);
  }

  #toggle(words: Uint32Array): void {
    for (let i = 0; i < words.length; i += 2) {
      this.#low ^= words[i] ?? 0;
      this.#high ^= words[i + 1] ?? 0;
    }
  }
}
