import { spawn } from "node:child_process";
import { cpSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from "node:fs";
import path from "node:path";
import { expect, test } from "vitest";
import { spawnChild } from "../../src/bench/child.ts";
import { addNotes, openApplication } from "../helpers/e2e/application.ts";
import { scene } from "../helpers/e2e/scene.ts";
import { syncOnce } from "../helpers/e2e/walrust.ts";

test("who reads the output may go away: that is no error", async () => {
  const at = scene();
  addNotes(openApplication(at.path("app.db")));
  await syncOnce(at, { databases: ["app.db"] });
  const args = [path.resolve("dist/cli.js"), "list", "-b", at.address];
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "pipe"] });
  child.stdout.destroy();
  let stderr = "";
  child.stderr.on("data", (text) => {
    stderr += text;
  });
  const code = await new Promise((resolve) => child.on("close", resolve));
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
});

test("a SQLite driver that is not built is said before anything is made", async () => {
  const at = scene();
  const modules = at.path("node_modules");
  mkdirSync(path.join(modules, "better-sqlite3"), { recursive: true });
  const broken = "module.exports = class { constructor() { throw new Error('no bindings file'); } }";
  writeFileSync(
    path.join(modules, "better-sqlite3/index.js"),
    `${broken}; module.exports.SqliteError = class {};`,
  );
  mkdirSync(path.join(modules, "@parcel"));
  symlinkSync(path.resolve("node_modules/@parcel/watcher"), path.join(modules, "@parcel/watcher"));
  cpSync("dist", at.path("dist"), { recursive: true });
  addNotes(openApplication(at.path("app.db")));
  const program = at.path("dist/cli.js");
  for (const args of [
    ["watch", "app.db", "--once"],
    ["snapshot", "app.db"],
    ["restore", "app", "-o", "o.db"],
  ]) {
    const child = spawnChild(process.execPath, [program, ...args, "-b", at.address], { cwd: at.folder });
    const { code, stderr } = await child.exited;
    expect(code).toBe(3);
    expect(stderr).toMatch(
      /^error: better-sqlite3 is not built for this Node .*\n.*npm rebuild better-sqlite3/,
    );
  }
  expect(readdirSync(at.storage)).toEqual([]);
  expect(readdirSync(at.folder).filter((name) => name.includes("walrust"))).toEqual([]);
});
