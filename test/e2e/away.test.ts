import { expect, test } from "vitest";
import {
  type Application,
  addNotes,
  contentOf,
  expectRestored,
  openApplication,
} from "../helpers/e2e/application.ts";
import { scene } from "../helpers/e2e/scene.ts";
import { bytesStored, ltxFiles } from "../helpers/e2e/storage-folder.ts";
import { restored, startWatch, syncOnce } from "../helpers/e2e/walrust.ts";

/** What the application may do while nobody watches. */
const WHILE_AWAY: readonly (readonly [what: string, work: (app: Application) => void])[] = [
  ["commits", () => {}],
  ["checkpoint PASSIVE", (app) => checkpoint(app, "PASSIVE")],
  ["checkpoint FULL", (app) => checkpoint(app, "FULL")],
  ["checkpoint RESTART, and the log begins again", (app) => checkpoint(app, "RESTART")],
  ["checkpoint TRUNCATE, and the log begins again", (app) => checkpoint(app, "TRUNCATE")],
  [
    "two restarts of the log",
    (app) => {
      checkpoint(app, "RESTART");
      addNotes(app, 3);
      checkpoint(app, "RESTART");
    },
  ],
];

const DATABASE_NOTES = 500;
const NOTE_BYTES = 2000;
/** A few notes change some ten pages; a new copy of the database would be a megabyte. */
const MOST_BYTES_FOR_CHANGES = 150_000;

test("stopped while the applications commit, checkpoint in every mode and restart the log", async () => {
  const at = scene();
  const applications = WHILE_AWAY.map(([what, work], index) => {
    const path = at.path(`app${index}.db`);
    const app = openApplication(path);
    addNotes(app, DATABASE_NOTES, NOTE_BYTES);
    return { what, work, name: `app${index}`, path, app };
  });
  const databases = applications.map(({ path }) => path);
  await syncOnce(at, { databases });
  const before = applications.map(({ name }) => ltxFiles(at, name));
  for (const { app, work } of applications) {
    addNotes(app, 3);
    work(app);
    addNotes(app, 2);
  }
  await syncOnce(at, { databases });
  for (const [index, { what, name, app }] of applications.entries()) {
    expectRestored(await restored(at, name), contentOf(app));
    const since = ltxFiles(at, name).slice(before[index]?.length);
    expect(since.length, what).toBeGreaterThan(0);
    expect(bytesStored(since), `${what}: only changed pages`).toBeLessThan(MOST_BYTES_FOR_CHANGES);
  }
});

test("stopped while the application's last close deletes the log", async () => {
  const at = scene();
  const app = openApplication(at.path("app.db"));
  addNotes(app, DATABASE_NOTES, NOTE_BYTES);
  await syncOnce(at, { databases: [at.path("app.db")] });
  const before = ltxFiles(at, "app");
  addNotes(app, 3);
  const content = contentOf(app);
  app.close();
  await syncOnce(at, { databases: [at.path("app.db")] });
  expectRestored(await restored(at, "app"), content);
  expect(bytesStored(ltxFiles(at, "app").slice(before.length)), "only changed pages").toBeLessThan(
    MOST_BYTES_FOR_CHANGES,
  );
});

test("killed, then the log restarts twice and is deleted: nothing is missing, only changed pages are stored", async () => {
  const at = scene();
  const app = openApplication(at.path("app.db"));
  addNotes(app, DATABASE_NOTES, NOTE_BYTES);
  const watch = startWatch(at, { databases: [at.path("app.db")] });
  await watch.untilEvent("snapshot");
  addNotes(app, 1);
  await watch.kill();
  const before = ltxFiles(at, "app");
  addNotes(app, 3);
  checkpoint(app, "TRUNCATE");
  addNotes(app, 3);
  checkpoint(app, "RESTART");
  addNotes(app, 3);
  const content = contentOf(app);
  app.close();
  await syncOnce(at, { databases: [at.path("app.db")] });
  expectRestored(await restored(at, "app"), content);
  expect(bytesStored(ltxFiles(at, "app").slice(before.length)), "only changed pages").toBeLessThan(
    MOST_BYTES_FOR_CHANGES,
  );
});

test("a restart without changes stores nothing", async () => {
  const at = scene();
  const app = openApplication(at.path("app.db"));
  addNotes(app, 20);
  await syncOnce(at, { databases: [at.path("app.db")] });
  const before = ltxFiles(at, "app");
  await syncOnce(at, { databases: [at.path("app.db")] });
  expect(ltxFiles(at, "app")).toEqual(before);
});

function checkpoint(app: Application, mode: "PASSIVE" | "FULL" | "RESTART" | "TRUNCATE"): void {
  const [result] = app.pragma(`wal_checkpoint(${mode})`) as { readonly busy: number }[];
  expect(result?.busy, "the checkpoint is done").toBe(0);
}
