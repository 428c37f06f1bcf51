import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { DEFAULT_RETENTION, DEFAULT_SYNC } from "../../src/config/defaults.ts";
import { expandGlob, globFolder, isGlob } from "../../src/config/globs.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), "walrust-globs-"));
  for (const name of [
    "a.db",
    "a.db-wal",
    "a.db-shm",
    "b.db-journal",
    "x/b.db",
    "x/y/c.db",
    ".a.db-walrust/s.db",
  ]) {
    mkdirSync(path.dirname(path.join(folder, name)), { recursive: true });
    writeFileSync(path.join(folder, name), "");
  }
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe("expandGlob", () => {
  test.each([
    ["*.db", [], ["a.db"]],
    ["*", [], ["a.db"]],
    ["**/*.db", [], ["a.db", "x/b.db", "x/y/c.db"]],
    ["**/*.db", ["b.db"], ["a.db", "x/y/c.db"]],
    ["**/*.db", ["{folder}/x/*.db"], ["a.db", "x/y/c.db"]],
    ["**/*.db", ["{folder}/x/**"], ["a.db"]],
    ["{x,z}/*.db", [], ["x/b.db"]],
    ["nowhere/*.db", [], []],
  ])("%s without %j", async (pattern, exclude, expected) => {
    const found = await expandGlob({
      pattern: path.join(folder, pattern),
      exclude: exclude.map((part) => part.replace("{folder}", folder)),
      sync: DEFAULT_SYNC,
      retention: DEFAULT_RETENTION,
    });
    expect(found.map((database) => path.relative(folder, database.path))).toEqual(expected);
  });

  test("names carry the prefix", async () => {
    const settings = { exclude: [], prefix: "eu/t", sync: DEFAULT_SYNC, retention: DEFAULT_RETENTION };
    const [first] = await expandGlob({ pattern: path.join(folder, "*.db"), ...settings });
    expect(first?.name).toBe("eu/t/a");
  });
});

test.each([
  ["/data/*.db", "/data"],
  ["/data/*/app.db", "/data"],
  ["/data/a{b,c}/x.db", "/data"],
  ["/*.db", "/"],
])("%s starts in %s", (pattern, expected) => {
  expect(globFolder(pattern)).toBe(expected);
});

test.each([
  ["a.db", false],
  ["a*.db", true],
  ["a?.db", true],
  ["{a,b}.db", true],
  ["a[12].db", true],
])("%s is a pattern: %j", (text, expected) => {
  expect(isGlob(text)).toBe(expected);
});
