import fc from "fast-check";
import { expect, test } from "vitest";
import { PageMarks } from "../../src/ltx/page-marks.ts";

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

test("what is cleared, and what lies beyond the end, is in no run", () => {
  const marks = new PageMarks(13);
  for (const pgno of [1, 7, 8, 9, 13, 14, 15, 400]) marks.set(pgno);
  for (const pgno of [7, 9, 2, 400]) marks.clear(pgno);
  expect(pagesIn(marks.runs(40))).toEqual([1, 8, 13]);
});
