import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, test } from "vitest";
import { type Scene, scene } from "../helpers/e2e/scene.ts";
import { runWalrust } from "../helpers/e2e/walrust.ts";
import { Backup } from "../helpers/retention/backup.ts";
import { HOUR, SECOND } from "../helpers/retention/files.ts";

/** An old copy in the scene's storage: a snapshot of one hour, eight commits of the next, and its snapshot. */
async function anOldCopy(name = "app"): Promise<Scene> {
  const at = scene();
  const backup = new Backup(Date.UTC(2026, 0, 31, 8, 59, 50));
  await backup.commit(0);
  await backup.commits(8, 10 * SECOND);
  await backup.commit(2 * HOUR);
  await backup.snapshot();
  backup.manifest();
  for (const key of backup.storage.keys()) {
    const file = join(at.storage, key.replace(/^app/, name));
    mkdirSync(dirname(file), { recursive: true });
    const text = Buffer.from(backup.storage.peek(key));
    writeFileSync(
      file,
      key.endsWith(".json") ? text.toString().replace('"name":"app"', `"name":"${name}"`) : text,
    );
  }
  return at;
}

const filesOf = (at: Scene, name = "app") => readdirSync(join(at.storage, name)).sort();
const from = (at: Scene) => ["-b", at.address];

test("shows what it would do, and does it with --force; then there is nothing to do", async () => {
  const at = await anOldCopy();
  const before = filesOf(at);
  const planned = await runWalrust(at, ["compact", "app", ...from(at)]);
  expect(planned).toMatchObject({ code: 0, stderr: "" });
  expect(planned.stdout).toMatch(/^SNAPSHOT +TIME +AGE +SIZE/);
  expect(planned.stdout).toMatch(
    /^ +10 +2026-01-31T11:01:10\.000Z .* stays: newest, hourly, daily, weekly, monthly$/m,
  );
  expect(planned.stdout).toMatch(/^ +1 +2026-01-31T08:59:50\.000Z .* stays: hourly$/m);
  expect(planned.stdout).toMatch(/^ +8 +\S+ k?B +to be merged into 2 files$/m);
  expect(planned.stdout).toMatch(/Nothing was changed: --force does it\.\n$/);
  expect(filesOf(at)).toEqual(before);

  const done = await runWalrust(at, ["compact", "app", "--force", ...from(at)]);
  expect(done).toMatchObject({ code: 0, stderr: "" });
  expect(done.stdout).toMatch(/^ +8 +\S+ k?B +merged into 2 files$/m);
  expect(filesOf(at)).toContain("00000002-00000007.ltx");
  const again = await runWalrust(at, ["compact", "app", "--force", ...from(at)]);
  expect(again).toMatchObject({ code: 0, stdout: expect.stringMatching(/\napp: nothing to do, \S+ k?B\n$/) });
  expect((await runWalrust(at, ["verify", "app", ...from(at)])).code).toBe(0);
});

test("as a document: that of docs/json.md", async () => {
  const at = await anOldCopy();
  const { code, stdout } = await runWalrust(at, [
    "compact",
    "app",
    "--hourly",
    "1",
    "--force",
    "--json",
    ...from(at),
  ]);
  expect(code).toBe(0);
  const document = JSON.parse(stdout);
  const [, shown = ""] =
    /## `compact`[\s\S]*?```jsonl\n([\s\S]*?)\n```/.exec(readFileSync("docs/json.md", "utf8")) ?? [];
  const documented = JSON.parse(shown);
  expect(Object.keys(document)).toEqual(Object.keys(documented));
  for (const key of ["retention", "compaction"])
    expect(document[key]).toEqual({ ...documented[key], ...(key === "retention" && { hourly: 1 }) });
  for (const list of ["snapshots", "deletions"])
    expect(Object.keys(document[list][0])).toEqual(Object.keys(documented[list][0]));
  expect(document).toMatchObject({ name: "app", done: true, merges: [], untouched: [], forgotten: [] });
  expect(document.deletions).toHaveLength(10);

  const other = await anOldCopy();
  const planned = JSON.parse((await runWalrust(other, ["compact", "app", "--json", ...from(other)])).stdout);
  expect(planned).toMatchObject({ done: false, merges: [{ size: null }, { size: null }] });
  expect(Object.keys(planned.merges[0])).toEqual(Object.keys(documented.merges[0]));
  expect(planned.size_after).toBe(planned.size_before);
});

describe("walrust.toml", () => {
  const toml = (at: Scene, text: string) =>
    writeFileSync(at.path("walrust.toml"), `[s3]\nbucket = "${at.address}"\n${text}`);
  const retention = async (at: Scene, name: string, flags: readonly string[] = []) =>
    JSON.parse((await runWalrust(at, ["compact", name, "--json", ...flags])).stdout).retention;

  test("says what stays, and a database's own entry says it of that one, and a flag over both", async () => {
    const at = await anOldCopy();
    toml(at, '[retention]\nhourly = 5\n[[databases]]\npath = "other.db"\nhourly = 9\n');
    expect(await retention(at, "app")).toEqual({ hourly: 5, daily: 7, weekly: 12, monthly: 12 });
    toml(at, '[retention]\nhourly = 5\n[[databases]]\npath = "app.db"\nhourly = 9\ndaily = 2\n');
    expect(await retention(at, "app")).toEqual({ hourly: 9, daily: 2, weekly: 12, monthly: 12 });
    expect(await retention(at, "app", ["--hourly", "3"])).toMatchObject({ hourly: 3, daily: 2 });
  });

  test("of patterns whose files are on another machine the most generous counts", async () => {
    const at = await anOldCopy("tenants/a");
    toml(
      at,
      '[[databases]]\npath = "x/*.db"\nprefix = "tenants"\nhourly = 9\n' +
        '[[databases]]\npath = "y/*.db"\nprefix = "tenants"\nhourly = 1\ndaily = 99\n' +
        '[[databases]]\npath = "z/*.db"\nhourly = 500\n',
    );
    expect(await retention(at, "tenants/a")).toEqual({ hourly: 9, daily: 99, weekly: 12, monthly: 12 });
  });

  test("says how incrementals are merged", async () => {
    const at = await anOldCopy();
    toml(at, '[compaction]\nfine_window = "2h"\nstep = "1h"\n');
    const { compaction, merges } = JSON.parse((await runWalrust(at, ["compact", "app", "--json"])).stdout);
    expect(compaction).toEqual({ fine_window_ms: 7_200_000, step_ms: 3_600_000 });
    expect(merges).toHaveLength(1);
  });
});

test("nothing there: exit 6; a replica of Litestream: exit 2", async () => {
  const at = await anOldCopy();
  const nobody = await runWalrust(at, ["compact", "nobody", ...from(at)]);
  expect(nobody).toMatchObject({
    code: 6,
    stderr: expect.stringContaining('there is no backup of "nobody"'),
  });
  const level = join(at.storage, "theirs", "0000");
  mkdirSync(level, { recursive: true });
  const snapshot = readFileSync(join(at.storage, "app", "00000001-00000001.ltx"));
  writeFileSync(join(level, "0000000000000001-0000000000000001.ltx"), snapshot);
  const theirs = await runWalrust(at, ["compact", "theirs", "--force", ...from(at)]);
  expect(theirs).toMatchObject({ code: 2, stderr: expect.stringContaining("Litestream's layout") });
});
