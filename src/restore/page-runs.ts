import type { PageBatch } from "../ltx/decoder.ts";

/** Pages of a batch that follow one another. The views are those of the batch. */
export interface BatchRun {
  readonly pgno: number;
  readonly count: number;
  readonly pages: Uint8Array;
  /** u64 LE per page */
  readonly checksums: Uint8Array;
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
