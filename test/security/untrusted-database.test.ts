import { join } from "node:path";
import Database from "better-sqlite3";
import { describe, expect, test } from "vitest";
import { withDatabase } from "../../src/sqlite/driver.ts";
import { checkIntegrity } from "../../src/sqlite/integrity.ts";
import { tempFolder } from "../helpers/sqlite/temp-database.ts";

test("the settings that SQLite advises for files of others hold while it is open", () => {
  const path = join(tempFolder(), "a.db");
  new Database(path).exec("CREATE TABLE t (a)").close();
  const settings = withDatabase(path, (db) =>
    ["trusted_schema", "cell_size_check", "mmap_size"].map((name) => `${name} ${db.all(`PRAGMA ${name}`)}`),
  );
  expect(settings.slice(0, 2)).toEqual(["trusted_schema 0", "cell_size_check 1"]);
  expect(["mmap_size 0", "mmap_size "]).toContain(settings[2]);
});

/** A restored database may have been made by whoever can write to the storage: its schema is looked at, and nothing in it runs. */
describe.each(["quick", "full"] as const)("the %s check", (level) => {
  function database(sql: string): string {
    const path = join(tempFolder(), "a.db");
    const db = new Database(path);
    db.exec(sql);
    db.close();
    return path;
  }

  test.each([
    [
      "a view that never ends",
      "CREATE VIEW v AS WITH RECURSIVE r(a) AS (SELECT 1 UNION ALL SELECT a FROM r) SELECT * FROM r",
    ],
    [
      "triggers",
      "CREATE TABLE t (a); CREATE TRIGGER g AFTER INSERT ON t BEGIN SELECT load_extension('/tmp/x'); END",
    ],
    ["virtual tables", "CREATE VIRTUAL TABLE f USING fts5(a); INSERT INTO f VALUES ('text')"],
    [
      "generated columns, checks and indexes of expressions",
      "CREATE TABLE t (a CHECK (a > 0), b AS (a * 2) STORED); INSERT INTO t VALUES (1); CREATE INDEX i ON t (abs(b)) WHERE a > 0",
    ],
    [
      "functions of dates and JSON in the schema",
      "CREATE TABLE t (a CHECK (date(a) IS NOT NULL), b CHECK (json_valid(b))); INSERT INTO t VALUES ('2026-01-31', '{}')",
    ],
  ])("%s do not disturb it", (_what, sql) => {
    expect(() => checkIntegrity(database(sql), level)).not.toThrow();
  });

  test("functions that reach beyond the database are not called from its schema", () => {
    const path = database("CREATE TABLE t (a); INSERT INTO t VALUES (1)");
    const db = new Database(path);
    db.unsafeMode(true);
    db.pragma("writable_schema = ON");
    db.prepare("UPDATE sqlite_schema SET sql = ?").run(
      "CREATE TABLE t (a CHECK (load_extension('/tmp/none') IS NULL))",
    );
    db.close();
    expect(() => checkIntegrity(path, level)).toThrow(/unsafe use of load_extension|no such function/);
  });
});
