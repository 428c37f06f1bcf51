import { WalrustError } from "../errors.ts";
import { decodeWalHeader } from "../wal/header.ts";
import { PageMap, type PageRows } from "../wal/page-map.ts";
import { type LogPosition, WAL_FRAME_HEADER_SIZE, WAL_HEADER_SIZE } from "../wal/position.ts";
import type { ReadAt } from "../wal/read-at.ts";
import type { Core } from "../wasm/core.ts";
import { INPUT_SIZE } from "../wasm/layout.ts";

export interface PinnedPagesOptions {
  readonly core: Core;
  readonly readMain: ReadAt;
  readonly readWal: ReadAt;
  readonly pageSizeBytes: number;
  readonly commitPages: number;
  /** Of an exact pin that is held as long as this is used; undefined: everything is in the main file. */
  readonly position: LogPosition | undefined;
}

const NO_ROWS: PageRows = { rows: new Uint32Array(0), count: 0, nextPgno: undefined };

/**
 * The database as an exact pin sees it, page by page in ascending order: each page from the newest frame up to the pin's position if there
 * is one, else from the main file. Memory is fixed: the log is mapped in windows of pages, each with a pass of its own.
 *
 *     while (pgno <= commitPages) {
 *       if (pgno >= pages.windowEnd) { pages.openWindow(pgno); while (!pages.step()) await ...; }
 *       pages.read(pgno, Math.min(batch, pages.windowEnd - pgno), into);
 *     }
 *
 * `step` uses the core's input region and page map; `read` only the rows, which nothing but a page map touches.
 *
 * Why it is right at whichever mark SQLite put the pin (wal.c of 3.53):
 *
 * - Mark > 0. The pin shares WAL_READ_LOCK(i), i > 0. walRestartLog and TRUNCATE both take WAL_READ_LOCK(1..4) exclusively before they
 *   restart the log, so they cannot: frames up to the position stay where they are. walCheckpoint lowers mxSafeFrame to the mark, and the
 *   mark is <= the position, so a checkpoint writes only pages of frames up to the position: pages that are read from the
 *   log here anyway. It cuts the main file only if it backfilled the last frame of all, that is, to this very size.
 *   So the pages read from the main file never change.
 * - Mark 0. walTryBeginRead grants it only if nBackfill == mxFrame at one moment, under the shared WAL_READ_LOCK(0), with the header
 *   unchanged: so the main file holds every page. walCheckpoint writes to the main file only under WAL_READ_LOCK(0)
 *   exclusively: so it stays so. Main file and frames agree, and it does not matter which is read, until a writer restarts the log
 *   (walRestartLog, or TRUNCATE). Then frames are overwritten, but only after the log's header: walFrames writes it
 *   before the first frame of a generation, and TRUNCATE leaves none. So if the header is the same after a batch was read, no frame
 *   of the batch had been overwritten. If it is another one, this is mark 0, and the main file has everything.
 *
 * So the mark need not be known; which it is, is not asked.
 */
export class PinnedPages {
  readonly #options: PinnedPagesOptions;
  readonly #frameSize: number;
  readonly #map: PageMap;
  /** Frames up to the position; 0 once the log was restarted. */
  #frames: number;
  #mapped = 0;
  #window: PageRows = NO_ROWS;
  #windowEnd = 1;

  constructor(options: PinnedPagesOptions) {
    this.#options = options;
    this.#frameSize = WAL_FRAME_HEADER_SIZE + options.pageSizeBytes;
    this.#map = new PageMap(options.core);
    this.#frames =
      options.position === undefined ? 0 : (options.position.offset - WAL_HEADER_SIZE) / this.#frameSize;
  }

  /** Pages before this one can be read; from here on a new window is needed. */
  get windowEnd(): number {
    return this.#windowEnd;
  }

  openWindow(fromPgno: number): void {
    const { pageSizeBytes, commitPages } = this.#options;
    this.#map.begin({ fromPgno, commitPages, pageSizeBytes, expectedFrames: this.#frames });
    this.#mapped = 0;
    this.#window = NO_ROWS;
  }

  /** Maps a slice of the log (about 1 MB); true when the window is ready. */
  step(): boolean {
    const count = Math.min(Math.floor(INPUT_SIZE / this.#frameSize), this.#frames - this.#mapped);
    if (count > 0) this.#mapFrames(count);
    if (this.#mapped < this.#frames) return false;
    this.#window = this.#frames === 0 ? NO_ROWS : this.#map.finish();
    this.#windowEnd = this.#window.nextPgno ?? this.#options.commitPages + 1;
    return true;
  }

  /**
   * Reads pages [fromPgno, fromPgno + count) of the window into the start of `into`. The lock page comes as it lies in the file.
   *
   * @throws DATABASE_UNREADABLE
   */
  read(fromPgno: number, count: number, into: Uint8Array): void {
    if (fromPgno + count > this.#windowEnd) throw new Error("pages behind the window");
    const fromLog = this.#readMixed(fromPgno, count, into);
    if (!fromLog || this.#isSameLog()) return;
    this.#frames = 0;
    this.#window = NO_ROWS;
    this.#readMain(fromPgno, count, into);
  }

  /** Of a log that was restarted meanwhile it makes rows without sense; `read` notices. */
  #mapFrames(count: number): void {
    const read: ReadAt = (into, offset) => {
      this.#options.readWal(into, offset);
      return into.length;
    };
    this.#map.addFrames(read, WAL_HEADER_SIZE + this.#mapped * this.#frameSize, count, this.#mapped);
    this.#mapped += count;
  }

  /** Runs of pages from the log and the main file in turn. Returns whether the log was needed. */
  #readMixed(fromPgno: number, count: number, into: Uint8Array): boolean {
    const { rows } = this.#window;
    const endPgno = fromPgno + count;
    let pgno = fromPgno;
    let fromLog = false;
    for (let row = this.#firstRow(fromPgno); row < this.#window.count; row++) {
      const rowPgno = at(rows, row * 2);
      if (rowPgno >= endPgno) break;
      this.#readMain(pgno, rowPgno - pgno, into.subarray((pgno - fromPgno) * this.#options.pageSizeBytes));
      this.#readFrame(
        at(rows, row * 2 + 1),
        into.subarray((rowPgno - fromPgno) * this.#options.pageSizeBytes),
      );
      pgno = rowPgno + 1;
      fromLog = true;
    }
    this.#readMain(pgno, endPgno - pgno, into.subarray((pgno - fromPgno) * this.#options.pageSizeBytes));
    return fromLog;
  }

  /** Binary search: the first row at or behind `pgno`. */
  #firstRow(pgno: number): number {
    let low = 0;
    let high = this.#window.count;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (at(this.#window.rows, middle * 2) < pgno) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** A frame that ends early is one of a log that was cut: the header tells afterwards. */
  #readFrame(ordinal: number, into: Uint8Array): void {
    const page = into.subarray(0, this.#options.pageSizeBytes);
    this.#options.readWal(page, WAL_HEADER_SIZE + ordinal * this.#frameSize + WAL_FRAME_HEADER_SIZE);
  }

  #readMain(fromPgno: number, count: number, into: Uint8Array): void {
    const { pageSizeBytes } = this.#options;
    const bytes = into.subarray(0, count * pageSizeBytes);
    if (this.#options.readMain(bytes, (fromPgno - 1) * pageSizeBytes) === bytes.length) return;
    throw new WalrustError(
      "DATABASE_UNREADABLE",
      `the database file ends before page ${fromPgno + count - 1}`,
      {
        hint: "Something other than SQLite has shortened it: run PRAGMA integrity_check.",
      },
    );
  }

  #isSameLog(): boolean {
    const bytes = new Uint8Array(WAL_HEADER_SIZE);
    this.#options.readWal(bytes, 0);
    const header = decodeWalHeader(bytes);
    const { position } = this.#options;
    return header?.salt1 === position?.salt1 && header?.salt2 === position?.salt2;
  }
}

function at(rows: Uint32Array, index: number): number {
  const value = rows[index];
  if (value === undefined) throw new Error("a row that the page map did not give");
  return value;
}
