import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { expect, test } from "vitest";
import { addNotes, contentOf, expectRestored, openApplication } from "../helpers/e2e/application.ts";
import { s3Storage } from "../helpers/e2e/s3-storage.ts";
import { scene } from "../helpers/e2e/scene.ts";
import { spaceOf } from "../helpers/e2e/small-disk.ts";
import { restored, runWalrust, startWatch } from "../helpers/e2e/walrust.ts";

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
}, 120_000);

test("storage is away and the shadow folder's disk is full: the application goes on, nothing is lost, it recovers by itself", async () => {
  const at = scene();
  const storage = await s3Storage();
  const space = spaceOf(at, 2_000_000);
  const app = openApplication(at.path("app.db"));
  addNotes(app, 20);
  const shadow = ["--shadow-dir", join(space.path, "shadow")];
  const handoverAlways = ["--checkpoint-interval", "200ms", "--min-checkpoint-pages", "1"];
  const watch = startWatch(at, {
    ...storage,
    databases: [at.path("app.db")],
    args: [...storage.args, ...shadow, ...handoverAlways],
  });
  await watch.untilEvent("snapshot");
  await storage.server.outage(true);
  space.fill(watch.child.pid);
  for (let commit = 0; commit < 20; commit++) addNotes(app, 50, 2000);
  await watch.untilEvent("sync_failed", { matching: ({ error }) => codeOf(error) === "LOCAL_DISK_FULL" });
  addNotes(app, 50, 2000);
  expect(watch.child.running()).toBe(true);
  space.free(watch.child.pid);
  await storage.server.outage(false);
  await watch.untilEvent("recovered");
  await watch.drain();
  const out = at.path("out.db");
  const args = ["restore", "app", "-o", out, "--bucket", storage.address, ...storage.args];
  const exit = await runWalrust(at, args, { env: storage.env });
  expect(exit.code, exit.stderr).toBe(0);
  expectRestored(out, contentOf(app));
}, 120_000);

function codeOf(error: unknown): unknown {
  return typeof error === "object" && error !== null && "code" in error ? error.code : undefined;
}
