import { chmodSync, mkdirSync, renameSync, rmSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import Database from "better-sqlite3";
import { describe, expect, test } from "vitest";
import { systemClock } from "../../src/clock.ts";
import { connect } from "../../src/sqlite/driver.ts";
import { inspectDatabase } from "../../src/sqlite/inspect.ts";
import { DatabaseLink } from "../../src/sqlite/link.ts";
import { databasePaths } from "../../src/sqlite/paths.ts";
import { logHeader, openLink, Probe } from "../helpers/sqlite/probe.ts";
import { insert, tempDatabase, tempFolder } from "../helpers/sqlite/temp-database.ts";

function walFile(folder: string, pageSize = 4096): string {
  const path = join(folder, "app.db");
  const app = new Database(path);
  app.pragma(`page_size=${pageSize}`);
  app.pragma("journal_mode=WAL");
  app.exec("CREATE TABLE t(id INTEGER PRIMARY KEY, body TEXT)");
  app.close();
  return path;
}

interface RefusedCase {
  readonly name: string;
  readonly make: (folder: string) => string;
  readonly code: string;
  readonly says: RegExp;
  readonly hint?: RegExp;
}

const REFUSED: readonly RefusedCase[] = [
  {
    name: "missing",
    make: (folder) => join(folder, "none.db"),
    code: "DATABASE_NOT_FOUND",
    says: /none\.db: there is no such/,
  },
  {
    name: "in a missing folder",
    make: (folder) => join(folder, "x", "a.db"),
    code: "DATABASE_NOT_FOUND",
    says: /a\.db/,
  },
  {
    name: "a folder",
    make: (folder) => folder,
    code: "DATABASE_UNREADABLE",
    says: /is a folder/,
    hint: /pattern/,
  },
  { name: "no file", make: () => "/dev/null", code: "DATABASE_UNREADABLE", says: /no regular file/ },
  {
    name: "empty",
    make: (folder) => text(folder, ""),
    code: "DATABASE_NOT_WAL",
    says: /is empty/,
    hint: /PRAGMA journal_mode=WAL/,
  },
  {
    name: "too short",
    make: (folder) => text(folder, "SQLite format 3\0"),
    code: "DATABASE_NOT_SQLITE",
    says: /is not an SQLite/,
  },
  {
    name: "text",
    make: (folder) => text(folder, "x".repeat(5000)),
    code: "DATABASE_NOT_SQLITE",
    says: /is not an SQLite/,
  },
  {
    name: "no page size",
    make: (folder) => patch(folder, 16, 0x03),
    code: "DATABASE_NOT_SQLITE",
    says: /page size of 768/,
  },
  {
    name: "format version 3",
    make: (folder) => patch(folder, 19, 3),
    code: "DATABASE_NOT_SQLITE",
    says: /2\/3/,
  },
  {
    name: "rollback journal",
    make: rollback,
    code: "DATABASE_NOT_WAL",
    says: /not in WAL mode/,
    hint: /PRAGMA journal_mode=WAL/,
  },
  {
    name: "a name that ends with a space",
    make: (folder) => text(folder, "x", "a.db "),
    code: "DATABASE_UNREADABLE",
    says: /white space/,
  },
];

describe("what cannot be watched is refused", () => {
  test.each(REFUSED)("$name: $code", ({ make, code, says, hint }) => {
    const path = make(tempFolder());
    const refusal = expect.objectContaining({
      code,
      exitCode: 3,
      message: expect.stringMatching(says),
      ...(hint && { hint: expect.stringMatching(hint) }),
    });
    expect(() => inspectDatabase(path)).toThrow(refusal);
    expect(() => DatabaseLink.open(path, { clock: systemClock })).toThrow(refusal);
  });

  // Permissions mean nothing to root, so this one speaks as a user who is none.
  test("no permission", () => {
    const path = walFile(tempFolder());
    chmodSync(path, 0o000);
    const refusal = expect.objectContaining({
      code: "DATABASE_UNREADABLE",
      message: expect.stringMatching(/permission denied/),
    });
    asUnprivileged(() => expect(() => inspectDatabase(path)).toThrow(refusal));
  });

  test("only reading permitted: refused with a hint, and taken when only observing", () => {
    const folder = tempFolder();
    const path = walFile(folder);
    chmodSync(path, 0o444);
    chmodSync(folder, 0o777);
    const refusal = expect.objectContaining({
      code: "DATABASE_UNREADABLE",
      hint: expect.stringMatching(/may read and write/),
    });
    asUnprivileged(() => {
      expect(inspectDatabase(path).pageSizeBytes).toBe(4096);
      expect(() => DatabaseLink.open(path, { clock: systemClock })).toThrow(refusal);
    });
    const link = openLink(path, { observe: true });
    expect(link.pin()).toBe(true);
  });

  test("changed while it is opened: another file, another journal mode", () => {
    const path = walFile(tempFolder());
    const opening = (change: () => void) => () =>
      DatabaseLink.open(path, {
        clock: systemClock,
        connect: (name, options) => {
          change();
          return connect(name, options);
        },
      });
    const elsewhere = walFile(tempFolder());
    expect(opening(() => renameSync(elsewhere, path))).toThrow(
      expect.objectContaining({ code: "DATABASE_REPLACED" }),
    );
    const leaveWal = () => {
      const app = new Database(path);
      app.pragma("journal_mode=DELETE");
      app.close();
    };
    expect(opening(leaveWal)).toThrow(expect.objectContaining({ code: "DATABASE_NOT_WAL" }));
  });

  test("removed while it is opened, before and after SQLite has opened it", () => {
    const removed = expect.objectContaining({ code: "DATABASE_NOT_FOUND" });
    for (const isBefore of [true, false]) {
      const path = walFile(tempFolder());
      const open = () =>
        DatabaseLink.open(path, {
          clock: systemClock,
          connect: (name, options) => {
            if (isBefore) rmSync(name);
            const connection = connect(name, options);
            if (!isBefore) rmSync(name);
            return connection;
          },
        });
      expect(open, isBefore ? "before" : "after").toThrow(removed);
    }
  });

  test("locked by an application in exclusive mode", () => {
    const path = walFile(tempFolder());
    const app = new Database(path);
    app.pragma("locking_mode=EXCLUSIVE");
    app.exec("INSERT INTO t VALUES(1, 'x')");
    expect(() => DatabaseLink.open(path, { clock: systemClock })).toThrow(
      expect.objectContaining({ code: "DATABASE_LOCKED", hint: expect.stringMatching(/EXCLUSIVE/) }),
    );
    app.close();
  });
});

describe("facts", () => {
  test.each([512, 1024, 2048, 4096, 8192, 16384, 32768, 65536])("page size %i", (pageSize) => {
    expect(inspectDatabase(walFile(tempFolder(), pageSize)).pageSizeBytes).toBe(pageSize);
  });

  test("suffixes go behind the whole name, and behind the name that a symlink leads to", () => {
    const folder = tempFolder();
    for (const name of ["app", "app.db", "app.sqlite", "app.db.bak"]) {
      text(folder, "", name);
      const path = join(folder, name);
      expect(databasePaths(path)).toEqual({ database: path, wal: `${path}-wal`, shm: `${path}-shm` });
    }
    mkdirSync(join(folder, "elsewhere"));
    symlinkSync(join(folder, "app.db"), join(folder, "elsewhere", "link.db"));
    symlinkSync(join(folder, "elsewhere"), join(folder, "also"));
    expect(databasePaths(join(folder, "also", "link.db")).wal).toBe(join(folder, "app.db-wal"));
  });

  test("SQLite keeps the log where databasePaths says", () => {
    const app = tempDatabase({ name: "a.b.c" });
    const alias = join(tempFolder(), "alias");
    symlinkSync(app.name, alias);
    const link = openLink(alias);
    insert(app);
    expect(link.walSize()).toBeGreaterThan(32);
    expect(link.facts.paths.database).toBe(app.name);
  });

  test("a database that is replaced by rename, or deleted, is noticed", () => {
    const app = tempDatabase();
    const link = openLink(app.name);
    expect(link.samePath()).toBe(true);
    renameSync(app.name, `${app.name}.old`);
    expect(link.samePath()).toBe(false);
    renameSync(walFile(tempFolder()), app.name);
    expect(link.samePath()).toBe(false);
    expect(link.readMain(new Uint8Array(16), 0), "the descriptor stays with the old file").toBe(16);
  });
});

describe("logs that are none", () => {
  const logs: readonly (readonly [name: string, make: (wal: string) => void])[] = [
    ["missing", () => undefined],
    ["of 0 bytes", (wal) => writeFileSync(wal, "")],
    ["short", (wal) => writeFileSync(wal, Buffer.alloc(31, 0x37))],
    ["zeroed", (wal) => writeFileSync(wal, Buffer.alloc(100_000))],
    ["garbage", (wal) => writeFileSync(wal, Buffer.alloc(100_000, 0xa5))],
  ];
  test.each(logs)("%s: everything is in the main file, and the next commit is captured", (_, make) => {
    const path = walFile(tempFolder());
    make(`${path}-wal`);
    const link = openLink(path);
    link.pin();
    const probe = Probe.begin(link);
    expect(probe.position).toBeUndefined();
    expect(logHeader(link)).toBeUndefined();
    expect(probe.contents().length).toBe(2 * 4096);
    const app = new Database(path);
    insert(app, 50);
    probe.drain();
    expect(probe.commits).toBe(1);
    expect(probe.contents().equals(probe.live())).toBe(true);
    app.close();
  });
});

function text(folder: string, content: string, name = "a.db"): string {
  writeFileSync(join(folder, name), content);
  return join(folder, name);
}

function patch(folder: string, offset: number, byte: number): string {
  const path = walFile(folder);
  const bytes = Buffer.alloc(4096);
  bytes.write("SQLite format 3\0", "latin1");
  bytes.writeUInt16BE(4096, 16);
  bytes.writeUInt16BE(0x0202, 18);
  bytes[offset] = byte;
  truncateSync(path);
  writeFileSync(path, bytes);
  return path;
}

function rollback(folder: string): string {
  const path = walFile(folder);
  const app = new Database(path);
  app.pragma("journal_mode=DELETE");
  app.close();
  return path;
}

const NOBODY = 65534;

function asUnprivileged(run: () => void): void {
  const isRoot = process.geteuid?.() === 0;
  if (isRoot) process.seteuid?.(NOBODY);
  try {
    run();
  } finally {
    if (isRoot) process.seteuid?.(0);
  }
}
