import { expect, test } from "vitest";
import { addNotes, contentOf, expectRestored, openApplication } from "../helpers/e2e/application.ts";
import { scene } from "../helpers/e2e/scene.ts";
import { restored, startWatch } from "../helpers/e2e/walrust.ts";
import { changePageSize } from "../helpers/sqlite/temp-database.ts";

test("every page size: first copy, increments, the end", async () => {
  const at = scene();
  const applications = [512, 1024, 2048, 4096, 8192, 16_384, 32_768, 65_536].map((pageSize) => {
    const path = at.path(`p${pageSize}.db`);
    const app = openApplication(path, { pageSize });
    addNotes(app, 40, pageSize / 2);
    return { name: `p${pageSize}`, path, pageSize, app };
  });
  const watch = startWatch(at, { databases: applications.map(({ path }) => path) });
  for (const { name, pageSize, app } of applications) {
    const head = await watch.untilPublished(name);
    addNotes(app, 10, pageSize * 3);
    await watch.untilPublished(name, head);
    app.exec("DELETE FROM notes WHERE id % 3 = 0");
  }
  await watch.drain();
  for (const { name, pageSize, app } of applications) {
    expect(app.pragma("page_size", { simple: true })).toBe(pageSize);
    expectRestored(await restored(at, name), contentOf(app));
  }
});

test("VACUUM shrinks the database between two increments", async () => {
  const at = scene();
  const app = openApplication(at.path("app.db"));
  addNotes(app, 300, 2000);
  const watch = startWatch(at, { databases: [at.path("app.db")] });
  let head = await watch.untilPublished("app");
  const pagesBefore = app.pragma("page_count", { simple: true }) as number;
  app.exec("DELETE FROM notes WHERE id > 20; VACUUM");
  expect(app.pragma("page_count", { simple: true })).toBeLessThan(pagesBefore / 4);
  head = await watch.untilPublished("app", head);
  expectRestored(await restored(at, "app"), contentOf(app));
  addNotes(app, 100, 2000);
  await watch.untilPublished("app", head);
  await watch.drain();
  expectRestored(await restored(at, "app"), contentOf(app));
});

for (const autoVacuum of ["FULL", "INCREMENTAL"] as const) {
  test(`auto_vacuum ${autoVacuum} cuts the end off while it is watched`, async () => {
    const at = scene();
    const app = openApplication(at.path("app.db"), { autoVacuum });
    addNotes(app, 300, 2000);
    const watch = startWatch(at, { databases: [at.path("app.db")] });
    let head = await watch.untilPublished("app");
    for (const least of [200, 100, 10]) {
      app.exec(`DELETE FROM notes WHERE id > ${least}; PRAGMA incremental_vacuum`);
      head = await watch.untilPublished("app", head);
      addNotes(app, 2);
    }
    await watch.drain();
    expectRestored(await restored(at, "app"), contentOf(app));
  });
}

test("the page size changes while it is watched: a new snapshot, and the same database", async () => {
  const at = scene();
  const path = at.path("app.db");
  const app = openApplication(path, { pageSize: 1024 });
  addNotes(app, 50, 500);
  const watch = startWatch(at, { databases: [path] });
  await watch.untilPublished("app");
  // Only outside WAL mode can VACUUM change the page size, so the daemon must have let go: it is stopped in between.
  await watch.drain();
  changePageSize(app, 8192);
  addNotes(app, 5);
  const again = startWatch(at, { databases: [path] });
  await again.untilEvent("snapshot");
  addNotes(app, 5);
  await again.drain();
  expect(app.pragma("page_size", { simple: true })).toBe(8192);
  expectRestored(await restored(at, "app"), contentOf(app));
});

test("one transaction of 64 MB", async () => {
  const at = scene();
  const app = openApplication(at.path("app.db"));
  addNotes(app, 5);
  const watch = startWatch(at, { databases: [at.path("app.db")] });
  const head = await watch.untilPublished("app");
  addNotes(app, 640, 100_000);
  await watch.untilPublished("app", head);
  await watch.drain();
  expectRestored(await restored(at, "app"), contentOf(app));
}, 120_000);
