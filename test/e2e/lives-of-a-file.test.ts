import { copyFileSync, existsSync, renameSync, rmSync } from "node:fs";
import { expect, test } from "vitest";
import { until } from "../../src/bench/until.ts";
import { addNotes, contentOf, expectRestored, openApplication } from "../helpers/e2e/application.ts";
import { type Scene, scene } from "../helpers/e2e/scene.ts";
import { headTxid } from "../helpers/e2e/storage-folder.ts";
import { restored, startWatch } from "../helpers/e2e/walrust.ts";
import { assertPrefix } from "../helpers/writers/assert-prefix.ts";
import { startWriter } from "../helpers/writers/start-writer.ts";

test("replaced by rename under the same path: every restore is the old or the new database", async () => {
  const at = scene();
  const path = at.path("app.db");
  const old = openApplication(path);
  addNotes(old, 200, 500);
  const fresh = openApplication(at.path("fresh.db"));
  addNotes(fresh, 150, 700);
  const watch = startWatch(at, { databases: [path] });
  const head = await watch.untilPublished("app");
  addNotes(old, 3);
  await watch.untilPublished("app", head);
  const oldContent = contentOf(old);
  old.close();
  fresh.pragma("wal_checkpoint(TRUNCATE)");
  const freshContent = contentOf(fresh);
  fresh.close();
  removeLog(path);
  renameSync(at.path("fresh.db"), path);

  const which = await until(
    "the new database can be restored",
    async () => expectRestored(await restored(at, "app"), oldContent, freshContent) === 1,
    { everyMs: 100 },
  );
  expect(which).toBe(true);
  const app = openApplication(path);
  addNotes(app, 4);
  await watch.drain();
  expectRestored(await restored(at, "app"), contentOf(app));
});

test("replaced by an older copy of itself: the restore is that copy", async () => {
  const at = scene();
  const path = at.path("app.db");
  const app = openApplication(path);
  addNotes(app, 50);
  app.close();
  copyFileSync(path, at.path("backup.db"));
  const later = openApplication(path);
  const watch = startWatch(at, { databases: [path] });
  const head = await watch.untilPublished("app");
  addNotes(later, 10);
  await watch.untilPublished("app", head);
  later.close();
  removeLog(path);
  renameSync(at.path("backup.db"), path);
  const again = openApplication(path);
  addNotes(again, 1);
  const content = contentOf(again);
  await untilRestoredIs(at, content);
  await watch.drain();
  expectRestored(await restored(at, "app"), content);
});

test("deleted and made again: the old one stays restorable until the new one is stored", async () => {
  const at = scene();
  const path = at.path("app.db");
  const old = openApplication(path);
  addNotes(old, 30);
  const watch = startWatch(at, { databases: [path] });
  await watch.untilPublished("app");
  const oldContent = contentOf(old);
  old.close();
  rmSync(path);
  removeLog(path);
  expectRestored(await restored(at, "app"), oldContent);
  const fresh = openApplication(path);
  addNotes(fresh, 10);
  await untilRestoredIs(at, contentOf(fresh));
  addNotes(fresh, 1);
  await watch.drain();
  expectRestored(await restored(at, "app"), contentOf(fresh));
});

test("short-lived writers: open, one commit, close, in a loop, from before the daemon opens", async () => {
  const at = scene();
  const database = at.path("app.db");
  const before = await startWriter({ database, transactions: 20, reopen: true });
  await before.done();
  expect(existsSync(`${database}-wal`), "the last close deleted the log").toBe(false);
  const watch = startWatch(at, { databases: [database] });
  await watch.untilPublished("app");
  const writer = await startWriter({ database, transactions: 300, reopen: true, rate: 150 });
  await writer.done();
  const written = writer.acknowledged();
  const head = headTxid(at, "app");
  await watch.drain();
  expect(written).toBe(320);
  expect(headTxid(at, "app")).toBeGreaterThanOrEqual(head);
  assertPrefix(await restored(at, "app"), { atLeast: written, atMost: written });
});

/** The application is closed: what it left of its log belongs to the file that is about to go. */
function removeLog(path: string): void {
  rmSync(`${path}-wal`, { force: true });
  rmSync(`${path}-shm`, { force: true });
}

async function untilRestoredIs(at: Scene, content: Buffer): Promise<void> {
  await until(
    "the database as it is now can be restored",
    async () => {
      expectRestored(await restored(at, "app"), content);
      return true;
    },
    { everyMs: 100 },
  );
}
