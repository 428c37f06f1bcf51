import {
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { fsyncFolder, replaceFileDurably, writeFully } from "../../src/shadow/durable-file.ts";
import { fillDisk } from "../helpers/full-disk.ts";
import { tempFolder } from "../helpers/sqlite/temp-database.ts";

test("replaces a file whole, and leaves nothing beside it", async () => {
  const folder = tempFolder();
  const path = join(folder, "file");
  writeFileSync(path, "longer than what comes");
  await replaceFileDurably(path, Buffer.from("new"));
  expect(readFileSync(path, "utf8")).toBe("new");
  expect(readdirSync(folder)).toEqual(["file"]);
});

test.each<readonly [string, string, (path: string) => unknown]>([
  ["a full disk", "LOCAL_DISK_FULL", () => fillDisk()],
  ["a folder under the final name", "LOCAL_IO", (path) => mkdirSync(join(path, "x"), { recursive: true })],
])("%s: %s, and nothing stays beside it", async (_, code, prepare) => {
  const folder = tempFolder();
  const path = join(folder, "file");
  await prepare(path);
  await expect(replaceFileDurably(path, Buffer.from("new"))).rejects.toMatchObject({ code });
  expect(readdirSync(folder).filter((name) => name.endsWith(".tmp"))).toEqual([]);
});

test("a link under the temporary name is taken away, and what it leads to is not touched", async () => {
  const folder = tempFolder();
  const path = join(folder, "file");
  writeFileSync(join(folder, "precious"), "precious");
  symlinkSync(join(folder, "precious"), `${path}.tmp`);
  await replaceFileDurably(path, Buffer.from("new"));
  expect(readFileSync(join(folder, "precious"), "utf8")).toBe("precious");
  expect(lstatSync(path).mode & 0o777).toBe(0o600);
  expect(readFileSync(path, "utf8")).toBe("new");
});

test("no folder: LOCAL_IO", async () => {
  const path = join(tempFolder(), "gone", "file");
  await expect(replaceFileDurably(path, Buffer.from("new"))).rejects.toMatchObject({ code: "LOCAL_IO" });
  expect(() => fsyncFolder(join(path, ".."))).toThrow();
});

test("writes at a position, whole", () => {
  const path = join(tempFolder(), "file");
  const fd = openSync(path, "w+");
  writeFully(fd, Buffer.from("world"), 6);
  writeFully(fd, Buffer.from("hello "), 0);
  expect(readFileSync(path, "utf8")).toBe("hello world");
});
