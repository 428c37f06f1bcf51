import { fstatSync, readdirSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { holdDescriptor, identityAt, isSameFile, readFully, syncFile } from "../../src/sqlite/descriptors.ts";
import { inspectDatabase } from "../../src/sqlite/inspect.ts";
import { openLink } from "../helpers/sqlite/probe.ts";
import { tempDatabase, tempFolder } from "../helpers/sqlite/temp-database.ts";

function tempFile(content = "0123456789"): string {
  const path = join(tempFolder(), "file");
  writeFileSync(path, content);
  return path;
}

describe("holdDescriptor", () => {
  test("one descriptor for all who hold the file; closed when the last one lets go", () => {
    const path = tempFile();
    const first = holdDescriptor(path, "r");
    const second = holdDescriptor(path, "r");
    expect(second.fd).toBe(first.fd);
    first.release();
    first.release();
    expect(fstatSync(second.fd).size).toBe(10);
    second.release();
    expect(() => fstatSync(second.fd)).toThrow(/EBADF/);
  });

  test("another file under the same name is another descriptor", () => {
    const path = tempFile();
    const old = holdDescriptor(path, "r");
    renameSync(tempFile("new"), path);
    const now = holdDescriptor(path, "r");
    expect(now.fd).not.toBe(old.fd);
    expect(isSameFile(identityAt(path), old.identity)).toBe(false);
    expect(isSameFile(identityAt(path), now.identity)).toBe(true);
    old.release();
    now.release();
  });

  test("looking at a live database again and again opens nothing", () => {
    const app = tempDatabase();
    openLink(app.name);
    const before = readdirSync("/dev/fd").length;
    for (let times = 0; times < 10; times++) inspectDatabase(app.name);
    expect(readdirSync("/dev/fd").length).toBe(before);
  });

  test("nothing there: a typed error, and no identity", () => {
    const path = join(tempFolder(), "none");
    expect(() => holdDescriptor(path, "r")).toThrow(expect.objectContaining({ code: "DATABASE_NOT_FOUND" }));
    expect(identityAt(path)).toBeUndefined();
    expect(isSameFile(undefined, { dev: 1n, ino: 1n })).toBe(false);
  });
});

test("readFully reads what there is", () => {
  const file = holdDescriptor(tempFile(), "r");
  const into = new Uint8Array(4);
  expect([readFully(file.fd, into, 3), Buffer.from(into).toString()]).toEqual([4, "3456"]);
  expect(readFully(file.fd, into, 8)).toBe(2);
  expect(readFully(file.fd, into, 100)).toBe(0);
  file.release();
});

test("syncFile: a disk that fails is a typed error that names the file", async () => {
  const path = tempFile();
  const held = holdDescriptor(path, "r");
  await syncFile(path, held.fd);
  held.release();
  await expect(syncFile(path, held.fd)).rejects.toMatchObject({
    code: "DATABASE_UNREADABLE",
    message: expect.stringContaining(path),
  });
});
