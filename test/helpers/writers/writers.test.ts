import { join } from "node:path";
import Database from "better-sqlite3";
import { describe, expect, test, vi } from "vitest";
import { tempFolder } from "../sqlite/temp-database.ts";
import { assertPrefix } from "./assert-prefix.ts";
import { startWriter } from "./start-writer.ts";

describe("the writer and its oracle", () => {
  test("everything at once: what is acknowledged is there", async () => {
    const database = join(tempFolder(), "app.db");
    const writer = await startWriter({
      database,
      transactions: 120,
      rowsPerTransaction: 3,
      largeEvery: 50,
      largeRows: 500,
      rollbackEvery: 25,
      vacuumEvery: 40,
      cachePages: 10,
      checkpoints: ["PASSIVE", "FULL", "RESTART", "TRUNCATE"],
      checkpointEveryMs: 5,
      reopen: true,
      pageSize: 1024,
      autoVacuum: "INCREMENTAL",
    });
    const report = await writer.done();
    expect(report).toMatchObject({ transactions: 120, rows: 118 * 3 + 2 * 500, busy: 0 });
    expect(assertPrefix(database, { atLeast: writer.acknowledged(), atMost: report.rows })).toBe(report.rows);
  });

  test("goes on where it was killed", async () => {
    const database = join(tempFolder(), "app.db");
    const first = await startWriter({ database });
    await vi.waitUntil(() => first.acknowledged() > 20, { timeout: 30_000, interval: 1 });
    await first.kill();
    const rows = assertPrefix(database, { atLeast: first.acknowledged() });
    const second = await startWriter({ database, transactions: 5 });
    await second.done();
    expect(assertPrefix(database)).toBe(rows + 5);
  });

  test("a writer that cannot start says why", async () => {
    await expect(startWriter({ database: join(tempFolder(), "no", "app.db") })).rejects.toThrow(
      /unable to open/,
    );
  });

  const damages: readonly (readonly [name: string, sql: string])[] = [
    ["a row is missing", "DELETE FROM log WHERE seq = 7"],
    ["the last row is missing", "DELETE FROM log WHERE seq = 20"],
    ["another content", "UPDATE log SET body = body || '!' WHERE seq = 3"],
    ["a row twice", "INSERT INTO log(seq, body) SELECT seq, body FROM log WHERE seq = 20"],
    ["two transactions mixed", "UPDATE last SET seq = 19"],
  ];
  test.each(damages)("the oracle notices: %s", async (_, sql) => {
    const database = join(tempFolder(), "app.db");
    await (await startWriter({ database, transactions: 20 })).done();
    expect(assertPrefix(database, { atLeast: 20 })).toBe(20);
    expect(() => assertPrefix(database, { atLeast: 21 })).toThrow();
    expect(() => assertPrefix(database, { atMost: 19 })).toThrow();
    const db = new Database(database);
    db.exec(sql);
    db.close();
    expect(() => assertPrefix(database)).toThrow();
  });
});
