import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { TableChanges } from "../../src/shadow/table-changes.ts";
import { tempFolder } from "../helpers/sqlite/temp-database.ts";

const u64 = (values: readonly bigint[]) => new Uint8Array(BigUint64Array.from(values).buffer);

function rowsOf(changes: TableChanges): (readonly [number, bigint])[] {
  const rows: (readonly [number, bigint])[] = [];
  changes.forEach((pgno, checksum) => {
    rows.push([pgno, Buffer.from(checksum).readBigUInt64LE()]);
  });
  return rows;
}

test("keeps the rows that differ, with bit 63 and all", () => {
  const changes = new TableChanges(join(tempFolder(), "changes"));
  const before = u64([1n, 2n, 0n, 2n ** 63n]);
  const after = u64([1n, 2n ** 64n - 1n, 2n ** 63n, 2n ** 63n]);
  changes.append(Uint32Array.of(5, 6, 2 ** 32 - 1, 8), before, after, 4);
  expect(rowsOf(changes)).toEqual([
    [6, 2n ** 64n - 1n],
    [2 ** 32 - 1, 2n ** 63n],
  ]);
  expect(rowsOf(changes), "again").toHaveLength(2);
});

test("looks at no more rows than it is told", () => {
  const changes = new TableChanges(join(tempFolder(), "changes"));
  changes.append(Uint32Array.of(1, 2), u64([0n, 0n]), u64([1n, 2n]), 1);
  expect(rowsOf(changes)).toEqual([[1, 1n]]);
});

// 4096 rows stay in memory
test.each([
  [64, false],
  [65, false],
  [4096, false],
  [4097, true],
  [8192, true],
  [30_001, true],
])("%d rows come back in their order (on disk: %s)", (count, onDisk) => {
  const folder = tempFolder();
  const path = join(folder, "changes");
  const changes = new TableChanges(path);
  const rows = Array.from({ length: count }, (_, i) => [i + 1, BigInt(i) * 3n + 2n ** 63n] as const);
  for (let at = 0; at < count; at += 1000) {
    const batch = rows.slice(at, at + 1000);
    const pgnos = Uint32Array.from(batch, ([pgno]) => pgno);
    changes.append(pgnos, new Uint8Array(batch.length * 8), u64(batch.map(([, sum]) => sum)), batch.length);
  }
  expect(existsSync(path)).toBe(onDisk);
  const got = rowsOf(changes);
  expect(got.length).toBe(count);
  expect(got.every(([pgno, sum], i) => pgno === rows[i]?.[0] && sum === rows[i]?.[1])).toBe(true);
  changes.discard();
  expect(readdirSync(folder)).toEqual([]);
});

test("a full disk: LOCAL_DISK_FULL", () => {
  const changes = new TableChanges("/dev/full");
  const pgnos = Uint32Array.from({ length: 4097 }, (_, i) => i + 1);
  const after = u64(Array.from({ length: 4097 }, () => 1n));
  expect(() => changes.append(pgnos, new Uint8Array(after.length), after, 4097)).toThrow(
    expect.objectContaining({ code: "LOCAL_DISK_FULL" }),
  );
});

test("a folder that is gone: LOCAL_IO", () => {
  const changes = new TableChanges(join(tempFolder(), "gone", "changes"));
  const pgnos = Uint32Array.from({ length: 4097 }, (_, i) => i + 1);
  const after = u64(Array.from({ length: 4097 }, () => 1n));
  expect(() => changes.append(pgnos, new Uint8Array(after.length), after, 4097)).toThrow(
    expect.objectContaining({ code: "LOCAL_IO" }),
  );
});
