import { existsSync, statSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { expect, test } from "vitest";
import { createShadowFolder, shadowFolder } from "../../src/shadow/shadow-folder.ts";
import { tempFolder } from "../helpers/sqlite/temp-database.ts";

test("lies beside the database, under its whole name (pitfall 7)", () => {
  const paths = ["app", "app.db", "app.sqlite", "app.db.bak"].map(
    (name) => shadowFolder(`/data/${name}`).path,
  );
  expect(paths).toEqual([
    "/data/.app-walrust",
    "/data/.app.db-walrust",
    "/data/.app.sqlite-walrust",
    "/data/.app.db.bak-walrust",
  ]);
});

test("in a folder of its own, the whole path tells databases apart", () => {
  const paths = ["/a/app.db", "/b/app.db", "/a/app"].map((path) => shadowFolder(path, "/shadow").path);
  expect(new Set(paths).size).toBe(3);
  for (const path of paths) expect(dirname(path)).toBe("/shadow");
  expect(basename(paths[0] ?? "")).toMatch(/^app\.db-[0-9a-f]{16}$/);
  expect(shadowFolder("/a/app.db", "/shadow").path).toBe(paths[0]);
});

test("everything lies in it, apart from one another", () => {
  const { path, ...inside } = shadowFolder("/data/app.db");
  const places = Object.values(inside);
  expect(new Set(places).size).toBe(places.length);
  for (const place of places) expect(dirname(place)).toBe(path);
});

test("is made for its owner alone, and again without harm", () => {
  const folder = shadowFolder(join(tempFolder(), "deep", "app.db"));
  createShadowFolder(folder);
  writeFileSync(folder.cursor, "kept");
  createShadowFolder(folder);
  expect(existsSync(folder.cursor)).toBe(true);
  expect(statSync(folder.path).mode & 0o777).toBe(0o700);
});

test("a file in its place: LOCAL_IO, and what to do", () => {
  const folder = shadowFolder(join(tempFolder(), "app.db"));
  writeFileSync(folder.path, "");
  expect(() => createShadowFolder(folder)).toThrow(
    expect.objectContaining({ code: "LOCAL_IO", hint: expect.stringContaining("--shadow-dir") }),
  );
});
