import { cpSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import Database from "better-sqlite3";
import { expect, test } from "vitest";
import { addNotes, openApplication } from "../helpers/e2e/application.ts";
import { type Scene, scene } from "../helpers/e2e/scene.ts";
import { restore, restored, runWalrust, syncOnce } from "../helpers/e2e/walrust.ts";

/* What SECURITY.md says of a storage that gives back what was there before: what is noticed, and what is not. */

function rowsOf(file: string): unknown {
  const database = new Database(file, { readonly: true });
  try {
    return database.prepare("SELECT count(*) FROM notes").pluck().get();
  } finally {
    database.close();
  }
}

/** A database of `rows` rows in storage, one file for each. */
async function backup(at: Scene, rows: number): Promise<void> {
  const app = openApplication(at.path("app.db"));
  for (let row = 0; row < rows; row++) {
    addNotes(app);
    await syncOnce(at, { databases: ["app.db"] });
  }
}

function ltxFiles(at: Scene): readonly string[] {
  return readdirSync(join(at.storage, "app"))
    .filter((name) => name.endsWith(".ltx"))
    .sort();
}

test("the storage as it was before: a restore cannot know, a writer with its local state brings it up to date", async () => {
  const at = scene();
  await backup(at, 2);
  cpSync(at.storage, at.path("last-week"), { recursive: true });
  addNotes(openApplication(at.path("app.db")), 3);
  await syncOnce(at, { databases: ["app.db"] });
  expect(rowsOf(await restored(at, "app"))).toBe(5);
  rmSync(at.storage, { recursive: true });
  renameSync(at.path("last-week"), at.storage);
  expect(rowsOf(await restored(at, "app"))).toBe(2);

  await syncOnce(at, { databases: ["app.db"] });
  expect(rowsOf(await restored(at, "app"))).toBe(5);
}, 60_000);

test("an older object under the name of a newer one: exit 5, and no output", async () => {
  const at = scene();
  await backup(at, 3);
  const files = ltxFiles(at);
  const [older = "", newer = ""] = files.slice(-2);
  cpSync(join(at.storage, "app", older), join(at.storage, "app", newer));
  const { code, stderr } = await restore(at, "app", at.path("out.db"));
  expect(code, stderr).toBe(5);
  expect(stderr).toContain(newer);
  expect(readdirSync(at.folder)).not.toContain("out.db");
}, 60_000);

test("an object of another life of the database, whose number fits: exit 5", async () => {
  const [at, other] = [scene(), scene()];
  await backup(at, 3);
  await backup(other, 3);
  const newest = ltxFiles(at).at(-1) ?? "";
  expect(ltxFiles(other)).toContain(newest);
  cpSync(join(other.storage, "app", newest), join(at.storage, "app", newest));
  rmSync(join(at.storage, "app/manifest.json"));
  const { code, stderr } = await restore(at, "app", at.path("out.db"));
  expect(code, stderr).toBe(5);
}, 60_000);

test("an older manifest: the objects that it does not know count all the same", async () => {
  const at = scene();
  await backup(at, 2);
  const manifest = readFileSync(join(at.storage, "app/manifest.json"));
  addNotes(openApplication(at.path("app.db")), 3);
  await syncOnce(at, { databases: ["app.db"] });
  writeFileSync(join(at.storage, "app/manifest.json"), manifest);
  expect(rowsOf(await restored(at, "app"))).toBe(5);
}, 60_000);

test("the newest objects and the manifest are gone: an older state, and it is said that nobody can know", async () => {
  const at = scene();
  await backup(at, 3);
  rmSync(join(at.storage, "app", ltxFiles(at).at(-1) ?? ""));
  const lost = await restore(at, "app", at.path("out.db"));
  expect(lost.code, lost.stderr).toBe(5);
  rmSync(join(at.storage, "app/manifest.json"));
  const { code, stdout, stderr } = await runWalrust(at, [
    "restore",
    "app",
    "-b",
    at.address,
    "-o",
    at.path("out.db"),
  ]);
  expect(code, stderr).toBe(0);
  expect(stdout + stderr).toMatch(/manifest/);
}, 60_000);
