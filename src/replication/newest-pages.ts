import { setImmediate } from "node:timers/promises";
import { lockPage } from "../ltx/format.ts";
import type { PageMap } from "../wal/page-map.ts";
import { WAL_FRAME_HEADER_SIZE } from "../wal/position.ts";
import { type FrameExtent, frameCount, readRun } from "./pending-frames.ts";

/** Pages of one window: ascending pgnos, and for each where its newest frame lies. */
export interface PageWindow {
  /** Pairs (pgno, ordinal over all frames of the runs). */
  readonly rows: Uint32Array;
  readonly count: number;
}

/** Frames added to a page map between two looks at the event loop. */
const SLICE_FRAMES = 4096;

/** The newest version of each page in the runs, by windows that ascend and are exact. Ends after the last commit's size. */
export async function* newestPages(map: PageMap, runs: readonly FrameExtent[]): AsyncGenerator<PageWindow> {
  const last = runs.at(-1);
  if (last === undefined) return;
  const expectedFrames = runs.reduce((sum, run) => sum + frameCount(run), 0);
  for (let fromPgno: number | undefined = 1; fromPgno !== undefined; ) {
    map.begin({
      fromPgno,
      commitPages: last.commitPages,
      expectedFrames,
      pageSizeBytes: last.header.pageSizeBytes,
    });
    await addRuns(map, runs);
    const { rows, count, nextPgno } = map.finish();
    yield { rows: rows.slice(0, count * 2), count };
    fromPgno = nextPgno;
  }
}

async function addRuns(map: PageMap, runs: readonly FrameExtent[]): Promise<void> {
  let ordinal = 0;
  for (const run of runs) {
    const frames = frameCount(run);
    const frameSize = WAL_FRAME_HEADER_SIZE + run.header.pageSizeBytes;
    for (let done = 0; done < frames; ) {
      if (done > 0) await setImmediate();
      const some = Math.min(SLICE_FRAMES, frames - done);
      map.addFrames(
        (into, offset) => readRun(run, into, offset),
        run.from.offset + done * frameSize,
        some,
        ordinal + done,
      );
      done += some;
    }
    ordinal += frames;
  }
}

/** Finds a frame's page by its ordinal. */
export class FrameFinder {
  readonly #runs: readonly FrameExtent[];
  #index = 0;
  #firstOrdinal = 0;

  constructor(runs: readonly FrameExtent[]) {
    this.#runs = runs;
  }

  /** Reads the page of a frame into the whole of `into`. */
  readPage(ordinal: number, into: Uint8Array): void {
    const run = this.#runOf(ordinal);
    const frameSize = WAL_FRAME_HEADER_SIZE + into.length;
    const offset = run.from.offset + (ordinal - this.#firstOrdinal) * frameSize + WAL_FRAME_HEADER_SIZE;
    if (readRun(run, into, offset) !== into.length) throw new Error(`a captured frame at ${offset} is gone`);
  }

  #runOf(ordinal: number): FrameExtent {
    if (ordinal < this.#firstOrdinal) {
      this.#index = 0;
      this.#firstOrdinal = 0;
    }
    for (;;) {
      const run = this.#runs[this.#index];
      if (run === undefined) throw new Error(`no run holds frame ${ordinal}`);
      const frames = frameCount(run);
      if (ordinal < this.#firstOrdinal + frames) return run;
      this.#firstOrdinal += frames;
      this.#index += 1;
    }
  }
}

/** How many pages a transaction that grows a database from `before` to `after` pages must bring (capture.md: check before publishing). */
export function newPageCount(before: number, after: number, pageSizeBytes: number): number {
  if (after <= before) return 0;
  const lock = lockPage(pageSizeBytes);
  return after - before - (lock > before && lock <= after ? 1 : 0);
}
