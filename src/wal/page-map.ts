import { WalrustError } from "../errors.ts";
import type { Core } from "../wasm/core.ts";
import { INPUT_SIZE, LOCK_BYTE, ROWS_OFFSET } from "../wasm/layout.ts";
import { WAL_FRAME_HEADER_SIZE } from "./position.ts";
import type { ReadAt } from "./read-at.ts";

const MAX_PGNO = 0xffffffff;

export interface PageMapOptions {
  /** The window's first page: 1, then what `finish` said. */
  readonly fromPgno: number;
  /** Database size after the last commit: frames of later pages are dropped. */
  readonly commitPages: number;
  readonly pageSizeBytes: number;
  /** Over all extents of the publication; chooses how much memory is touched. */
  readonly expectedFrames: number;
}

export interface PageRows {
  /** Pairs (pgno, ordinal of its newest frame), ascending by pgno; valid until the next `begin`. */
  readonly rows: Uint32Array;
  /** Number of pairs. */
  readonly count: number;
  /** Where the next window begins; undefined when this one took all. */
  readonly nextPgno: number | undefined;
}

/**
 * The newest version of each page over the frames of a publication. Memory is fixed: what does not fit goes
 * to further windows, each with a pass of its own over the frames, so that every window is exact.
 */
export class PageMap {
  readonly #core: Core;
  /** Behind the last page that is wanted. */
  #endPgno = 0;
  #frameSize = 0;

  constructor(core: Core) {
    this.#core = core;
  }

  begin(options: PageMapOptions): void {
    const { fromPgno, commitPages, pageSizeBytes, expectedFrames } = options;
    // One page more than 32 bits can count would be none at all; SQLite has no page of the last number.
    this.#endPgno = Math.min(commitPages + 1, MAX_PGNO);
    this.#frameSize = WAL_FRAME_HEADER_SIZE + pageSizeBytes;
    const lockPgno = LOCK_BYTE / pageSizeBytes + 1;
    this.#core.wasm.pageMapBegin(fromPgno, this.#endPgno, lockPgno, expectedFrames);
  }

  /**
   * Adds frames that a scan has verified. `firstOrdinal` counts frames over all extents of the publication
   * and ascends from call to call: the newest wins. A caller with a long extent adds it in slices.
   */
  addFrames(read: ReadAt, fileOffset: number, frameCount: number, firstOrdinal: number): void {
    const atOnce = Math.floor(INPUT_SIZE / this.#frameSize);
    for (let done = 0; done < frameCount; ) {
      const frames = Math.min(atOnce, frameCount - done);
      const into = this.#core.input.subarray(0, frames * this.#frameSize);
      const got = read(into, fileOffset + done * this.#frameSize);
      assertWhole(got, into.length);
      this.#core.wasm.pageMapAdd(frames, this.#frameSize - WAL_FRAME_HEADER_SIZE, firstOrdinal + done);
      done += frames;
    }
  }

  finish(): PageRows {
    const { wasm } = this.#core;
    const count = wasm.pageMapFinish() >>> 0;
    const end = wasm.pageMapEnd() >>> 0;
    return {
      rows: this.#core.borrowU32(ROWS_OFFSET, count * 2),
      count,
      nextPgno: end < this.#endPgno ? end : undefined,
    };
  }
}

/** A pin keeps the frames of a verified extent where they are. */
function assertWhole(got: number, wanted: number): void {
  if (got !== wanted)
    throw new WalrustError("INTERNAL", `a verified extent of the log ends early: ${got} of ${wanted} bytes`);
}
