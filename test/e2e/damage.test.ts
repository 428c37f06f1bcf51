import { cpSync, existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { expect, test } from "vitest";
import { until } from "../../src/bench/until.ts";
import { addNotes, contentOf, expectRestored, openApplication } from "../helpers/e2e/application.ts";
import { damageEach, expectFound, soundChain } from "../helpers/e2e/damaged-chain.ts";
import { type Scene, scene } from "../helpers/e2e/scene.ts";
import { headTxid, indexedTxid, ltxFiles } from "../helpers/e2e/storage-folder.ts";
import { restore, restored, runWalrust, startWatch } from "../helpers/e2e/walrust.ts";

test("objects flipped, cut, dropped and swapped: verify ends with 5, restore refuses, the output stays", async () => {
  const at = await soundChain();
  await damageEach(at, 0, ["a bit flipped in the middle", "dropped"]);
  await damageEach(at, 2, [
    "a bit flipped in the body checksum",
    "cut in the middle",
    "replaced by another file of the chain",
  ]);
  await damageEach(at, 4, ["dropped"]);
}, 120_000);

test("the same object under a second name", async () => {
  const at = await soundChain();
  const [, second] = ltxFiles(at, "app");
  if (second === undefined) throw new Error("a chain has more than one file");
  cpSync(second.file, second.file.replace(/\d{8}\.ltx$/, "00000099.ltx"));
  await expectFound(at, "a second name");
});

test("an increment of another database, and of another life of the same", async () => {
  const at = scene();
  const names = ["app", "other"];
  const apps = names.map((name) => openApplication(at.path(`${name}.db`)));
  for (const app of apps) addNotes(app, 20, 400);
  const watch = startWatch(at, {
    databases: names.map((name) => at.path(`${name}.db`)),
    syncInterval: "20ms",
  });
  for (const [index, name] of names.entries()) {
    const head = await watch.untilPublished(name);
    const app = apps[index];
    if (app === undefined) throw new Error("two applications");
    addNotes(app, 5);
    await watch.untilPublished(name, head);
  }
  await watch.drain();
  const [mine, theirs] = names.map((name) => ltxFiles(at, name).at(-1));
  if (mine === undefined || theirs === undefined) throw new Error("two chains");
  expect(mine.minTxid).toBe(theirs.minTxid);
  cpSync(theirs.file, mine.file);
  await expectFound(at, "an increment of another database");
});

test("a manifest that is deleted or damaged, also under a running daemon: everything goes on, and it is made again", async () => {
  const at = scene();
  const app = openApplication(at.path("app.db"));
  const manifest = join(at.storage, "app", "manifest.json");
  const watch = startWatch(at, {
    databases: [at.path("app.db")],
    args: ["--config", oftenNamed(at)],
  });
  for (const lose of [
    () => rmSync(manifest),
    ...["", "{", '{"version":1}'].map((text) => () => writeFileSync(manifest, text)),
  ]) {
    const before = headTxid(at, "app");
    addNotes(app, 5);
    await until("the manifest names the commit", () => namedTxid(at) > before);
    lose();
    expectRestored(await restored(at, "app"), contentOf(app));
    const verify = await runWalrust(at, ["verify", "app", "--bucket", at.address]);
    expect(verify.code, verify.stdout).toBe(existsSync(manifest) ? 5 : 0);
    const list = await runWalrust(at, ["list", "app", "--bucket", at.address]);
    expect(list.code, list.stderr).toBe(0);
    const fix = await runWalrust(at, ["verify", "app", "--fix", "--bucket", at.address]);
    expect(fix.code, fix.stdout).toBe(0);
    lose();
  }
  addNotes(app, 5);
  await watch.drain();
  const verify = await runWalrust(at, ["verify", "app", "--bucket", at.address, "--json"]);
  expect(verify.code, verify.stdout).toBe(0);
  const [database] = JSON.parse(verify.stdout).databases;
  expect(database).toMatchObject({ manifest: "ok", findings: [] });
  expect(JSON.parse(readFileSync(manifest, "utf8")).files).toHaveLength(database.files);
  expectRestored(await restored(at, "app"), contentOf(app));
}, 120_000);

test("a manifest of a newer walrust is refused by all, and left alone", async () => {
  const at = await soundChain();
  const manifest = join(at.storage, "app", "manifest.json");
  writeFileSync(manifest, '{"version":2}');
  const out = at.path("out.db");
  for (const args of [
    ["verify", "app"],
    ["verify", "app", "--fix"],
    ["list", "app"],
    ["restore", "app", "-o", out],
    ["snapshot", "app.db"],
  ]) {
    const { code, stderr } = await runWalrust(at, [...args, "--bucket", at.address]);
    expect({ code, stderr }, args.join(" ")).toEqual({
      code: 5,
      stderr: expect.stringContaining("Update walrust."),
    });
  }
  expect(existsSync(out)).toBe(false);
  expect(readFileSync(manifest, "utf8")).toBe('{"version":2}');
}, 120_000);

/** 0 as long as the manifest is what the test made of it. */
function namedTxid(at: Scene): bigint {
  try {
    return indexedTxid(at, "app");
  } catch {
    return 0n;
  }
}

function oftenNamed(at: Scene): string {
  const file = at.path("walrust.toml");
  writeFileSync(file, '[sync]\nmanifest_interval = "100ms"\n');
  return file;
}

test("everything of a database gone: exit 6 from restore, 5 or 6 from verify", async () => {
  const at = await soundChain();
  rmSync(join(at.storage, "app"), { recursive: true });
  const out = at.path("out.db");
  expect((await restore(at, "app", out)).code).toBe(6);
  const verify = await runWalrust(at, ["verify", "app", "--bucket", pathToFileURL(at.storage).href]);
  expect([5, 6], verify.stderr).toContain(verify.code);
});
