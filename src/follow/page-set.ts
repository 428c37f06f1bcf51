import { lockPage } from "../ltx/format.ts";
import type { PageRun } from "../ltx/page-marks.ts";

/** Pages that a database is to get, as they are in the source, and the size that it is to have. */
export interface PageSet {
  readonly pageSizeBytes: number;
  readonly commitPages: number;
  /** Ascending, without the lock page. */
  runs(): Iterable<PageRun>;
  /** `into.length` bytes of pages from `pgno` on, all of them in one run. Errors: LOCAL_IO. */
  read(pgno: number, into: Uint8Array): void;
}

/** The pages `first` to `last` without the lock page, in pieces of `most`. */
export function* runsOf(
  first: number,
  last: number,
  options: { readonly pageSizeBytes: number; readonly most?: number },
): Generator<PageRun> {
  const { pageSizeBytes, most = Number.POSITIVE_INFINITY } = options;
  const lock = lockPage(pageSizeBytes);
  for (let pgno = first; pgno <= last; ) {
    if (pgno === lock) {
      pgno += 1;
      continue;
    }
    const end = pgno < lock && lock <= last ? lock - 1 : last;
    const count = Math.min(most, end - pgno + 1);
    yield { pgno, count };
    pgno += count;
  }
}
