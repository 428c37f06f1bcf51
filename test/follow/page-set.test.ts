import { expect, test } from "vitest";
import { runsOf } from "../../src/follow/page-set.ts";

const pagesIn = (runs: Iterable<{ readonly pgno: number; readonly count: number }>) =>
  [...runs].flatMap(({ pgno, count }) => Array.from({ length: count }, (_, i) => pgno + i));

test.each([
  ["far before the lock page", 1, 5, [1, 2, 3, 4, 5]],
  ["over it", 16383, 16387, [16383, 16384, 16386, 16387]],
  ["up to it", 16384, 16385, [16384]],
  ["from it on", 16385, 16386, [16386]],
  ["nothing", 4, 3, []],
])("the lock page is in no run: %s", (_, first, last, expected) => {
  for (const most of [1, 2, 100]) {
    expect(pagesIn(runsOf(first, last, { pageSizeBytes: 65536, most })), `${most} at once`).toEqual(
      expected.filter((pgno) => pgno !== 2 ** 30 / 65536 + 1),
    );
  }
});
