import { execFileSync } from "node:child_process";
import { rmSync } from "node:fs";
import { expect, test } from "vitest";
import { addNotes, openApplication } from "../helpers/e2e/application.ts";
import { scene } from "../helpers/e2e/scene.ts";
import { makeSparseDatabase } from "../helpers/e2e/sparse-database.ts";
import { ltxFiles } from "../helpers/e2e/storage-folder.ts";
import { restored, startWatch } from "../helpers/e2e/walrust.ts";

for (const pageSize of [512, 4096, 65_536]) {
  test(`a database across the lock page at 1 GiB, page size ${pageSize}`, async () => {
    const at = scene();
    const path = at.path("app.db");
    makeSparseDatabase(path, pageSize);
    const app = openApplication(path, { pageSize });
    const pages = app.pragma("page_count", { simple: true });
    const watch = startWatch(at, { databases: [path] });
    let head = await watch.untilPublished("app", 0n, { limitMs: 120_000 });
    addNotes(app, 20, pageSize);
    head = await watch.untilPublished("app", head);
    addNotes(app, 20, pageSize);
    await watch.drain();
    expect(
      app.pragma("page_count", { simple: true }),
      "its free pages on both sides of 1 GiB were used",
    ).toBe(pages);
    const snapshots = ltxFiles(at, "app").filter(({ minTxid }) => minTxid === 1n);
    expect(snapshots.length).toBe(1);
    app.pragma("wal_checkpoint(TRUNCATE)");
    app.close();
    const out = await restored(at, "app", ["--integrity-check", "full"]);
    execFileSync("cmp", [path, out]);
    for (const file of [path, out]) rmSync(file);
  });
}
