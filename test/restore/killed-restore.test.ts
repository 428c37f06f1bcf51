import { spawnSync } from "node:child_process";
import { copyFileSync, linkSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import Database from "better-sqlite3";
import { expect, test } from "vitest";
import { ownMark } from "../../src/process-identity.ts";
import { closeOutput, openOutput, placeOutput } from "../../src/restore/output.ts";
import { insert, tempDatabase, tempFolder } from "../helpers/sqlite/temp-database.ts";

/** What a restore leaves that was killed when it had moved the log of the old database aside. */
function leaveAside(out: string): string {
  const mark = ownMark().replace(/-\d+-\d*$/, `-${spawnSync("true").pid}-1`);
  const left = join(out, `../.out.db.walrust-${mark}-abcdef`);
  mkdirSync(left);
  writeFileSync(join(left, "restored.db"), "new");
  writeFileSync(join(left, "restored.db-old-wal"), "its log");
  return left;
}

test("its database still stands: the log comes back, and nothing else is left", () => {
  const out = join(tempFolder(), "out.db");
  writeFileSync(out, "old");
  leaveAside(out);
  closeOutput(openOutput(out, { force: true }));
  expect(readdirSync(join(out, "..")).sort()).toEqual(["out.db", "out.db-wal"]);
  expect(readFileSync(`${out}-wal`, "utf8")).toBe("its log");
});

test.each([
  ["renamed", (left: string) => rmSync(join(left, "restored.db"))],
  [
    "linked",
    (left: string, out: string) => {
      rmSync(out);
      linkSync(join(left, "restored.db"), out);
    },
  ],
])("the new one stands, %s: the old log is gone for good", (_, place) => {
  const out = join(tempFolder(), "out.db");
  writeFileSync(out, "old");
  place(leaveAside(out), out);
  closeOutput(openOutput(out, { force: true }));
  expect(readdirSync(join(out, ".."))).toEqual(["out.db"]);
});

/** A database whose last commits are in its log only; in use, if its log cannot be brought into it. */
function oldDatabase(out: string, isInUse: boolean) {
  const app = tempDatabase({ rows: 5 });
  insert(app, 5);
  for (const suffix of ["", "-wal"]) copyFileSync(app.name + suffix, out + suffix);
  if (!isInUse) return undefined;
  const user = new Database(out);
  user.exec("BEGIN IMMEDIATE");
  return user;
}

test.each([
  ["at rest", false],
  ["in use", true],
])("a database %s is replaced, and no log is left for the new one", (_, isInUse) => {
  const out = join(tempFolder(), "out.db");
  const user = oldDatabase(out, isInUse);
  const output = openOutput(out, { force: true });
  const source = tempDatabase({ rows: 1 });
  source.pragma("wal_checkpoint(TRUNCATE)");
  copyFileSync(source.name, output.temporaryPath);
  placeOutput(output);
  closeOutput(output);
  expect(readdirSync(join(out, "..")).sort()).toEqual(["out.db"]);
  const restored = new Database(out);
  expect(restored.prepare("SELECT count(*) FROM t").pluck().get()).toBe(1);
  restored.close();
  user?.close();
});
