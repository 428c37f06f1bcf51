import { mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, expect, test } from "vitest";
import { PageTable } from "../../src/shadow/page-table.ts";

const folder = mkdtempSync(join(tmpdir(), "walrust-page-table-"));
afterAll(() => rmSync(folder, { recursive: true }));

const FLAG = 1n << 63n;
let files = 0;
const newPath = () => join(folder, `table-${files++}`);

function entries(values: readonly bigint[]): Uint8Array {
  return new Uint8Array(BigUint64Array.from(values).buffer);
}

function readValues(table: PageTable, pgnoFrom: number, count: number): bigint[] {
  const values = new BigUint64Array(count);
  table.read(pgnoFrom, count, new Uint8Array(values.buffer));
  return [...values];
}

test("what was written is read back, also by another who opens it after a sync", async () => {
  const path = newPath();
  const table = PageTable.create(path, 4096);
  table.write(511, 3, entries([1n, 2n, FLAG | 3n]));
  expect(readValues(table, 510, 5)).toEqual([0n, 1n, 2n, FLAG | 3n, 0n]);
  expect(table.pages).toBe(513);
  await table.sync();
  table.close();
  expect(statSync(path).size).toBe(16 + 513 * 8);

  const again = PageTable.open(path, { readonly: true });
  expect(again?.pageSizeBytes).toBe(4096);
  expect(again?.pages).toBe(513);
  expect(again && readValues(again, 511, 3)).toEqual([1n, 2n, FLAG | 3n]);
  again?.close();
});

test("closing drops what was not synced", async () => {
  const path = newPath();
  const table = PageTable.create(path, 512);
  table.write(1, 1, entries([5n]));
  await table.sync();
  table.write(1, 1, entries([6n]));
  table.close();
  const again = PageTable.open(path);
  expect(again && readValues(again, 1, 1)).toEqual([5n]);
  again?.close();
});

test.each([
  ["a missing file", undefined],
  ["an empty file", Buffer.alloc(0)],
  ["half a header", Buffer.from("WRPT")],
  ["another magic", Buffer.from("WRPX\x01\0\0\0\0\x10\0\0\0\0\0\0")],
  ["another version", Buffer.from("WRPT\x02\0\0\0\0\x10\0\0\0\0\0\0")],
])("%s is no table", (_what, bytes) => {
  const path = newPath();
  if (bytes) writeFileSync(path, bytes);
  expect(PageTable.open(path)).toBeUndefined();
});

test("a folder in its place is an error", () => {
  expect(() => PageTable.create(folder, 512)).toThrowError(expect.objectContaining({ code: "LOCAL_IO" }));
  for (const readonly of [true, false]) {
    expect(() => PageTable.open(folder, { readonly })).toThrowError(
      expect.objectContaining({ code: "LOCAL_IO" }),
    );
  }
});

test("the checksum leaves out the lock page and always has bit 63", () => {
  const table = PageTable.create(newPath(), 65536);
  expect(table.checksum()).toBe(FLAG);
  const lockPage = 0x40000000 / 65536 + 1;
  table.write(lockPage - 1, 3, entries([FLAG | 1n, FLAG | 2n, FLAG | 4n]));
  expect(table.checksum()).toBe(FLAG | 5n);
  table.write(1, 1, entries([FLAG | (1n << 40n)]));
  expect(table.checksum()).toBe(FLAG | (1n << 40n) | 5n);
  table.close();
});

const operation = fc.oneof(
  fc.record({
    kind: fc.constant("write" as const),
    pgno: fc.integer({ min: 1, max: 90_000 }),
    values: fc.array(fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), { minLength: 1, maxLength: 40 }),
  }),
  fc.record({ kind: fc.constant("truncate" as const), pages: fc.nat(90_000) }),
  fc.record({
    kind: fc.constant("read" as const),
    pgno: fc.integer({ min: 1, max: 90_000 }),
    count: fc.integer({ min: 1, max: 1200 }),
  }),
  fc.record({ kind: fc.constant("checksum" as const) }),
  fc.record({ kind: fc.constant("reopen" as const) }),
);

test("more than it keeps in memory: what leaves it is written, and nothing of it shows up elsewhere", () => {
  const table = PageTable.create(newPath(), 512);
  const [windows, inWindow] = [1600, 64];
  for (let i = 0; i < windows; i += 1)
    table.write(i * inWindow + 1 + (i % inWindow), 1, entries([FLAG | BigInt(i)]));
  for (let i = 0; i < windows; i += 1) {
    const values = readValues(table, i * inWindow + 1, inWindow);
    expect(values.flatMap((value, at) => (value === 0n ? [] : [[at, value]]))).toEqual([
      [i % inWindow, FLAG | BigInt(i)],
    ]);
  }
  expect(readValues(table, windows * inWindow + 1, inWindow).every((value) => value === 0n)).toBe(true);
  table.close();
});

test("random use, against a Map", async () => {
  const path = newPath();
  await fc.assert(
    fc.asyncProperty(fc.array(operation, { maxLength: 150, size: "max" }), async (operations) => {
      const model = new Map<number, bigint>();
      let pages = 0;
      let table = PageTable.create(path, 4096);
      try {
        for (const step of operations) {
          if (step.kind === "write") {
            table.write(step.pgno, step.values.length, entries(step.values));
            pages = Math.max(pages, step.pgno + step.values.length - 1);
            step.values.forEach((value, i) => {
              model.set(step.pgno + i, value);
            });
          } else if (step.kind === "truncate") {
            table.truncate(step.pages);
            pages = Math.min(pages, step.pages);
            for (const pgno of model.keys()) if (pgno > step.pages) model.delete(pgno);
          } else if (step.kind === "read") {
            const expected = Array.from({ length: step.count }, (_, i) => model.get(step.pgno + i) ?? 0n);
            expect(readValues(table, step.pgno, step.count)).toEqual(expected);
          } else if (step.kind === "checksum") {
            const expected = [...model.values()].reduce((sum, value) => sum ^ value, 0n) | FLAG;
            expect(table.checksum()).toBe(expected);
          } else {
            await table.sync();
            table.close();
            const again = PageTable.open(path);
            if (again === undefined) throw new Error("the table is gone");
            table = again;
          }
          expect(table.pages).toBe(pages);
        }
      } finally {
        table.close();
      }
    }),
    { numRuns: 60 },
  );
});
