import { closeSync, fstatSync, ftruncateSync, openSync, readSync } from "node:fs";
import { CHECKSUM_FLAG, type Checksum, lockPage } from "../ltx/format.ts";
import { isPageSize } from "../wal/header.ts";
import { fsyncOffThread, writeFully } from "./durable-file.ts";
import { localError, onLocalFile } from "./local-error.ts";

/**
 * One checksum for each page of a database (capture.md, "The page table and repair"), in a file:
 *
 *   0   magic u32 "WRPT"   4   version u32   8   page size u32   12   0
 *  16   u64 for page 1, u64 for page 2, ...; all little-endian; 0: no such page (the lock page too)
 *
 * It is used through windows of 512 bytes, so that neither its size nor scattered access costs much memory or many
 * system calls, and a small one hardly any. Nothing in it is trusted before its checksum is that of a known position: a torn one is found
 * out by that.
 */
const HEADER_SIZE = 16;
const MAGIC = 0x54505257;
const VERSION = 1;
const ENTRY_SIZE = 8;
const WINDOW_ENTRIES = 64;
const WINDOW_SIZE = WINDOW_ENTRIES * ENTRY_SIZE;
const MAX_WINDOWS = 512;
const STREAM_SIZE = 65536;

interface Window {
  readonly bytes: Uint8Array;
  dirty: boolean;
}

export interface PageTableOptions {
  readonly readonly?: boolean;
}

export class PageTable {
  readonly pageSizeBytes: number;
  readonly #path: string;
  readonly #fd: number;
  /** Least recently used first. */
  readonly #windows = new Map<number, Window>();
  #recent: { readonly index: number; readonly window: Window } | undefined;
  #pages: number;
  #writes = 0;
  /** How many of them are durable; undefined: perhaps not even what another process wrote. */
  #syncedWrites: number | undefined;

  /** Pages up to the last one that was written and not cut off. */
  get pages(): number {
    return this.#pages;
  }

  /** A new, empty table; one that was there is lost. Errors: LOCAL_IO, LOCAL_DISK_FULL. */
  static create(path: string, pageSizeBytes: number): PageTable {
    try {
      const fd = openSync(path, "w+", 0o600);
      writeFully(fd, new Uint8Array(Uint32Array.of(MAGIC, VERSION, pageSizeBytes, 0).buffer), 0);
      return new PageTable(path, fd, pageSizeBytes, 0);
    } catch (error) {
      throw localError(error, "create", path);
    }
  }

  /** The table at `path`; undefined where there is none, or not one of this version. Errors: LOCAL_IO. */
  static open(path: string, options: PageTableOptions = {}): PageTable | undefined {
    let fd: number;
    try {
      fd = openSync(path, options.readonly ? "r" : "r+");
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
      throw localError(error, "open", path);
    }
    const table = readHeader(fd, path);
    if (table === undefined) closeSync(fd);
    return table && new PageTable(path, fd, table.pageSizeBytes, table.pages);
  }

  private constructor(path: string, fd: number, pageSizeBytes: number, pages: number) {
    this.#path = path;
    this.#fd = fd;
    this.pageSizeBytes = pageSizeBytes;
    this.#pages = pages;
  }

  /**
   * Fills `into` (u64 LE each) with the checksums of `count` pages from `pgnoFrom` on; 0 beyond the end.
   * Errors: LOCAL_IO.
   */
  read(pgnoFrom: number, count: number, into: Uint8Array): void {
    for (let done = 0; done < count; ) {
      const { bytes, at, entries } = this.#place(pgnoFrom + done, count - done);
      for (let i = 0; i < entries * ENTRY_SIZE; i++) into[done * ENTRY_SIZE + i] = bytes[at + i] ?? 0;
      done += entries;
    }
  }

  /**
   * Sets the checksums of `count` pages from `pgnoFrom` on to those in `from` (u64 LE each). Errors:
   * LOCAL_IO, LOCAL_DISK_FULL.
   */
  write(pgnoFrom: number, count: number, from: Uint8Array): void {
    for (let done = 0; done < count; ) {
      const { bytes, at, entries } = this.#place(pgnoFrom + done, count - done);
      for (let i = 0; i < entries * ENTRY_SIZE; i++) bytes[at + i] = from[done * ENTRY_SIZE + i] ?? 0;
      if (this.#recent) this.#recent.window.dirty = true;
      done += entries;
    }
    this.#pages = Math.max(this.#pages, pgnoFrom + count - 1);
  }

  /** Forgets all pages behind the first `pages`. Errors: LOCAL_IO. */
  truncate(pages: number): void {
    if (pages >= this.#pages) return;
    for (const [index, { bytes }] of this.#windows) {
      const firstPgno = index * WINDOW_ENTRIES + 1;
      if (firstPgno > pages) this.#windows.delete(index);
      else bytes.fill(0, Math.min(pages - firstPgno + 1, WINDOW_ENTRIES) * ENTRY_SIZE);
    }
    this.#recent = undefined;
    this.#pages = pages;
    this.#writes += 1;
    this.#guard("cut", () => ftruncateSync(this.#fd, HEADER_SIZE + pages * ENTRY_SIZE));
  }

  /** XOR of the checksums of the pages `first` to `last`; 0 where there are none. Errors: LOCAL_IO. */
  xor(first: number, last: number): bigint {
    let [low, high] = [0, 0];
    const words = new Uint32Array(WINDOW_ENTRIES * 2);
    const bytes = new Uint8Array(words.buffer);
    for (let pgno = first; pgno <= last; pgno += WINDOW_ENTRIES) {
      const count = Math.min(WINDOW_ENTRIES, last - pgno + 1);
      this.read(pgno, count, bytes);
      for (let i = 0; i < count * 2; i += 2) {
        low ^= words[i] ?? 0;
        high ^= words[i + 1] ?? 0;
      }
    }
    return (BigInt(high >>> 0) << 32n) | BigInt(low >>> 0);
  }

  /** The first page from `first` to `last` that has no checksum, the lock page aside. Errors: LOCAL_IO. */
  firstAbsent(first: number, last: number): number | undefined {
    if (first > last) return undefined;
    const lock = lockPage(this.pageSizeBytes);
    const words = new Uint32Array(WINDOW_ENTRIES * 2);
    const bytes = new Uint8Array(words.buffer);
    for (let pgno = first; pgno <= last; pgno += WINDOW_ENTRIES) {
      const count = Math.min(WINDOW_ENTRIES, last - pgno + 1);
      this.read(pgno, count, bytes);
      for (let i = 0; i < count; i++) {
        // Every page checksum has bit 63.
        if (words[2 * i + 1] === 0 && pgno + i !== lock) return pgno + i;
      }
    }
    return undefined;
  }

  /**
   * The database checksum (formats.md, section 2): XOR over all pages but the lock page, bit 63 set. Errors:
   * LOCAL_IO, LOCAL_DISK_FULL.
   */
  checksum(): Checksum {
    this.#flush();
    const words = new Uint32Array(STREAM_SIZE / 4);
    let [low, high] = [0, 0];
    for (let at = HEADER_SIZE; ; ) {
      const got = this.#guard("read", () => readSync(this.#fd, words, 0, STREAM_SIZE, at));
      for (let i = 0; i < (got - (got % ENTRY_SIZE)) / 4; i += 2) {
        low ^= words[i] ?? 0;
        high ^= words[i + 1] ?? 0;
      }
      if (got < STREAM_SIZE) break;
      at += got;
    }
    const lock = lockPage(this.pageSizeBytes);
    if (lock <= this.#pages) {
      const lockEntry = new Uint32Array(2);
      this.read(lock, 1, new Uint8Array(lockEntry.buffer));
      low ^= lockEntry[0] ?? 0;
      high ^= lockEntry[1] ?? 0;
    }
    return (BigInt(high >>> 0) << 32n) | BigInt(low >>> 0) | CHECKSUM_FLAG;
  }

  /**
   * Makes what was written durable, waiting for the disk off this thread. Errors: LOCAL_IO, LOCAL_DISK_FULL.
   */
  async sync(): Promise<void> {
    this.#flush();
    const writes = this.#writes;
    if (writes === this.#syncedWrites) return;
    await fsyncOffThread(this.#fd).catch((error) => {
      throw localError(error, "sync", this.#path);
    });
    this.#syncedWrites = writes;
  }

  /** Drops what was not synced. */
  close(): void {
    this.#windows.clear();
    this.#recent = undefined;
    closeSync(this.#fd);
  }

  /**
   * Where a page's entry lies in its window, and how many of the wanted ones follow there. That window is
   * then `#recent`.
   */
  #place(
    pgno: number,
    wanted: number,
  ): { readonly bytes: Uint8Array; readonly at: number; readonly entries: number } {
    const index = Math.floor((pgno - 1) / WINDOW_ENTRIES);
    const entry = (pgno - 1) % WINDOW_ENTRIES;
    const { bytes } = this.#window(index);
    return { bytes, at: entry * ENTRY_SIZE, entries: Math.min(wanted, WINDOW_ENTRIES - entry) };
  }

  #window(index: number): Window {
    if (this.#recent?.index === index) return this.#recent.window;
    let window = this.#windows.get(index);
    if (window) this.#windows.delete(index);
    else window = this.#load(index);
    this.#windows.set(index, window);
    this.#recent = { index, window };
    return window;
  }

  #load(index: number): Window {
    const bytes = this.#evict() ?? new Uint8Array(WINDOW_SIZE);
    const got = this.#guard("read", () =>
      readSync(this.#fd, bytes, 0, WINDOW_SIZE, HEADER_SIZE + index * WINDOW_SIZE),
    );
    bytes.fill(0, got);
    return { bytes, dirty: false };
  }

  /** The memory of the window used longest ago, once there are enough of them. */
  #evict(): Uint8Array | undefined {
    if (this.#windows.size < MAX_WINDOWS) return undefined;
    const oldest = this.#windows.entries().next();
    if (oldest.done) return undefined;
    const [index, window] = oldest.value;
    this.#writeBack(index, window);
    this.#windows.delete(index);
    return window.bytes;
  }

  #flush(): void {
    for (const [index, window] of this.#windows) this.#writeBack(index, window);
  }

  #writeBack(index: number, window: Window): void {
    if (!window.dirty) return;
    const entries = Math.min(WINDOW_ENTRIES, this.#pages - index * WINDOW_ENTRIES);
    this.#writes += 1;
    this.#guard("write", () =>
      writeFully(this.#fd, window.bytes.subarray(0, entries * ENTRY_SIZE), HEADER_SIZE + index * WINDOW_SIZE),
    );
    window.dirty = false;
  }

  #guard<T>(operation: string, call: () => T): T {
    return onLocalFile(operation, this.#path, call);
  }
}

function readHeader(fd: number, path: string): Pick<PageTable, "pageSizeBytes" | "pages"> | undefined {
  const header = new Uint32Array(HEADER_SIZE / 4);
  try {
    const whole = readSync(fd, header, 0, HEADER_SIZE, 0) === HEADER_SIZE;
    const [magic, version, pageSizeBytes = 0] = header;
    if (!whole || magic !== MAGIC || version !== VERSION || !isPageSize(pageSizeBytes)) return undefined;
    return { pageSizeBytes, pages: Math.floor((fstatSync(fd).size - HEADER_SIZE) / ENTRY_SIZE) };
  } catch (error) {
    closeSync(fd);
    throw localError(error, "read", path);
  }
}
