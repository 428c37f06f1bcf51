import { copyFileSync } from "node:fs";
import { expect, test } from "vitest";
import { addNotes, contentOf, expectRestored, openApplication } from "../helpers/e2e/application.ts";
import { sampleTree } from "../helpers/e2e/process-tree.ts";
import { scene } from "../helpers/e2e/scene.ts";
import { tree } from "../helpers/e2e/storage-folder.ts";
import { restored, startWatch } from "../helpers/e2e/walrust.ts";

const DATABASES = 383;

test("383 databases at start: all are stored, memory stays bounded; a restart stores nothing", async () => {
  const at = scene();
  const app = openApplication(at.path("d0.db"));
  addNotes(app, 100, 900);
  app.pragma("wal_checkpoint(TRUNCATE)");
  const content = contentOf(app);
  app.close();
  const names = Array.from({ length: DATABASES }, (_, index) => `d${index}`);
  for (const name of names.slice(1)) copyFileSync(at.path("d0.db"), at.path(`${name}.db`));
  const databases = [at.path("*.db")];
  const watch = startWatch(at, { databases });
  for (const name of names) await watch.untilPublished(name, 0n, { limitMs: 60_000 });
  const { peakRssBytes } = sampleTree(watch.child.pid);
  expect(peakRssBytes / 1e6, "peak RSS, MB").toBeLessThan(200);
  await watch.drain();
  const before = tree(at.storage).filter((line) => line.includes(".ltx"));
  const again = startWatch(at, { databases });
  for (const name of names)
    await again.untilEvent("opened", { matching: (event) => event.database === name, limitMs: 60_000 });
  await again.drain();
  expect(tree(at.storage).filter((line) => line.includes(".ltx"))).toEqual(before);
  for (const name of ["d0", "d191", "d382"]) expectRestored(await restored(at, name), content);
});
