import fc from "fast-check";
import { expect, test } from "vitest";
import { PageMarks } from "../../src/follow/page-marks.ts";
import { runsOf } from "../../src/follow/page-set.ts";

const pagesIn = (runs: Iterable<{ readonly pgno: number; readonly count: number }>) =>
  [...runs].flatMap(({ pgno, count }) => Array.from({ length: count }, (_, i) => pgno + i));

test("runs hold what was marked, ascending, in pieces of the given size", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 300 }).chain((pages) =>
        fc.record({
          pages: fc.constant(pages),
          marked: fc.uniqueArray(fc.integer({ min: 1, max: pages })),
          most: fc.integer({ min: 1, max: 40 }),
        }),
      ),
      ({ pages, marked, most }) => {
        const marks = new PageMarks(pages);
        for (const pgno of marked) marks.set(pgno);
        const runs = [...marks.runs(most)];
        expect(pagesIn(runs)).toEqual([...marked].sort((a, b) => a - b));
        expect(runs.every(({ count }) => count <= most)).toBe(true);
      },
    ),
  );
});

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
