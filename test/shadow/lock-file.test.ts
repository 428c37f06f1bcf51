import { mkdirSync, readdirSync, rmdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { ownIdentity } from "../../src/process-identity.ts";
import { DatabaseLock } from "../../src/shadow/lock.ts";
import { makeLockFile } from "../../src/shadow/lock-file.ts";
import { tempFolder } from "../helpers/sqlite/temp-database.ts";

const DATABASE = "/data/app.db";

function newFolder() {
  const path = tempFolder();
  const folder = { lock: join(path, "lock.db"), scratch: join(path, "scratch") };
  mkdirSync(folder.scratch);
  return folder;
}

describe("a lock file that is made beforehand", () => {
  test("has nobody's name, is readable for its owner alone, and leaves nothing beside it", async () => {
    const folder = newFolder();
    await makeLockFile(folder);
    expect(statSync(folder.lock)).toMatchObject({ mode: 0o100600, nlink: 1 });
    expect(readdirSync(folder.scratch)).toEqual([]);
    expect(DatabaseLock.holder(folder.lock)).toBeUndefined();
    const lock = await DatabaseLock.acquireIn(folder, DATABASE, "/run/walrust.sock");
    expect(DatabaseLock.holder(folder.lock)).toEqual({
      ...ownIdentity(),
      controlSocket: "/run/walrust.sock",
    });
    lock.release();
  });

  test("never takes the place of one that is there", async () => {
    const folder = newFolder();
    await Promise.all([makeLockFile(folder), makeLockFile(folder)]);
    const { ino } = statSync(folder.lock);
    const lock = DatabaseLock.acquire(folder.lock, DATABASE);
    await makeLockFile(folder);
    await expect(DatabaseLock.acquireIn(folder, DATABASE, "")).rejects.toMatchObject({
      code: "DATABASE_IN_USE",
    });
    expect(statSync(folder.lock).ino).toBe(ino);
    lock.release();
  });

  test("where it cannot be made, the lock makes it as before", async () => {
    const folder = newFolder();
    rmdirSync(folder.scratch);
    await makeLockFile(folder);
    expect(readdirSync(join(folder.lock, ".."))).toEqual([]);
    const lock = await DatabaseLock.acquireIn(folder, DATABASE, "");
    expect(DatabaseLock.holder(folder.lock)?.pid).toBe(process.pid);
    lock.release();
  });
});
