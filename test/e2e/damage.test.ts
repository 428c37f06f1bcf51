import { cpSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { expect, test } from "vitest";
import { addNotes, openApplication } from "../helpers/e2e/application.ts";
import { damageEach, expectFound, soundChain } from "../helpers/e2e/damaged-chain.ts";
import { scene } from "../helpers/e2e/scene.ts";
import { ltxFiles } from "../helpers/e2e/storage-folder.ts";
import { restore, runWalrust, startWatch } from "../helpers/e2e/walrust.ts";

test("objects flipped, cut, dropped and swapped: verify ends with 5, restore refuses, the output stays", async () => {
  const at = await soundChain();
  await damageEach(at, 0, ["a bit flipped in the middle", "dropped"]);
  await damageEach(at, 2, [
    "a bit flipped in the body checksum",
    "cut in the middle",
    "replaced by another file of the chain",
  ]);
  await damageEach(at, 4, ["dropped"]);
}, 60_000);

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

test("a manifest that is not one: verify says so, and restore is right or refuses", async () => {
  const at = await soundChain();
  for (const text of ["", "{", '{"version":1}', '{"version":2}']) {
    writeFileSync(join(at.storage, "app", "manifest.json"), text);
    const verify = await runWalrust(at, ["verify", "app", "--bucket", at.address]);
    expect(verify.code, `${text}: ${verify.stdout}${verify.stderr}`).toBe(5);
    const out = at.path("out.db");
    const exit = await restore(at, "app", out, ["--force"]);
    expect([0, 5], exit.stderr).toContain(exit.code);
  }
});

test("everything of a database gone: exit 6 from restore, 5 or 6 from verify", async () => {
  const at = await soundChain();
  rmSync(join(at.storage, "app"), { recursive: true });
  const out = at.path("out.db");
  expect((await restore(at, "app", out)).code).toBe(6);
  const verify = await runWalrust(at, ["verify", "app", "--bucket", pathToFileURL(at.storage).href]);
  expect([5, 6], verify.stderr).toContain(verify.code);
});
