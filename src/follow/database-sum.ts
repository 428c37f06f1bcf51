import { setImmediate } from "node:timers/promises";
import { PageChecksums } from "../ltx/page-checksums.ts";
import type { Core } from "../wasm/core.ts";
import { runsOf } from "./page-set.ts";
import type { ReplicaFile } from "./replica-file.ts";

/**
 * XOR of the checksums of the pages `first` to `last`, but for the lock page. What is missing at the end counts as zeros:
 * compare the size first. Lets others run between pieces.
 */
export async function xorOfPages(
  core: Core,
  file: Pick<ReplicaFile, "read">,
  range: { readonly pageSizeBytes: number; readonly first: number; readonly last: number },
): Promise<bigint> {
  const { pageSizeBytes, first, last } = range;
  const sums = new PageChecksums(core, pageSizeBytes);
  let xor = 0n;
  for (const { pgno, count } of runsOf(first, last, { pageSizeBytes, most: sums.batchCapacity })) {
    const pages = sums.input.subarray(0, count * pageSizeBytes);
    pages.fill(0, file.read(pages, (pgno - 1) * pageSizeBytes));
    for (let row = 0; row < count; row++) sums.setPage(row, pgno + row);
    xor ^= sums.sum(count);
    await setImmediate();
  }
  return xor;
}

/** The checksum of one page. */
export function sumOfPage(core: Core, pgno: number, page: Uint8Array): bigint {
  const sums = new PageChecksums(core, page.length);
  sums.input.set(page);
  sums.setPage(0, pgno);
  return sums.sum(1);
}
