import type { PageBatch } from "../ltx/decoder.ts";
import { lockPage } from "../ltx/format.ts";

/** Pages of a batch that follow one another. The views are those of the batch. */
export interface BatchRun {
  readonly pgno: number;
  readonly count: number;
  readonly pages: Uint8Array;
  /** u64 LE per page */
  readonly checksums: Uint8Array;
}

/**
 * The first page that is left out when `pgno` follows behind a database of `pages` pages; undefined: none is. A file brings every page that
 * it adds, in order: so a few bytes that claim page 4,294,967,295 are refused before anything of that size is made on the disk.
 */
export function pageLeftOut(pages: number, pgno: number, pageSizeBytes: number): number | undefined {
  const next = pages + 1 === lockPage(pageSizeBytes) ? pages + 2 : pages + 1;
  return pgno > next ? next : undefined;
}

/** The pages of a batch in pieces that can be written at once. */
export function* runsOfBatch(batch: PageBatch, pageSizeBytes: number): Generator<BatchRun> {
  const { count, pgnos, pages, checksums } = batch;
  for (let row = 0; row < count; ) {
    const pgno = pgnos[row] ?? 0;
    let end = row + 1;
    while (end < count && pgnos[end] === pgno + end - row) end++;
    yield {
      pgno,
      count: end - row,
      pages: pages.subarray(row * pageSizeBytes, end * pageSizeBytes),
      checksums: checksums.subarray(row * 8, end * 8),
    };
    row = end;
  }
}
