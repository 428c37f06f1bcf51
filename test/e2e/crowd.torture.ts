import { copyFileSync, readdirSync } from "node:fs";
import { expect, test } from "vitest";
import { sampleTree } from "../../src/bench/process-tree.ts";
import { until } from "../../src/bench/until.ts";
import { addNotes, contentOf, expectRestored, openApplication } from "../helpers/e2e/application.ts";
import { scene } from "../helpers/e2e/scene.ts";
import { tree } from "../helpers/e2e/storage-folder.ts";
import { restored, startWatch } from "../helpers/e2e/walrust.ts";

const DATABASES = 383;

/** 16 stay open, with 8 descriptors each. */
const MOST_DESCRIPTORS = 200;

test("383 databases at start: all are stored, memory stays bounded, the quiet ones are parked; a restart stores nothing", async () => {
  const at = scene();
  const app = openApplication(at.path("d0.db"));
  addNotes(app, 100, 900);
  app.pragma("wal_checkpoint(TRUNCATE)");
  const content = contentOf(app);
  app.close();
  const names = Array.from({ length: DATABASES }, (_, index) => `d${index}`);
  for (const name of names.slice(1)) copyFileSync(at.path("d0.db"), at.path(`${name}.db`));
  const databases = [at.path("d*.db")];
  const watch = startWatch(at, { databases });
  for (const name of names) await watch.untilPublished(name, 0n, { limitMs: 60_000 });
  const { peakRssBytes } = sampleTree(watch.child.pid);
  expect(peakRssBytes / 1e6, "peak RSS, MB").toBeLessThan(200);
  const descriptors = () => readdirSync(`/proc/${watch.child.pid}/fd`).length;
  await until("the quiet ones are parked", () => descriptors() < MOST_DESCRIPTORS, { limitMs: 60_000 });
  const contents = new Map([["d7", content]]);
  for (const name of ["d0", "d191", "d382"]) {
    const woken = openApplication(at.path(`${name}.db`));
    addNotes(woken, 3, 900);
    await watch.untilPublished(name, 1n);
    contents.set(name, contentOf(woken));
    woken.close();
    expectRestored(await restored(at, name), contents.get(name) ?? content);
  }
  await until("they are parked again", () => descriptors() < MOST_DESCRIPTORS, { limitMs: 60_000 });
  await watch.drain();
  const before = tree(at.storage).filter((line) => line.includes(".ltx"));
  const again = startWatch(at, { databases });
  for (const name of names)
    await again.untilEvent("opened", { matching: (event) => event.database === name, limitMs: 60_000 });
  await again.drain();
  expect(tree(at.storage).filter((line) => line.includes(".ltx"))).toEqual(before);
  for (const [name, expected] of contents) expectRestored(await restored(at, name), expected);
});
