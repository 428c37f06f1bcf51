import { readdirSync, readFileSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, test } from "vitest";
import type { DecodedLtx, PageBatch } from "../../src/ltx/decoder.ts";
import { CHECKSUM_FLAG, type LtxHeader, lockPage } from "../../src/ltx/format.ts";
import { StagedDatabase } from "../../src/restore/staged-database.ts";
import { tempFolder } from "../helpers/sqlite/temp-database.ts";

const PAGE_SIZE = 65536;

function headerOf(minTxid: bigint, commit: number, fields: Partial<LtxHeader> = {}): LtxHeader {
  return {
    flags: 0,
    pageSizeBytes: PAGE_SIZE,
    commit,
    minTxid,
    maxTxid: minTxid,
    timestampMs: 0,
    preApply: 0n,
    walOffset: 0n,
    walSize: 0n,
    walSalt1: 0,
    walSalt2: 0,
    nodeId: 0n,
    bodyChecksum: 0n,
    ...fields,
  };
}

function batchOf(pages: ReadonlyArray<readonly [pgno: number, checksum: bigint]>): PageBatch {
  const bytes = new Uint8Array(pages.length * PAGE_SIZE);
  pages.forEach(([pgno], row) => {
    bytes.fill(pgno & 0xff, row * PAGE_SIZE, (row + 1) * PAGE_SIZE);
  });
  return {
    count: pages.length,
    pgnos: Uint32Array.from(pages, ([pgno]) => pgno),
    pages: bytes,
    checksums: new Uint8Array(BigUint64Array.from(pages, ([, checksum]) => CHECKSUM_FLAG | checksum).buffer),
  };
}

function decodedOf(header: LtxHeader, postApply: bigint): DecodedLtx {
  const trailer = { postApply: CHECKSUM_FLAG | postApply, fileChecksum: CHECKSUM_FLAG };
  return { header, trailer, sizeBytes: 0, bodySha256: "", pageCount: 0 };
}

function staged(): StagedDatabase {
  return new StagedDatabase(join(tempFolder(), "staged"));
}

describe("the lock page", () => {
  const lock = lockPage(PAGE_SIZE);

  test("pages around it do not hide that those before are missing", () => {
    const database = staged();
    const first = headerOf(1n, 1);
    database.begin(first, "a");
    database.apply(batchOf([[1, 1n]]));
    database.end(decodedOf(first, 1n), "a");
    const second = headerOf(2n, lock + 1, { flags: 2 });
    database.begin(second, "b");
    const around = batchOf([
      [lock - 1, 2n],
      [lock + 1, 4n],
    ]);
    expect(() => database.apply(around)).toThrowError(/without page 2$/);
    expect(statSync(database.path).size).toBe(PAGE_SIZE);
    database.discard();
  });

  test("as the last one makes the file long enough", () => {
    const database = staged();
    const header = headerOf(1n, lock, { flags: 2 });
    database.begin(header, "a");
    for (let pgno = 1; pgno < lock; pgno += 1000) {
      const count = Math.min(1000, lock - pgno);
      const checksums = new BigUint64Array(count).fill(CHECKSUM_FLAG | 1n);
      const row = { count, pgnos: Uint32Array.from({ length: count }, (_, i) => pgno + i) };
      // Only the first page has bytes: the file stays sparse.
      database.apply({
        ...row,
        pages: new Uint8Array(pgno === 1 ? PAGE_SIZE : 0),
        checksums: new Uint8Array(checksums.buffer),
      });
    }
    database.end(decodedOf(header, 0n), "a");
    expect(statSync(database.path).size).toBe(lock * PAGE_SIZE);
    expect(database.sizeBytes).toBe(lock * PAGE_SIZE);
    database.discard();
  });
});

test("scattered pages go where they belong, and checksums follow", () => {
  const database = staged();
  const snapshot = headerOf(1n, 5);
  database.begin(snapshot, "a");
  database.apply(
    batchOf([
      [1, 1n],
      [2, 2n],
      [3, 4n],
    ]),
  );
  database.apply(
    batchOf([
      [4, 8n],
      [5, 16n],
    ]),
  );
  database.end(decodedOf(snapshot, 31n), "a");
  expect(database.checksum).toBe(CHECKSUM_FLAG | 31n);

  const shrink = headerOf(2n, 3, { preApply: CHECKSUM_FLAG | 31n });
  database.begin(shrink, "b");
  database.apply(
    batchOf([
      [1, 32n],
      [3, 64n],
    ]),
  );
  database.end(decodedOf(shrink, 32n | 2n | 64n), "b");
  expect(statSync(database.path).size).toBe(3 * PAGE_SIZE);

  const grow = headerOf(3n, 5, { preApply: CHECKSUM_FLAG | 98n });
  database.begin(grow, "c");
  database.apply(batchOf([[4, 1n]]));
  expect(() => database.end(decodedOf(grow, 99n), "c")).toThrowError(/without page 5/);
  const bytes = readFileSync(database.path);
  expect([0, 1, 2, 3].map((page) => bytes[page * PAGE_SIZE])).toEqual([1, 2, 3, 4]);
  database.discard();
  expect(readdirSync(dirname(database.path))).toEqual([]);
});

describe("what does not follow is refused", () => {
  const begun = () => {
    const database = staged();
    const header = headerOf(1n, 1);
    database.begin(header, "a");
    database.apply(batchOf([[1, 1n]]));
    database.end(decodedOf(header, 1n), "a");
    return database;
  };

  test.each<[string, LtxHeader]>([
    ["another pre-apply checksum", headerOf(2n, 1, { preApply: CHECKSUM_FLAG | 2n })],
    ["another page size", headerOf(2n, 1, { preApply: CHECKSUM_FLAG | 1n, pageSizeBytes: 4096 })],
    ["a snapshot", headerOf(1n, 1)],
  ])("%s", (_what, header) => {
    const database = begun();
    expect(() => database.begin(header, "b")).toThrowError(
      expect.objectContaining({ code: "INTEGRITY_CHAIN" }),
    );
    database.discard();
  });

  test("an incremental at the beginning", () => {
    const database = staged();
    expect(() => database.begin(headerOf(2n, 1), "a")).toThrowError(
      expect.objectContaining({ code: "INTEGRITY_CHAIN" }),
    );
    database.discard();
  });

  test("another post-apply checksum", () => {
    const database = begun();
    const header = headerOf(2n, 1, { preApply: CHECKSUM_FLAG | 1n });
    database.begin(header, "b");
    expect(() => database.end(decodedOf(header, 2n), "b")).toThrowError(
      expect.objectContaining({ code: "INTEGRITY_CHAIN" }),
    );
    database.discard();
  });
});
