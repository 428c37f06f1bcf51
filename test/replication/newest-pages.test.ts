import { describe, expect, test } from "vitest";
import { FrameFinder, newestPages, newPageCount } from "../../src/replication/newest-pages.ts";
import type { FrameRun } from "../../src/replication/pending-frames.ts";
import { PageMap } from "../../src/wal/page-map.ts";
import { GrowingLog, PAGE_SIZE } from "../helpers/replication/frame-runs.ts";
import { testCore } from "../helpers/sqlite/probe.ts";

async function pagesOf(runs: readonly FrameRun[]): Promise<(readonly [pgno: number, ordinal: number])[]> {
  const pages: (readonly [number, number])[] = [];
  for await (const { rows, count } of newestPages(new PageMap(testCore()), runs))
    for (let i = 0; i < count; i += 1) pages.push([rows[i * 2] ?? 0, rows[i * 2 + 1] ?? 0]);
  return pages;
}

test("the newest version of each page over runs of two generations", async () => {
  const runs = [
    new GrowingLog().run(0n, [[1, 2, 3], [2]]),
    new GrowingLog({ sequence: 1, salt1: 9 }).run(2n, [[3], [5, 1]]),
  ];
  expect(await pagesOf(runs)).toEqual([
    [1, 6],
    [2, 3],
    [3, 4],
    [5, 5],
  ]);
});

test("pages beyond the last commit's size are dropped, even if they were committed before", async () => {
  const log = new GrowingLog();
  const runs = [log.run(0n, [[1, 7, 8]], 8), log.run(1n, [[1, 3]], 7)];
  expect((await pagesOf(runs)).map(([pgno]) => pgno)).toEqual([1, 3, 7]);
});

test("no runs, no pages", async () => {
  expect(await pagesOf([])).toEqual([]);
});

test("a frame's page is found by its ordinal, in any order", () => {
  const runs = [
    new GrowingLog().run(0n, [[1, 2]]),
    new GrowingLog({ sequence: 1, salt1: 9 }).run(1n, [[3], [4]]),
    new GrowingLog({ sequence: 2, salt1: 10 }).run(3n, [[5]]),
  ];
  const page = new Uint8Array(PAGE_SIZE);
  const finder = new FrameFinder(runs);
  const fills = [0, 4, 1, 3, 2, 2, 0].map((ordinal) => {
    finder.readPage(ordinal, page);
    return page[0];
  });
  expect(fills).toEqual([1, 5, 2, 4, 3, 3, 1]);
  expect(() => finder.readPage(5, page)).toThrow();
});

describe("pages that must come when a database grows", () => {
  const lock4096 = 0x40000000 / 4096 + 1;
  test.each([
    [10, 10, 0],
    [10, 5, 0],
    [10, 12, 2],
    [0, 3, 3],
    [lock4096 - 2, lock4096 - 1, 1],
    [lock4096 - 1, lock4096, 0],
    [lock4096 - 1, lock4096 + 1, 1],
    [lock4096, lock4096 + 1, 1],
  ])("from %d to %d pages: %d", (before, after, count) => {
    expect(newPageCount(before, after, 4096)).toBe(count);
  });
});
