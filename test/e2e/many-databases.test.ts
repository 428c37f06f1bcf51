import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { expect, test } from "vitest";
import { addNotes, contentOf, expectRestored, openApplication } from "../helpers/e2e/application.ts";
import { writeConfig } from "../helpers/e2e/config-file.ts";
import { scene } from "../helpers/e2e/scene.ts";
import { headTxid, tree } from "../helpers/e2e/storage-folder.ts";
import { restored, runWalrust, startWatch, syncOnce } from "../helpers/e2e/walrust.ts";

const ALIKE = ["app", "app.db", "app.sqlite", "app.db.bak"] as const;

test("app, app.db, app.sqlite and app.db.bak in one folder: each is itself", async () => {
  const at = scene();
  const applications = ALIKE.map((file, index) => {
    const app = openApplication(at.path(file));
    addNotes(app, 5 * (index + 1));
    return { file, name: `all/${file}`, app };
  });
  writeConfig(at, {
    databases: applications.map(({ file, name }) => ({ path: at.path(file), prefix: name })),
  });
  const watch = startWatch(at);
  for (const { name } of applications) await watch.untilPublished(name);
  for (const { app } of applications) addNotes(app, 3);
  await watch.drain();
  for (const { name, app } of applications) expectRestored(await restored(at, name), contentOf(app));
});

test("databases that would share a name are refused before anything is written", async () => {
  const at = scene();
  for (const file of ALIKE) addNotes(openApplication(at.path(file)), 1);
  const before = tree(at.folder);
  const exit = await runWalrust(at, ["watch", ...ALIKE.map(at.path), "--bucket", at.address, "--once"]);
  expect(exit.code, exit.stderr).toBe(2);
  expect(exit.stderr).toMatch(/share the key prefix "app"/);
  expect(tree(at.folder)).toEqual(before);
});

test("databases that cannot be watched do not disturb the others, and are told at the end", async () => {
  const at = scene();
  const good = openApplication(at.path("good.db"));
  addNotes(good, 5);
  writeFileSync(at.path("bad.db"), "not a database".repeat(500));
  mkdirSync(at.path("folder.db"));
  const databases = ["good.db", "bad.db", "folder.db", "gone.db"].map(at.path);
  const watch = startWatch(at, { databases });
  let head = await watch.untilPublished("good");
  for (let commit = 0; commit < 5; commit++) {
    addNotes(good, 1);
    head = await watch.untilPublished("good", head);
  }
  for (const name of ["bad", "folder", "gone"]) {
    await watch.untilEvent("sync_failed", { matching: ({ database }) => database === name });
    expect(headTxid(at, name)).toBe(0n);
  }
  watch.child.kill("SIGTERM");
  const exit = await watch.child.exited;
  expect(exit.code, "not everything is stored").not.toBe(0);
  for (const name of ["bad", "folder", "gone"]) expect(exit.stderr).toContain(name);
  expectRestored(await restored(at, "good"), contentOf(good));
});

test("a database that goes bad while it is watched does not disturb the others", async () => {
  const at = scene();
  const applications = ["one", "two"].map((name) => {
    const app = openApplication(at.path(`${name}.db`));
    addNotes(app, 5);
    return { name, app };
  });
  const watch = startWatch(at, { databases: applications.map(({ name }) => at.path(`${name}.db`)) });
  for (const { name } of applications) await watch.untilPublished(name);
  const [one, two] = applications;
  if (one === undefined || two === undefined) throw new Error("two databases");
  one.app.close();
  for (const suffix of ["", "-wal", "-shm"]) rmSync(at.path(`one.db${suffix}`), { force: true });
  mkdirSync(at.path("one.db"));
  let head = headTxid(at, "two");
  for (let commit = 0; commit < 5; commit++) {
    addNotes(two.app, 1);
    head = await watch.untilPublished("two", head);
  }
  watch.child.kill("SIGTERM");
  await watch.child.exited;
  expectRestored(await restored(at, "two"), contentOf(two.app));
});

test("a glob takes up databases that appear later", async () => {
  const at = scene();
  mkdirSync(at.path("tenants"));
  const first = openApplication(at.path("tenants/first.db"));
  addNotes(first, 2);
  writeConfig(at, { databases: [{ path: at.path("tenants/*.db"), prefix: "tenants" }] });
  const watch = startWatch(at);
  await watch.untilPublished("tenants/first");
  const later = openApplication(at.path("tenants/later.db"));
  addNotes(later, 2);
  await watch.untilPublished("tenants/later");
  await watch.drain();
  expectRestored(await restored(at, "tenants/first"), contentOf(first));
  expectRestored(await restored(at, "tenants/later"), contentOf(later));
});

test("a database that another walrust watches is refused, and says by whom", async () => {
  const at = scene();
  const app = openApplication(at.path("app.db"));
  addNotes(app, 2);
  const watch = startWatch(at, { databases: [at.path("app.db")] });
  await watch.untilPublished("app");
  const second = await runWalrust(at, ["watch", at.path("app.db"), "--bucket", at.address, "--once"]);
  expect(second.code, second.stderr).toBe(2);
  expect(second.stderr).toContain(String(watch.child.pid));
  await watch.drain();
  await syncOnce(at, { databases: [at.path("app.db")] });
});
