import { rmSync } from "node:fs";
import { expect, test } from "vitest";
import { until } from "../../src/bench/until.ts";
import { addNotes, openApplication } from "../helpers/e2e/application.ts";
import { expectFound, soundChain } from "../helpers/e2e/damaged-chain.ts";
import { scene } from "../helpers/e2e/scene.ts";
import { indexedTxid, ltxFiles } from "../helpers/e2e/storage-folder.ts";
import { startWatch } from "../helpers/e2e/walrust.ts";

test("the newest object deleted, though the manifest names it: restore and verify say so", async () => {
  const at = await soundChain();
  const newest = ltxFiles(at, "app").at(-1);
  if (newest === undefined) throw new Error("a chain has files");
  rmSync(newest.file);
  await expectFound(at, "the newest object dropped");
});

test("the manifest is written soon after a burst ends: a head deleted after that is missed, also when the daemon was killed", async () => {
  const at = scene();
  const app = openApplication(at.path("app.db"));
  addNotes(app, 5);
  const watch = startWatch(at, { databases: [at.path("app.db")] });
  let head = await watch.untilPublished("app");
  for (let commit = 0; commit < 3; commit++) {
    addNotes(app, 1);
    head = await watch.untilPublished("app", head);
  }
  await until("the manifest names the head", () => indexedTxid(at, "app") === head);
  await watch.kill();
  const newest = ltxFiles(at, "app").at(-1);
  if (newest === undefined) throw new Error("a chain has files");
  expect(newest.maxTxid).toBe(head);
  rmSync(newest.file);
  await expectFound(at, "the newest object dropped after a kill");
});
