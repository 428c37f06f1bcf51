import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import { addNotes, openApplication } from "../helpers/e2e/application.ts";
import { s3Storage } from "../helpers/e2e/s3-storage.ts";
import { scene } from "../helpers/e2e/scene.ts";
import { headTxid, indexedTxid, tree } from "../helpers/e2e/storage-folder.ts";
import { until } from "../helpers/e2e/until.ts";
import { startWatch } from "../helpers/e2e/walrust.ts";

const IDLE_MS = 3000;

test("an idle database makes no object and changes no byte in storage", async () => {
  const at = scene();
  const app = openApplication(at.path("app.db"));
  addNotes(app, 10);
  const watch = startWatch(at, { databases: [at.path("app.db")] });
  const first = await watch.untilPublished("app");
  addNotes(app, 1);
  const head = await watch.untilPublished("app", first);
  await until("the manifest names the head", () => indexedTxid(at, "app") === head);
  const before = tree(at.storage);
  await sleep(IDLE_MS);
  expect(tree(at.storage)).toEqual(before);
  expect(headTxid(at, "app")).toBe(head);
  await watch.drain();
});

test("an idle database makes no request", async () => {
  const at = scene();
  const storage = await s3Storage();
  const app = openApplication(at.path("app.db"));
  addNotes(app, 10);
  const watch = startWatch(at, { databases: [at.path("app.db")], ...storage });
  await watch.untilEvent("snapshot");
  addNotes(app, 1);
  await watch.untilEvent("published");
  const newestKey =
    [...storage.server.objects.keys()]
      .filter((key) => key.endsWith(".ltx"))
      .sort()
      .at(-1) ?? "";
  await until("the manifest names the newest object", () => {
    const manifest = storage.server.objects.get("app/manifest.json")?.body;
    return manifest?.includes(newestKey.slice("app/".length));
  });
  const { requests } = storage.server;
  await until("no request is under way", () => requests.every(({ status }) => status !== undefined));
  const before = requests.length;
  await sleep(IDLE_MS);
  expect(requests.slice(before)).toEqual([]);
  await watch.drain();
});
