import { expect, test } from "vitest";
import { hasChecksums, isRepair, isSnapshot, lockPage, snapshotPageCount } from "../../src/ltx/format.ts";
import { goldenChecksums } from "../helpers/ltx/golden.ts";
import { INCREMENTAL, SNAPSHOT } from "../helpers/ltx/headers.ts";

test.each(goldenChecksums.lock_pages)("the lock page of page size $page_size", ({ page_size, lock_page }) => {
  expect(lockPage(page_size)).toBe(lock_page);
  expect(snapshotPageCount(lock_page - 1, page_size)).toBe(lock_page - 1);
  expect(snapshotPageCount(lock_page, page_size)).toBe(lock_page - 1);
  expect(snapshotPageCount(lock_page + 1, page_size)).toBe(lock_page);
});

test("the kinds of files", () => {
  expect([isSnapshot(SNAPSHOT), isSnapshot(INCREMENTAL)]).toEqual([true, false]);
  expect(isSnapshot({ minTxid: 2n })).toBe(false);
  const kinds = [INCREMENTAL, SNAPSHOT, { walOffset: 32n, walSize: 0n }, { walOffset: 0n, walSize: 0n }];
  expect(kinds.map(isRepair)).toEqual([false, false, true, false]);
  expect([hasChecksums({ flags: 0 }), hasChecksums({ flags: 2 })]).toEqual([true, false]);
});
