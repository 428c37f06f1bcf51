import { execFileSync } from "node:child_process";
import { existsSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import { assertSafeVersion, connect, SqliteDatabase, sqliteError } from "../../src/sqlite/driver.ts";
import { checkIntegrity } from "../../src/sqlite/integrity.ts";
import { insert, openApp, tempDatabase, tempFolder } from "../helpers/sqlite/temp-database.ts";

describe("the version of SQLite (pitfall 12)", () => {
  test.each(["3.51.3", "3.51.10", "3.52.0", "3.53.2", "4.0.0"])("%s is safe", (version) => {
    expect(() => assertSafeVersion(version)).not.toThrow();
  });
  test.each(["3.51.2", "3.50.9", "3.7.17", "3.9.2", "2.99.99", "3.51", ""])("%s is not", (version) => {
    expect(() => assertSafeVersion(version)).toThrow(
      expect.objectContaining({ code: "SQLITE_UNSUPPORTED", exitCode: 3 }),
    );
  });
});

describe("a connection", () => {
  test("begins a read without the schema, and takes the read lock by it", () => {
    const app = tempDatabase();
    insert(app);
    const connection = connect(app.name);
    expect(connection.beginRead()).toBe(true);
    expect(connection.inTransaction).toBe(true);
    expect(app.prepare("PRAGMA wal_checkpoint(RESTART)").raw().get()).toEqual([1, 1, 1]);
    connection.end();
    connection.end();
    expect(app.prepare("PRAGMA wal_checkpoint(RESTART)").raw().get()).toEqual([0, 1, 1]);
    connection.close();
  });

  test("answers with values where SQLite is busy, and keeps no transaction open", () => {
    const app = tempDatabase();
    insert(app);
    app.exec("BEGIN IMMEDIATE");
    const connection = connect(app.name);
    expect(connection.beginImmediate()).toBe(false);
    expect(connection.inTransaction).toBe(false);
    expect(connection.checkpoint("TRUNCATE").busy).toBe(true);
    connection.close();
  });

  test("does not checkpoint within its own transaction: a typed error", () => {
    const app = tempDatabase();
    const connection = connect(app.name);
    connection.beginRead();
    expect(() => connection.checkpoint("PASSIVE")).toThrow(
      expect.objectContaining({ code: "DATABASE_LOCKED" }),
    );
    connection.close();
  });

  test("works beside a schema that it cannot understand", () => {
    const app = tempDatabase();
    app.function("mine", (value: unknown) => value);
    app.exec(
      "CREATE INDEX by_mine ON t(length(body)); CREATE VIEW v AS SELECT mine(body) FROM t; CREATE TRIGGER r AFTER INSERT ON t BEGIN SELECT mine(1); END",
    );
    const connection = connect(app.name);
    expect(connection.beginRead()).toBe(true);
    connection.end();
    expect(connection.checkpoint("PASSIVE").busy).toBe(false);
    connection.close();
  });

  test("a read that cannot begin leaves no transaction open", () => {
    const app = tempDatabase();
    const connection = connect(app.name);
    // By another process: a descriptor of this one would drop the locks.
    execFileSync("dd", ["if=/dev/zero", `of=${app.name}`, "bs=16", "count=1", "conv=notrunc"], {
      stdio: "ignore",
    });
    app.exec("UPDATE t SET body = 'y' WHERE id = 1"); // so that the connection looks again
    expect(() => connection.beginRead()).toThrow(expect.objectContaining({ code: "DATABASE_NOT_SQLITE" }));
    expect(connection.inTransaction).toBe(false);
    connection.close();
  });

  test("creates nothing", () => {
    const path = join(tempFolder(), "none.db");
    expect(() => connect(path)).toThrow(expect.objectContaining({ code: "DATABASE_NOT_FOUND" }));
    expect(existsSync(path)).toBe(false);
  });

  test("removed after its file is open and before its log is: SQLite says I/O error, we say what happened", () => {
    const { name: path } = tempDatabase();
    const exec = vi.spyOn(SqliteDatabase.prototype, "exec").mockImplementationOnce(function (
      this: SqliteDatabase,
      sql: string,
    ) {
      for (const suffix of ["", "-wal", "-shm"]) rmSync(`${path}${suffix}`);
      return this.exec(sql);
    });
    onTestFinished(() => exec.mockRestore());
    expect(() => connect(path)).toThrow(
      expect.objectContaining({
        code: "DATABASE_NOT_FOUND",
        cause: expect.objectContaining({ code: "SQLITE_IOERR_FSTAT" }),
      }),
    );
  });

  test("an I/O error of a database that is there stays one", () => {
    const { name: path } = tempDatabase();
    const cause = new SqliteDatabase.SqliteError("disk I/O error", "SQLITE_IOERR_READ");
    expect(sqliteError(path, cause)).toMatchObject({ code: "DATABASE_UNREADABLE", cause });
  });
});

describe("checkIntegrity", () => {
  function closedDatabase(): string {
    const app = tempDatabase({ rows: 500 });
    app.exec("CREATE INDEX by_body ON t(body)");
    const path = app.name;
    app.close();
    return path;
  }

  test.each(["quick", "full"] as const)(
    "%s: nothing to say about a sound database, and nothing left behind",
    (level) => {
      const path = closedDatabase();
      checkIntegrity(path, level);
      expect(existsSync(`${path}-wal`) || existsSync(`${path}-shm`)).toBe(false);
    },
  );

  test("finds what is wrong", () => {
    const cut = closedDatabase();
    truncateSync(cut, 4096 * 5);
    const damaged = expect.objectContaining({ code: "INTEGRITY_DATABASE", exitCode: 5 });
    expect(() => checkIntegrity(cut, "quick")).toThrow(damaged);

    const path = closedDatabase();
    const app = openApp(path);
    app.unsafeMode(true);
    app.pragma("writable_schema=ON");
    app.exec(
      "UPDATE sqlite_schema SET rootpage = (SELECT rootpage FROM sqlite_schema WHERE name = 't') WHERE name = 'by_body'",
    );
    app.close();
    expect(() => checkIntegrity(path, "full")).toThrow(damaged);
  });

  test("a file that is no database", () => {
    const path = join(tempFolder(), "a.db");
    writeFileSync(path, "x".repeat(5000));
    expect(() => checkIntegrity(path, "quick")).toThrow(
      expect.objectContaining({ code: "DATABASE_NOT_SQLITE" }),
    );
  });
});
