import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { PageMap, type PageMapOptions } from "../../src/wal/page-map.ts";
import { Core, compileCore } from "../../src/wasm/core.ts";
import { CORE_WASM_BASE64 as DEBUG } from "../../src/wasm/generated/debug.ts";
import { CORE_WASM_BASE64 as RELEASE } from "../../src/wasm/generated/release.ts";
import { PAGE_MAP_SLOTS, ROWS_CAPACITY } from "../../src/wasm/layout.ts";

const PAGE_SIZE = 512;
const FRAME_SIZE = 24 + PAGE_SIZE;
const LOCK_PAGE = 0x40000000 / PAGE_SIZE + 1;

type Row = readonly [pgno: number, ordinal: number];

/** Frames of which only the page numbers exist. */
function readFrames(pgnos: ArrayLike<number>, start: number) {
  return (into: Uint8Array, offset: number) => {
    const view = new DataView(into.buffer, into.byteOffset, into.length);
    for (let at = 0; at < into.length; at += FRAME_SIZE)
      view.setUint32(at, pgnos[(offset - start + at) / FRAME_SIZE] ?? 0);
    return into.length;
  };
}

/** The slow way: one Map. */
function oracle(pgnos: ArrayLike<number>, firstOrdinal: number, commitPages: number): Row[] {
  const newest = new Map<number, number>();
  Array.from(pgnos).forEach((pgno, i) => {
    if (pgno <= commitPages && pgno !== LOCK_PAGE) newest.set(pgno, firstOrdinal + i);
  });
  return [...newest].sort(([a], [b]) => a - b);
}

describe.each([
  ["release", RELEASE],
  ["debug", DEBUG],
])("%s", (_build, wasm) => {
  const map = new PageMap(new Core(compileCore(wasm)));

  /** All windows, one after the other, and how many there were. */
  function mapAll(
    pgnos: ArrayLike<number>,
    options: Partial<PageMapOptions> = {},
    firstOrdinal = 0,
    slice = pgnos.length,
  ) {
    const rows: Row[] = [];
    let windows = 0;
    for (let fromPgno: number | undefined = 1; fromPgno !== undefined; windows++) {
      map.begin({
        fromPgno,
        commitPages: 2 ** 32 - 2,
        pageSizeBytes: PAGE_SIZE,
        expectedFrames: pgnos.length,
        ...options,
      });
      for (let at = 0; at < pgnos.length; at += slice) {
        const read = readFrames(pgnos, 32);
        map.addFrames(read, 32 + at * FRAME_SIZE, Math.min(slice, pgnos.length - at), firstOrdinal + at);
      }
      const window = map.finish();
      for (let i = 0; i < window.count; i++)
        rows.push([window.rows[2 * i] ?? -1, window.rows[2 * i + 1] ?? -1]);
      fromPgno = window.nextPgno;
    }
    return { rows, windows };
  }

  test("nothing", () => {
    expect(mapAll([])).toEqual({ rows: [], windows: 1 });
  });

  test("the newest frame of a page wins", () => {
    expect(mapAll([7, 3, 7, 7, 1], {}, 100).rows).toEqual([
      [1, 104],
      [3, 101],
      [7, 103],
    ]);
  });

  test("pages beyond the end and the lock page are dropped, the last page and those beside the lock page stay", () => {
    const pgnos = [9, LOCK_PAGE - 1, LOCK_PAGE, LOCK_PAGE + 1, 2 ** 32 - 1];
    expect(mapAll(pgnos, { commitPages: LOCK_PAGE + 1 }).rows.map(([pgno]) => pgno)).toEqual([
      9,
      LOCK_PAGE - 1,
      LOCK_PAGE + 1,
    ]);
    expect(mapAll(pgnos, { commitPages: LOCK_PAGE }).rows.map(([pgno]) => pgno)).toEqual([9, LOCK_PAGE - 1]);
    expect(mapAll([10, 9, 8], { commitPages: 9 }).rows.map(([pgno]) => pgno)).toEqual([8, 9]);
  });

  test("random frames, in slices, with room for too few", () => {
    const inputs = fc.record({
      pgnos: fc.array(
        fc.oneof(
          fc.integer({ min: 1, max: 400 }),
          fc.constant(LOCK_PAGE),
          fc.integer({ min: 1, max: 2 ** 32 - 1 }),
        ),
        {
          maxLength: 700,
          size: "max",
        },
      ),
      commitPages: fc.oneof(fc.integer({ min: 0, max: 500 }), fc.constant(2 ** 32 - 2)),
      expectedFrames: fc.constantFrom(0, 64, 200, 5000),
      firstOrdinal: fc.nat(1000),
      slice: fc.integer({ min: 1, max: 300 }),
    });
    fc.assert(
      fc.property(inputs, ({ pgnos, commitPages, expectedFrames, firstOrdinal, slice }) => {
        const { rows } = mapAll(pgnos, { commitPages, expectedFrames }, firstOrdinal, slice);
        expect(rows).toEqual(oracle(pgnos, firstOrdinal, commitPages));
      }),
    );
  });

  test.each([
    ["ascending", (i: number, n: number) => (i % n) + 1],
    ["descending", (i: number, n: number) => n - (i % n)],
    ["scattered", (i: number, n: number) => ((i * 48_271) % n) + 1],
    ["at the distance of the hash's slots", (i: number, n: number) => (i % n) * PAGE_MAP_SLOTS + 1],
  ])("more pages than fit, %s: several windows, each exact", (order, pgnoOf) => {
    const pages = order.startsWith("at") ? 30_000 : 2 * ROWS_CAPACITY + 17;
    const pgnos = Uint32Array.from({ length: pages + 1000 }, (_, i) => pgnoOf(i, pages));
    const { rows, windows } = mapAll(pgnos);
    expect(rows).toEqual(oracle(pgnos, 0, 2 ** 32 - 2));
    if (pages > ROWS_CAPACITY) expect(windows).toBeGreaterThan(2);
    expect(windows).toBeLessThanOrEqual(5);
  });

  test("exactly as many pages as fit need one window", () => {
    const pgnos = Uint32Array.from({ length: ROWS_CAPACITY }, (_, i) => i + 1);
    expect(mapAll(pgnos).windows).toBe(1);
  });
});
