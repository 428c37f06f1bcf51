import { readdirSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import Database from "better-sqlite3";
import { describe, expect, test } from "vitest";
import { ownIdentity } from "../../src/process-identity.ts";
import { DatabaseLock } from "../../src/shadow/lock.ts";
import { type LockOwner, makeLockFile, OWNER_ROW, OWNER_TABLE } from "../../src/shadow/lock-file.ts";
import { tempFolder } from "../helpers/sqlite/temp-database.ts";

const DATABASE = "/data/app.db";
const OWNER = { ...ownIdentity(), controlSocket: "/run/walrust.sock" };
const SOMEBODY = { host: "elsewhere", pid: 4, started: "1", controlSocket: "" };

function newFolder() {
  const path = tempFolder();
  return { lock: join(path, "lock.db"), scratch: join(path, "scratch-") };
}

function lockOf(owner: LockOwner): Buffer {
  const file = new Database(":memory:");
  file.exec(OWNER_TABLE);
  file.prepare(OWNER_ROW).run(owner);
  return file.serialize();
}

describe("a lock file that is made with its owner's name in it", () => {
  test("is readable for its owner alone, leaves nothing beside it, and holds", async () => {
    const folder = newFolder();
    expect(await makeLockFile(folder, OWNER)).toBe(true);
    expect(statSync(folder.lock)).toMatchObject({ mode: 0o100600, nlink: 1 });
    expect(readdirSync(dirname(folder.lock))).toEqual(["lock.db"]);
    expect(DatabaseLock.holder(folder.lock)).toEqual(OWNER);
  });

  test("taken so, it is released and taken again like any other", async () => {
    const folder = newFolder();
    const lock = await DatabaseLock.acquireIn(folder, DATABASE, OWNER.controlSocket);
    expect(DatabaseLock.holder(folder.lock)).toEqual(OWNER);
    expect(() => DatabaseLock.acquire(folder.lock, DATABASE)).toThrow(
      expect.objectContaining({ code: "DATABASE_IN_USE", details: { pid: process.pid, host: OWNER.host } }),
    );
    lock.release();
    expect(DatabaseLock.holder(folder.lock)).toBeUndefined();
    const again = await DatabaseLock.acquireIn(folder, DATABASE, "");
    expect(DatabaseLock.holder(folder.lock)).toEqual({ ...OWNER, controlSocket: "" });
    again.release();
  });

  test("names each process as it is, also when another was named before", async () => {
    const [first, second] = [newFolder(), newFolder()];
    await makeLockFile(first, OWNER);
    await makeLockFile(second, { ...OWNER, controlSocket: "/elsewhere.sock" });
    expect(DatabaseLock.holder(first.lock)).toEqual(OWNER);
    expect(DatabaseLock.holder(second.lock)).toMatchObject({ controlSocket: "/elsewhere.sock" });
  });

  test("two of this process at the same moment: one has it", async () => {
    const folder = newFolder();
    const taking = [1, 2, 3].map(() => DatabaseLock.acquireIn(folder, DATABASE, ""));
    const outcomes = await Promise.allSettled(taking);
    expect(outcomes.map(({ status }) => status).toSorted()).toEqual(["fulfilled", "rejected", "rejected"]);
    for (const one of outcomes)
      if (one.status === "rejected") expect(one.reason).toMatchObject({ code: "DATABASE_IN_USE" });
  });

  test("another process was faster: it has it, and its file stays", async () => {
    const folder = newFolder();
    const taking = DatabaseLock.acquireIn(folder, DATABASE, ""); // it waits for the disk now
    writeFileSync(folder.lock, lockOf(SOMEBODY));
    const { ino } = statSync(folder.lock);
    await expect(taking).rejects.toMatchObject({
      code: "DATABASE_IN_USE",
      message: expect.stringContaining("elsewhere"),
    });
    expect(statSync(folder.lock).ino).toBe(ino);
    expect(readdirSync(dirname(folder.lock))).toEqual(["lock.db"]);
  });

  test("never takes the place of one that is there", async () => {
    const folder = newFolder();
    const lock = DatabaseLock.acquire(folder.lock, DATABASE);
    const { ino } = statSync(folder.lock);
    expect(await makeLockFile(folder, OWNER)).toBe(false);
    await expect(DatabaseLock.acquireIn(folder, DATABASE, "")).rejects.toMatchObject({
      code: "DATABASE_IN_USE",
    });
    expect(statSync(folder.lock).ino).toBe(ino);
    lock.release();
  });

  test("where it cannot be made, the lock makes it as before", async () => {
    const folder = { ...newFolder(), scratch: join(tempFolder(), "gone", "scratch-") };
    expect(await makeLockFile(folder, OWNER)).toBe(false);
    expect(readdirSync(dirname(folder.lock))).toEqual([]);
    const lock = await DatabaseLock.acquireIn(folder, DATABASE, "");
    expect(DatabaseLock.holder(folder.lock)?.pid).toBe(process.pid);
    lock.release();
  });
});
