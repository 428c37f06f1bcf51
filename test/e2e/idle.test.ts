import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import { until } from "../../src/bench/until.ts";
import { addNotes, openApplication } from "../helpers/e2e/application.ts";
import { s3Storage } from "../helpers/e2e/s3-storage.ts";
import { scene } from "../helpers/e2e/scene.ts";
import { headTxid, indexedTxid, tree } from "../helpers/e2e/storage-folder.ts";
import { startWatch } from "../helpers/e2e/walrust.ts";

const IDLE_MS = 3000;

test("an idle database makes no object, changes no byte in storage, and makes no request", async () => {
  const [ofFolder, ofS3] = await Promise.all([settledInFolder(), settledInS3()]);
  const before = [ofFolder(), ofS3()];
  await sleep(IDLE_MS);
  expect([ofFolder(), ofS3()]).toEqual(before);
});

/** Returns what storage looks like, once everything that follows a commit is over. */
async function settledInFolder(): Promise<() => unknown> {
  const at = scene();
  const app = openApplication(at.path("app.db"));
  addNotes(app, 10);
  const watch = startWatch(at, { databases: [at.path("app.db")] });
  const first = await watch.untilPublished("app");
  addNotes(app, 1);
  const head = await watch.untilPublished("app", first);
  await until("the manifest names the head", () => indexedTxid(at, "app") === head);
  return () => [watch.child.running(), headTxid(at, "app"), tree(at.storage)];
}

/** The same, with the requests that were made. */
async function settledInS3(): Promise<() => unknown> {
  const at = scene();
  const storage = await s3Storage();
  const { requests, objects } = storage.server;
  const app = openApplication(at.path("app.db"));
  addNotes(app, 10);
  const watch = startWatch(at, { databases: [at.path("app.db")], ...storage });
  await watch.untilEvent("snapshot");
  addNotes(app, 1);
  await watch.untilEvent("published");
  const newest =
    [...objects.keys()]
      .filter((key) => key.endsWith(".ltx"))
      .sort()
      .at(-1) ?? "";
  await until("the manifest names the newest object", () => {
    return objects.get("app/manifest.json")?.body.includes(newest.slice("app/".length));
  });
  await until("no request is under way", () => requests.every(({ status }) => status !== undefined));
  return () => [watch.child.running(), requests.length];
}
