import { execFileSync } from "node:child_process";
import { copyFileSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import Database from "better-sqlite3";
import { describe, expect, test } from "vitest";
import { RollbackJournal } from "../../src/follow/rollback-journal.ts";
import { tempFolder } from "../helpers/sqlite/temp-database.ts";

const PAGES = 40;
const COUNT = "SELECT count(*) FROM t";

/** Any SQLite that may write plays a hot journal back before it reads. */
const READERS: readonly (readonly [name: string, read: (path: string) => unknown])[] = [
  [
    "better-sqlite3",
    (path) => {
      const db = new Database(path);
      db.prepare(COUNT).get();
      db.close();
    },
  ],
  [
    "Python's sqlite3",
    (path) =>
      execFileSync("python3", [
        "-c",
        `import sqlite3, sys; sqlite3.connect(sys.argv[1]).execute("${COUNT}").fetchone()`,
        path,
      ]),
  ],
];

/** A database in rollback mode of 40 pages or more. */
function aDatabase(pageSize: number): { readonly path: string; readonly bytes: Buffer } {
  const path = `${tempFolder()}/r.db`;
  const db = new Database(path);
  db.pragma(`page_size = ${pageSize}`);
  db.exec("CREATE TABLE t(v)");
  const insert = db.prepare("INSERT INTO t VALUES (randomblob(?))");
  db.transaction(() => {
    for (let i = 0; i < PAGES; i++) insert.run(pageSize);
  })();
  db.close();
  return { path, bytes: readFileSync(path) };
}

function journalOf(
  path: string,
  bytes: Buffer,
  pageSizeBytes: number,
  pgnos: readonly number[],
): RollbackJournal {
  const pagesBefore = bytes.length / pageSizeBytes;
  const options = { pageSizeBytes, pagesBefore, nonce: 0xfedcba98, mode: 0o644 };
  const journal = new RollbackJournal(`${path}-journal`, options);
  for (const pgno of pgnos) {
    journal.append(pgno, bytes.subarray((pgno - 1) * pageSizeBytes, pgno * pageSizeBytes));
  }
  return journal;
}

const ALTERED = [1, 2, 7, 8, 31];

function altered(bytes: Buffer, pageSizeBytes: number): Buffer {
  const copy = Buffer.from(bytes);
  for (const pgno of ALTERED) copy.fill(pgno, (pgno - 1) * pageSizeBytes + 100, pgno * pageSizeBytes);
  return copy;
}

describe.each(READERS)("%s", (_, read) => {
  test.each([512, 1024, 4096, 65536])("rolls back what it holds, page size %d", async (pageSize) => {
    const { path, bytes } = aDatabase(pageSize);
    const journal = journalOf(path, bytes, pageSize, ALTERED);
    await journal.finish();
    journal.close();
    writeFileSync(path, altered(bytes, pageSize));
    read(path);
    expect(readFileSync(path).equals(bytes)).toBe(true);
    expect(existsSync(`${path}-journal`)).toBe(false);
  });

  test("brings back what was cut off, and cuts what was added", async () => {
    const { path, bytes } = aDatabase(4096);
    for (const size of [bytes.length - 5 * 4096, bytes.length + 3 * 4096]) {
      const last = bytes.length / 4096;
      const journal = journalOf(path, bytes, 4096, [1, last - 4, last - 3, last - 2, last - 1, last]);
      await journal.finish();
      journal.close();
      const other = Buffer.alloc(size, 9);
      bytes.copy(other);
      writeFileSync(path, other);
      read(path);
      expect(readFileSync(path).equals(bytes)).toBe(true);
    }
  });

  test("leaves alone what is not finished", async () => {
    const { path, bytes } = aDatabase(4096);
    const journal = journalOf(path, Buffer.alloc(bytes.length, 1), 4096, ALTERED);
    journal.close();
    read(path);
    expect(readFileSync(path).equals(bytes)).toBe(true);
  });
});

test("who may only read refuses to, as long as it is hot", async () => {
  const { path, bytes } = aDatabase(4096);
  const journal = journalOf(path, bytes, 4096, ALTERED);
  await journal.finish();
  const copy = `${path}.copy`;
  copyFileSync(path, copy);
  copyFileSync(`${path}-journal`, `${copy}-journal`);
  const reader = new Database(copy, { readonly: true });
  expect(() => reader.prepare(COUNT).get()).toThrow(
    expect.objectContaining({ code: "SQLITE_READONLY_ROLLBACK" }),
  );
  reader.close();
  journal.remove();
  expect(existsSync(`${path}-journal`)).toBe(false);
});

test("more records than its buffer holds", async () => {
  const { path, bytes } = aDatabase(65536);
  const all = Array.from({ length: bytes.length / 65536 }, (_, i) => i + 1);
  const journal = journalOf(path, bytes, 65536, all);
  await journal.finish();
  journal.close();
  writeFileSync(path, Buffer.alloc(bytes.length, 3));
  READERS[0]?.[1](path);
  expect(readFileSync(path).equals(bytes)).toBe(true);
});

test("a folder that is not there", () => {
  const options = { pageSizeBytes: 4096, pagesBefore: 1, nonce: 1, mode: 0o644 };
  expect(() => new RollbackJournal(`${tempFolder()}/no/r.db-journal`, options)).toThrow(
    expect.objectContaining({ code: "LOCAL_IO" }),
  );
});
