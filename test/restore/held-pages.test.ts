import { closeSync, openSync, readFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { expect, onTestFinished, test } from "vitest";
import { HeldPages } from "../../src/restore/held-pages.ts";
import { tempFolder } from "../helpers/sqlite/temp-database.ts";

const SIZE = 65536;
/** Pages of this size that are held at once. */
const CAPACITY = 128;

function newFile() {
  const path = join(tempFolder(), "staged");
  const fd = openSync(path, "wx+");
  onTestFinished(() => closeSync(fd));
  const held = new HeldPages(fd, SIZE);
  return { fd, held, first: () => [...readFileSync(path)].filter((_, at) => at % SIZE === 0) };
}

const page = (value: number, count = 1) => new Uint8Array(SIZE * count).fill(value);

test("nothing is in the file before the flush, and then the last version of each page", () => {
  const { held, first } = newFile();
  held.put(3, page(3));
  held.put(1, page(9));
  held.put(1, page(1, 2));
  expect(first()).toEqual([]);
  held.flush();
  expect(first()).toEqual([1, 1, 3]);
  held.put(2, page(2));
  held.flush();
  expect(first()).toEqual([1, 2, 3]);
});

test("what was put is a copy", () => {
  const { held, first } = newFile();
  const bytes = page(1);
  held.put(1, bytes);
  bytes.fill(2);
  held.flush();
  expect(first()).toEqual([1]);
});

test("dropped pages are not written, neither a few nor most", () => {
  const { held, fd, first } = newFile();
  held.put(1, page(1, 6));
  writeSync(fd, page(7, 2), 0, 2 * SIZE, SIZE);
  held.drop(2, 3);
  held.drop(5, 2 ** 32 - 1);
  held.flush();
  expect(first()).toEqual([1, 7, 7, 1]);
});

test("more pages than are held at once go to the file in between", () => {
  const { held, first } = newFile();
  for (let pgno = CAPACITY + 20; pgno > 0; pgno -= 1) held.put(pgno, page(pgno & 0xff));
  expect(first().length).toBe(CAPACITY + 20);
  held.flush();
  expect(first()).toEqual(Array.from({ length: CAPACITY + 20 }, (_, at) => (at + 1) & 0xff));
});

test("any order of puts, drops and flushes", () => {
  const step = fc.oneof(
    fc.record({ kind: fc.constant("put"), pgno: fc.integer({ min: 1, max: 20 }), value: fc.nat(255) }),
    fc.record({ kind: fc.constant("drop"), pgno: fc.integer({ min: 1, max: 20 }), value: fc.nat(30) }),
    fc.record({ kind: fc.constant("flush"), pgno: fc.constant(0), value: fc.constant(0) }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
      const { held, first } = newFile();
      const inFile: number[] = [];
      const waiting = new Map<number, number>();
      const flush = () => {
        held.flush();
        for (const [pgno, value] of waiting) {
          while (inFile.length < pgno) inFile.push(0);
          inFile[pgno - 1] = value;
        }
        waiting.clear();
      };
      for (const { kind, pgno, value } of steps) {
        if (kind === "flush") flush();
        else if (kind === "put") {
          held.put(pgno, page(value));
          waiting.set(pgno, value);
        } else {
          held.drop(pgno, pgno + value);
          for (let at = pgno; at <= pgno + value; at += 1) waiting.delete(at);
        }
      }
      flush();
      expect(first()).toEqual(inFile);
    }),
    { numRuns: 50 },
  );
});
