import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { expect, test } from "vitest";
import { addNotes, contentOf, expectRestored, openApplication } from "../helpers/e2e/application.ts";
import { scene } from "../helpers/e2e/scene.ts";
import { spaceOf } from "../helpers/e2e/small-disk.ts";
import { restored, startWatch } from "../helpers/e2e/walrust.ts";

test("the storage folder's disk is full: it says so, loses nothing, and goes on by itself when there is room", async () => {
  const at = scene();
  const space = spaceOf(at, 4_000_000);
  const storage = join(space.path, "storage");
  mkdirSync(storage, { recursive: true });
  const onDisk = { ...at, storage, address: pathToFileURL(storage).href };
  const app = openApplication(at.path("app.db"));
  addNotes(app, 20);
  const watch = startWatch(onDisk, { databases: [at.path("app.db")] });
  const head = await watch.untilPublished("app");
  space.fill(watch.child.pid);
  addNotes(app, 100, 5000);
  await watch.untilEvent("sync_failed");
  addNotes(app, 5);
  expect(watch.child.running()).toBe(true);
  space.free(watch.child.pid);
  await watch.untilPublished("app", head);
  await watch.drain();
  expectRestored(await restored(onDisk, "app"), contentOf(app));
}, 60_000);

test("the shadow folder's disk is full: the application goes on, nothing is lost, and it recovers by itself", async () => {
  const at = scene();
  const space = spaceOf(at, 2_000_000);
  const app = openApplication(at.path("app.db"));
  addNotes(app, 20);
  const args = [
    "--shadow-dir",
    join(space.path, "shadow"),
    "--checkpoint-interval",
    "200ms",
    "--min-checkpoint-pages",
    "1",
  ];
  const watch = startWatch(at, { databases: [at.path("app.db")], args });
  await watch.untilPublished("app");
  space.fill(watch.child.pid);
  for (let commit = 0; commit < 20; commit++) addNotes(app, 50, 2000);
  await watch.untilEvent("sync_failed");
  addNotes(app, 50, 2000);
  expect(watch.child.running()).toBe(true);
  space.free(watch.child.pid);
  addNotes(app, 3);
  await watch.untilEvent("recovered");
  await watch.drain();
  expectRestored(await restored(at, "app"), contentOf(app));
}, 60_000);
