import { spawnSync } from "node:child_process";
import { mkdirSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { expect, test } from "vitest";
import { ownMark } from "../../src/process-identity.ts";
import { foldersOfTheDead, makeMarkedFolder } from "../../src/restore/marked-folder.ts";
import { tempFolder } from "../helpers/sqlite/temp-database.ts";

const PREFIX = "walrust-merge-";

function deadMark(): string {
  return ownMark().replace(/-\d+-\d*$/, `-${spawnSync("true").pid}-1`);
}

test("is for its owner alone, and nobody's leftover while its process lives", () => {
  const parent = tempFolder();
  const path = makeMarkedFolder(parent, PREFIX);
  expect(basename(path).startsWith(PREFIX)).toBe(true);
  expect(statSync(path).mode & 0o777).toBe(0o700);
  expect(foldersOfTheDead(parent, PREFIX)).toEqual([]);
});

test("those of the dead, and nothing else under such a name", () => {
  const parent = tempFolder();
  const mark = deadMark();
  const left = join(parent, `${PREFIX}${mark}-abcdef`);
  mkdirSync(left);
  mkdirSync(join(parent, `walrust-verify-${mark}-abcdef`));
  mkdirSync(join(parent, `${PREFIX}abcdef`));
  mkdirSync(join(parent, `${PREFIX}00000000-1-1-abcdef`)); // another machine's
  writeFileSync(join(parent, `${PREFIX}${mark}-abcdeg`), "");
  symlinkSync(left, join(parent, `${PREFIX}${mark}-abcdeh`));
  expect(foldersOfTheDead(parent, PREFIX)).toEqual([left]);
});

test("without a parent there are none, and none can be made", () => {
  const gone = join(tempFolder(), "gone");
  expect(foldersOfTheDead(gone, PREFIX)).toEqual([]);
  expect(() => makeMarkedFolder(gone, PREFIX)).toThrow(expect.objectContaining({ code: "LOCAL_IO" }));
});
