import { join } from "node:path";
import { fileURLToPath } from "node:url";
import Database from "better-sqlite3";
import { describe, expect, test } from "vitest";
import { VoidRun } from "../../src/bench/workload.ts";
import { writerProcess } from "../../src/bench/writer.ts";
import { tempFolder } from "../helpers/sqlite/temp-database.ts";

const writer = writerProcess(fileURLToPath(new URL("../../dist/bench-writer.js", import.meta.url)));

/** A database of the benchmarks' application, and the number of its rows. */
async function filled() {
  const path = join(tempFolder(), "restored.db");
  const { rows } = await writer.fill(path, 0.05);
  const change = (sql: string) => {
    const database = new Database(path);
    database.unsafeMode().pragma("writable_schema = ON");
    database.exec(sql);
    database.close();
  };
  return { path, rows, change };
}

describe("what was restored is judged row by row (pitfall 51)", () => {
  test("as it was written: it counts", async () => {
    const { path, rows } = await filled();
    await writer.check(path, rows);
  });

  test.each([
    ["a row is missing", "DELETE FROM rows WHERE n = 3"],
    ["the last row is missing", "DELETE FROM rows WHERE n = (SELECT max(n) FROM rows)"],
    ["a row is another one", "UPDATE rows SET text = 'x' || substr(text, 2) WHERE n = 5"],
    ["there is a row too much", "INSERT INTO rows SELECT max(n) + 1, 'more' FROM rows"],
    ["the table is gone", "DROP TABLE rows"],
    [
      "integrity_check finds something",
      "CREATE INDEX i ON rows(text); UPDATE sqlite_schema SET sql = 'CREATE INDEX i ON rows(n)' WHERE name = 'i'",
    ],
  ])("%s: void", async (_, sql) => {
    const { path, rows, change } = await filled();
    change(sql);
    await expect(writer.check(path, rows)).rejects.toBeInstanceOf(VoidRun);
  });
});
