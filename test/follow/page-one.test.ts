import { readFileSync, writeFileSync } from "node:fs";
import Database from "better-sqlite3";
import { describe, expect, test } from "vitest";
import {
  counterOf,
  disguise,
  isDisguised,
  isRollbackMode,
  nextCounter,
  type PageOne,
  sourceFieldsOf,
  undisguise,
} from "../../src/follow/page-one.ts";
import { tempDatabase } from "../helpers/sqlite/temp-database.ts";

/** Page 1 of a database in WAL mode, and its file. */
function aPage(): { readonly path: string; readonly page: Buffer } {
  const app = tempDatabase();
  app.close();
  return { path: app.name, page: readFileSync(app.name).subarray(0, 4096) };
}

const pageOneOf = (page: Uint8Array, counter: number): PageOne => ({
  sourceFields: sourceFieldsOf(page),
  counter,
  checksum: 0n,
});

describe("a disguise", () => {
  test.each([0, 1, 77, 2 ** 32 - 1])("with counter %d comes off again, bit for bit", (counter) => {
    const { page } = aPage();
    const copy = Buffer.from(page);
    const pageOne = pageOneOf(page, counter);
    disguise(copy, pageOne);
    expect(isDisguised(copy, pageOne)).toBe(true);
    expect(isRollbackMode(copy)).toBe(true);
    expect(counterOf(copy)).toBe(counter);
    expect(isDisguised(copy, { ...pageOne, counter: nextCounter(counter) })).toBe(false);
    undisguise(copy, pageOne);
    expect(copy.equals(page)).toBe(true);
    expect(isRollbackMode(copy)).toBe(false);
  });

  test("makes SQLite read without a log, and notice the size that counts", () => {
    const { path, page } = aPage();
    const bytes = readFileSync(path);
    disguise(bytes, pageOneOf(page, 5));
    writeFileSync(path, bytes);
    const db = new Database(path, { readonly: true });
    expect(db.pragma("journal_mode", { simple: true })).toBe("delete");
    expect(db.pragma("integrity_check", { simple: true })).toBe("ok");
    db.close();
  });

  test.each([
    ["counts at the source", 9, true],
    ["does not count at the source", 8, false],
  ])("the size in the header that %s does the same here", (_, validFor, counts) => {
    const { page } = aPage();
    page.writeUInt32BE(9, 24);
    page.writeUInt32BE(validFor, 92);
    disguise(page, pageOneOf(page, 2 ** 32 - 1));
    expect(page.readUInt32BE(24) === page.readUInt32BE(92)).toBe(counts);
  });

  test.each([18, 19, 24, 27, 92, 95])("byte %d changed by somebody else shows", (at) => {
    const { page } = aPage();
    const pageOne = pageOneOf(page, 3);
    disguise(page, pageOne);
    page[at] = (page[at] ?? 0) ^ 1;
    expect(isDisguised(page, pageOne)).toBe(false);
  });
});

test("the counter is never the same twice in a row", () => {
  expect([0, 1, 2 ** 32 - 1].map(nextCounter)).toEqual([1, 2, 0]);
});
