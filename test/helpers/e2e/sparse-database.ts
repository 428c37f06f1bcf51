import { closeSync, ftruncateSync, openSync, readSync, writeSync } from "node:fs";
import Database from "better-sqlite3";
import { expect } from "vitest";
import { lockPage } from "../../../src/ltx/format.ts";

const LAST_PAGES = 50;
const NEAR_PAGES = 20;
/** SQLite never fills the last six entries of a trunk (file-format document, 1.5 "The Freelist"). */
const TRUNK_RESERVE = 8;

/**
 * A database that ends some pages behind the lock page at 1 GiB, and takes next to no room: nearly all of its pages are free, and a leaf of
 * the freelist may hold anything, so they are a hole in the file. The next pages that it gives out lie on both sides of the lock page.
 */
export function makeSparseDatabase(path: string, pageSize: number): void {
  const database = new Database(path);
  database.pragma(`page_size = ${pageSize}`);
  database.exec("CREATE TABLE notes (id INTEGER PRIMARY KEY, body BLOB NOT NULL)");
  const used = database.pragma("page_count", { simple: true }) as number;
  database.close();
  const lock = lockPage(pageSize);
  const count = lock + LAST_PAGES;
  const near = numbers(lock - NEAR_PAGES, lock - 1).concat(numbers(lock + 2, count));
  const far = numbers(used + 1, lock - NEAR_PAGES - 1);
  writeFreelist(path, {
    pageSize,
    count,
    trunks: trunksOf(lock + 1, near, far, pageSize / 4 - TRUNK_RESERVE),
  });
  const check = new Database(path);
  check.pragma("journal_mode = WAL");
  expect(check.pragma("integrity_check", { simple: true })).toBe("ok");
  check.close();
}

interface Trunk {
  readonly pgno: number;
  readonly leaves: readonly number[];
}

/** The first trunk is given out first. Further trunks are taken from the far pages themselves. */
function trunksOf(first: number, near: readonly number[], far: readonly number[], capacity: number): Trunk[] {
  const trunks: Trunk[] = [{ pgno: first, leaves: near.slice(0, capacity) }];
  for (let at = 0; at < far.length; at += capacity + 1) {
    const [pgno, ...leaves] = far.slice(at, at + capacity + 1);
    if (pgno !== undefined) trunks.push({ pgno, leaves });
  }
  return trunks;
}

function writeFreelist(
  path: string,
  {
    pageSize,
    count,
    trunks,
  }: { readonly pageSize: number; readonly count: number; readonly trunks: readonly Trunk[] },
): void {
  const file = openSync(path, "r+");
  ftruncateSync(file, count * pageSize);
  for (const [index, { pgno, leaves }] of trunks.entries()) {
    const page = Buffer.alloc(8 + leaves.length * 4);
    page.writeUInt32BE(trunks[index + 1]?.pgno ?? 0, 0);
    page.writeUInt32BE(leaves.length, 4);
    for (const [position, leaf] of leaves.entries()) page.writeUInt32BE(leaf, 8 + position * 4);
    writeSync(file, page, 0, page.length, (pgno - 1) * pageSize);
  }
  // The database header: size in pages at 28, first trunk at 32, free pages at 36; 28 counts while 92 equals the change counter at 24.
  const header = Buffer.alloc(100);
  readSync(file, header, 0, 100, 0);
  header.writeUInt32BE(count, 28);
  header.writeUInt32BE(trunks[0]?.pgno ?? 0, 32);
  header.writeUInt32BE(
    trunks.reduce((sum, { leaves }) => sum + 1 + leaves.length, 0),
    36,
  );
  header.copy(header, 92, 24, 28);
  writeSync(file, header, 0, 100, 0);
  closeSync(file);
}

function numbers(first: number, last: number): number[] {
  return Array.from({ length: last - first + 1 }, (_, index) => first + index);
}
