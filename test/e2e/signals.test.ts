import { existsSync, writeFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { pathToFileURL } from "node:url";
import { describe, expect, test } from "vitest";
import { until } from "../../src/bench/until.ts";
import { addNotes, contentOf, expectRestored, openApplication } from "../helpers/e2e/application.ts";
import { s3Storage } from "../helpers/e2e/s3-storage.ts";
import { type Scene, scene } from "../helpers/e2e/scene.ts";
import { headTxid } from "../helpers/e2e/storage-folder.ts";
import { restored, runWalrust, startWatch, syncOnce } from "../helpers/e2e/walrust.ts";

/** A signal to a process that waits is handled at once. */
const HEARD_MS = 300;

/** So long that nothing is published between two commits unless the end asks for it. */
const NEVER = "1h";

for (const signal of ["SIGTERM", "SIGINT"] as const) {
  test(`${signal} publishes what is pending`, async () => {
    const at = scene();
    const app = openApplication(at.path("app.db"));
    addNotes(app, 2);
    const watch = startWatch(at, { databases: [at.path("app.db")], syncInterval: NEVER });
    const head = await watch.untilPublished("app");
    for (let commit = 0; commit < 20; commit++) addNotes(app, 1);
    watch.child.kill(signal);
    expect((await watch.child.exited).code).toBe(0);
    expect(headTxid(at, "app")).toBe(head + 20n);
    expectRestored(await restored(at, "app"), contentOf(app));
  });
}

test("storage cannot be reached at SIGTERM: a non-zero exit that names the database, and nothing lost", async () => {
  const at = scene();
  const storage = await s3Storage();
  const app = openApplication(at.path("app.db"));
  addNotes(app, 2);
  const options = { databases: [at.path("app.db")], ...storage };
  const watch = startWatch(at, options);
  await watch.untilEvent("snapshot");
  await storage.server.outage(true);
  addNotes(app, 3);
  watch.child.kill("SIGTERM");
  await until("the daemon ends", () => !watch.child.running(), { limitMs: 60_000 });
  const exit = await watch.child.exited;
  expect(exit.code, exit.stderr).not.toBe(0);
  expect(exit.signal).toBe(null);
  expect(exit.stderr).toContain("app");
  await storage.server.outage(false);
  await syncOnce(at, options);
  const out = at.path("out.db");
  const bucket = ["--bucket", storage.address, ...storage.args];
  const restore = await runWalrust(at, ["restore", "app", "-o", out, ...bucket], { env: storage.env });
  expect(restore.code, restore.stderr).toBe(0);
  expectRestored(out, contentOf(app));
}, 180_000);

/** A module that Node loads first: sends the signal in the moment in which the program begins to listen to it. */
const AT_ONCE = `
process.on("newListener", (name) => {
  if (name === process.env.SIGNAL) setImmediate(() => process.kill(process.pid, name));
});
`;

function signalledAtOnce(at: Scene, signal: NodeJS.Signals) {
  writeFileSync(at.path("at-once.mjs"), AT_ONCE);
  return { SIGNAL: signal, NODE_OPTIONS: `--import=${pathToFileURL(at.path("at-once.mjs")).href}` };
}

describe("in the first moment", () => {
  test("SIGHUP ends nothing, and is taken for what it asks", async () => {
    const at = scene();
    const app = openApplication(at.path("app.db"));
    addNotes(app, 2);
    writeFileSync(at.path("walrust.toml"), '[[databases]]\npath = "app.db"\n');
    const watch = startWatch(at, { env: signalledAtOnce(at, "SIGHUP") });
    const head = await watch.untilPublished("app");
    await until("it is said", () => watch.child.stderr().includes("configuration read again"));
    addNotes(app, 1);
    await watch.untilPublished("app", head);
    await watch.drain();
  });

  test("SIGHUP ends what reads no configuration again", async () => {
    const at = scene();
    const exit = await runWalrust(at, ["watch", "app.db", "--once", "--bucket", at.address], {
      env: signalledAtOnce(at, "SIGHUP"),
    });
    expect(exit).toMatchObject({ code: 1, signal: null });
    expect(exit.stderr).toContain("stopped before it was done");
  });

  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    test(`${signal} ends it before anything is opened`, async () => {
      const at = scene();
      addNotes(openApplication(at.path("app.db")), 2);
      const args = ["watch", "app.db", "--bucket", at.address];
      const env = signalledAtOnce(at, signal);
      const exit = await runWalrust(at, args, { env });
      expect(exit).toMatchObject({ code: 1, signal: null, stderr: "error: stopped before it was done\n" });
      expect(existsSync(at.path(".app.db-walrust"))).toBe(false);
      const around = await runWalrust(at, [...args, "--exec", "touch begun; sleep 600"], { env });
      expect(around).toMatchObject({ code: 1, signal: null });
      expect(existsSync(at.path("begun")), "nobody would tell it to end").toBe(false);
    });
  }
});

test("a second signal ends at once", async () => {
  const at = scene();
  const storage = await s3Storage();
  const app = openApplication(at.path("app.db"));
  addNotes(app, 2);
  const watch = startWatch(at, { databases: [at.path("app.db")], ...storage });
  await watch.untilEvent("snapshot");
  storage.server.faults.add({ kind: "stall", when: "before" }, () => true, { times: 1000 });
  const requests = storage.server.requests.length;
  addNotes(app, 3);
  await until("a request that stalls", () => storage.server.requests.length > requests);
  watch.child.kill("SIGTERM");
  await sleep(HEARD_MS);
  expect(watch.child.running(), "it still tries to publish").toBe(true);
  // Signals that a busy machine has not delivered yet become one: another one, then. By itself it would end after 30 s.
  const end = () => {
    watch.child.kill("SIGTERM");
    return !watch.child.running();
  };
  await until("it ends", end, { limitMs: 20_000, everyMs: HEARD_MS });
  const exit = await watch.child.exited;
  expect(exit.code).not.toBe(0);
});

test("--once publishes everything and ends", async () => {
  const at = scene();
  const app = openApplication(at.path("app.db"));
  addNotes(app, 10);
  await syncOnce(at, { databases: [at.path("app.db")] });
  expectRestored(await restored(at, "app"), contentOf(app));
  addNotes(app, 1);
  await syncOnce(at, { databases: [at.path("app.db")] });
  expectRestored(await restored(at, "app"), contentOf(app));
});

/** An application that commits its argument as its last act, then ends with 7. */
const LAST_ACT = `
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("INSERT INTO notes (body) VALUES (?)", (sys.argv[2],))
sys.exit(7)
`;

test("--exec runs the application, publishes its last commit, and gives its exit code", async () => {
  const at = scene();
  const app = openApplication(at.path("app.db"));
  addNotes(app, 3);
  writeFileSync(at.path("last-act.py"), LAST_ACT);
  const command = `python3 ${at.path("last-act.py")} ${at.path("app.db")} goodbye`;
  const watch = startWatch(at, { databases: [at.path("app.db")], args: ["--exec", command] });
  const exit = await watch.child.exited;
  expect(exit.code, exit.stderr).toBe(7);
  expect(app.prepare("SELECT body FROM notes ORDER BY id DESC").pluck().get()).toBe("goodbye");
  expectRestored(await restored(at, "app"), contentOf(app));
});

test("--exec: a signal goes to the application, and its end is ours", async () => {
  const at = scene();
  const app = openApplication(at.path("app.db"));
  addNotes(app, 3);
  const command = `trap 'exit 9' TERM; touch ${at.path("ready")}; while :; do sleep 0.05; done`;
  const watch = startWatch(at, { databases: [at.path("app.db")], args: ["--exec", command] });
  await until("the application runs", () => existsSync(at.path("ready")));
  watch.child.kill("SIGTERM");
  const exit = await watch.child.exited;
  expect(exit.code, exit.stderr).toBe(9);
  expectRestored(await restored(at, "app"), contentOf(app));
});
