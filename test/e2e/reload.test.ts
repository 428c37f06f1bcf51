import { renameSync, writeFileSync } from "node:fs";
import { expect, test } from "vitest";
import { until } from "../../src/bench/until.ts";
import { addNotes, contentOf, expectRestored, openApplication } from "../helpers/e2e/application.ts";
import { type Scene, scene } from "../helpers/e2e/scene.ts";
import { headTxid } from "../helpers/e2e/storage-folder.ts";
import { restored, startWatch } from "../helpers/e2e/walrust.ts";

/** Editors write a new file and put it in the place of the old one. */
function save(at: Scene, toml: string): void {
  writeFileSync(at.path("walrust.toml.new"), toml);
  renameSync(at.path("walrust.toml.new"), at.path("walrust.toml"));
}

const databases = (...names: readonly string[]) =>
  names.map((name) => `[[databases]]\npath = "${name}"\n`).join("");

test("a running watch takes up its edited file; a bad edit is reported and changes nothing; SIGHUP", async () => {
  const at = scene();
  const apps = ["one.db", "two.db", "three.db"].map((name) => openApplication(at.path(name)));
  const [one, two, three] = apps;
  if (!one || !two || !three) throw new Error("three applications");
  for (const app of apps) addNotes(app, 2);
  save(at, databases("one.db"));
  const watch = startWatch(at);
  await watch.untilPublished("one");

  save(at, databases("one.db", "two.db"));
  await watch.untilPublished("two");

  save(at, `${databases("one.db", "three.db")}[sync]\nmax_change = 3\n`);
  await until("the mistake is reported", () =>
    watch.child.stderr().includes("walrust.toml:6: sync.max_change: unknown key (did you mean max_changes?)"),
  );
  addNotes(one, 1);
  addNotes(two, 1);
  await watch.untilPublished("one", 1n);
  await watch.untilPublished("two", 1n);
  expect(watch.events("closed"), "nothing stops").toEqual([]);

  save(at, databases("two.db", "three.db"));
  watch.child.kill("SIGHUP");
  await watch.untilPublished("three");
  const closed = await watch.untilEvent("closed");
  expect(closed).toMatchObject({ database: "one", unpublished: 0 });
  expect(watch.child.stderr()).toContain("configuration read again; begun: three; ended: one");

  addNotes(three, 4);
  await watch.drain();
  for (const [name, app] of [
    ["one", one],
    ["two", two],
    ["three", three],
  ] as const) {
    expectRestored(await restored(at, name), contentOf(app));
  }
}, 120_000);

test("other settings hold from now on; what cannot change while it runs is said; flags still win", async () => {
  const at = scene();
  const app = openApplication(at.path("app.db"));
  addNotes(app, 2);
  save(at, databases("app.db"));
  const watch = startWatch(at, { syncInterval: "100ms" });
  await watch.untilPublished("app");
  save(
    at,
    `[sync]\nwal_sync_interval = "1h"\nmax_changes = 3\n[shadow]\nmax_size = "1GiB"\n${databases("app.db")}`,
  );
  await until("it is said", () =>
    watch.child.stderr().includes("shadow.max_size changed: that takes effect when walrust is started again"),
  );
  await until("it is taken up", () => watch.child.stderr().includes("read again; other settings: app"));
  for (let commit = 0; commit < 3; commit += 1) addNotes(app, 1);
  await watch.untilEvent("snapshot", { matching: ({ trigger }) => trigger === "max_changes" });
  expect(watch.events("closed"), "it stays open").toEqual([]);
  await watch.drain();
}, 120_000);

test("reloads while a writer works: nothing is opened again, nothing repaired", async () => {
  const at = scene();
  const app = openApplication(at.path("app.db"));
  addNotes(app, 2);
  save(at, databases("app.db"));
  const watch = startWatch(at);
  await watch.untilPublished("app");
  const reloads = () => watch.child.stderr().split("other settings: app").length - 1;
  for (let reload = 1; reload <= 5; reload += 1) {
    save(at, `[sync]\nsnapshot_interval = "${reload + 1}h"\n${databases("app.db")}`);
    watch.child.kill("SIGHUP");
    await until("it is taken up", () => {
      addNotes(app, 1);
      return reloads() >= reload;
    });
  }
  await watch.drain();
  expect(watch.events("opened")).toHaveLength(1);
  expect(watch.events("gap_repaired")).toEqual([]);
  expectRestored(await restored(at, "app"), contentOf(app));
}, 120_000);

test("SIGHUP without a configuration file says so, and ends nothing", async () => {
  const at = scene();
  const app = openApplication(at.path("app.db"));
  addNotes(app, 2);
  const watch = startWatch(at, { databases: ["app.db"] });
  const head = await watch.untilPublished("app");
  watch.child.kill("SIGHUP");
  await until("it is said", () => watch.child.stderr().includes("there is no configuration file"));
  addNotes(app, 1);
  await watch.untilPublished("app", head);
  await watch.drain();
});

/** Runs the arguments in a terminal of its own, which goes away when a line comes on stdin. */
const TERMINAL = `
import os, pty, sys
pid, terminal = pty.fork()
if pid == 0:
    os.execvp(sys.argv[1], sys.argv[1:])
sys.stdin.readline()
os.close(terminal)
os.waitpid(pid, 0)
`;

test("the terminal that it runs in goes away: it ends in order", async () => {
  const at = scene();
  const app = openApplication(at.path("app.db"));
  addNotes(app, 2);
  writeFileSync(at.path("terminal.py"), TERMINAL);
  const watch = startWatch(at, {
    databases: ["app.db"],
    under: ["python3", at.path("terminal.py")],
    syncInterval: "1h",
  });
  const head = await watch.untilPublished("app");
  addNotes(app, 1);
  watch.child.write("close\n");
  await watch.child.exited; // with which code, nobody is there to see: Node itself aborts where its terminal is gone
  expect(headTxid(at, "app")).toBe(head + 1n);
  expectRestored(await restored(at, "app"), contentOf(app));
});
