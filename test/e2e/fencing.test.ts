import { mkdirSync, rmSync } from "node:fs";
import { expect, test } from "vitest";
import { until } from "../../src/bench/until.ts";
import { addNotes, contentOf, expectRestored, openApplication } from "../helpers/e2e/application.ts";
import { type Scene, scene } from "../helpers/e2e/scene.ts";
import { ltxFiles } from "../helpers/e2e/storage-folder.ts";
import { restored, runWalrust, startWatch } from "../helpers/e2e/walrust.ts";

/** A new writer waits 20 s for the old one, and the old one looks every 15 s. */
const LIMIT_MS = 60_000;

/** Two databases with an application each, whose copies go to the same place under the same name. */
function twoHomes(at: Scene) {
  return ["a", "b"].map((home) => {
    mkdirSync(at.path(home));
    const path = at.path(`${home}/app.db`);
    const app = openApplication(path);
    addNotes(app, home === "a" ? 5 : 50);
    return { path, app };
  }) as [Home, Home];
}

interface Home {
  readonly path: string;
  readonly app: ReturnType<typeof openApplication>;
}

test(
  "two daemons, one remote database: one publishes, the other one ends with exit 4 and says who writes",
  async () => {
    const at = scene();
    const [a, b] = twoHomes(at);
    const first = startWatch(at, { databases: [a.path] });
    await first.untilEvent("snapshot");
    const second = startWatch(at, { databases: [b.path] });
    await until(
      "the first one is fenced",
      () => {
        addNotes(a.app);
        return !first.child.running();
      },
      { limitMs: LIMIT_MS, everyMs: 200 },
    );
    const exit = await first.child.exited;
    expect(exit.code).toBe(4);
    expect(first.events("fenced")).toMatchObject([
      { database: "app", error: { code: "STORAGE_FENCED", details: { pid: second.child.pid, epoch: 2 } } },
    ]);
    await second.untilEvent("snapshot", { limitMs: LIMIT_MS });
    addNotes(b.app);
    const head = await second.untilPublished("app", ltxFiles(at, "app").at(-1)?.maxTxid ?? 0n);

    const back = await runWalrust(at, ["watch", a.path, "-b", at.address, "--once"]);
    expect(back.code, "it stays out").toBe(4);
    expect(back.stderr).toContain("--take-over");
    const snapshot = await runWalrust(at, ["snapshot", a.path, "-b", at.address]);
    expect(snapshot.code, "also by hand").toBe(4);
    expect(ltxFiles(at, "app").at(-1)?.maxTxid).toBe(head);

    await second.drain();
    expectRestored(await restored(at, "app"), contentOf(b.app));
    const verify = await runWalrust(at, ["verify", "app", "-b", at.address]);
    expect(verify.code, verify.stdout + verify.stderr).toBe(0);

    const taking = await runWalrust(at, ["watch", a.path, "-b", at.address, "--once", "--take-over"]);
    expect(taking.code, taking.stderr).toBe(0);
    expectRestored(await restored(at, "app"), contentOf(a.app));
  },
  2 * LIMIT_MS,
);

test("local state was lost, and the process that had it has ended: it goes on at once", async () => {
  const at = scene();
  const [home] = twoHomes(at);
  const before = startWatch(at, { databases: [home.path] });
  await before.untilEvent("snapshot");
  await before.drain();
  rmSync(at.path("a/.app.db-walrust"), { recursive: true });
  addNotes(home.app);
  const startedMs = performance.now();
  const after = startWatch(at, { databases: [home.path] });
  await after.untilEvent("snapshot");
  expect(performance.now() - startedMs, "without the 20 s of waiting for another writer").toBeLessThan(
    18_000,
  );
  await after.drain();
  expectRestored(await restored(at, "app"), contentOf(home.app));
});

test(
  "one of two databases is fenced: the other one goes on",
  async () => {
    const at = scene();
    const [a] = twoHomes(at);
    const other = openApplication(at.path("other.db"));
    addNotes(other, 3);
    const watch = startWatch(at, { databases: [a.path, at.path("other.db")] });
    await until("both are stored", () => watch.events("snapshot").length === 2);
    const intruder = startWatch(at, { databases: [at.path("b/app.db")] });
    await until("it has been taken over", () => intruder.child.stderr().includes("taking the backup over"));
    await until(
      "app is fenced",
      () => {
        addNotes(a.app);
        return watch.events("fenced").length > 0;
      },
      { limitMs: LIMIT_MS, everyMs: 200 },
    );
    addNotes(other, 1);
    await watch.untilEvent("published", { matching: ({ database }) => database === "other" });
    watch.child.kill("SIGTERM");
    const exit = await watch.child.exited;
    expect(exit.code).toBe(1);
    expect(exit.stderr).toContain("app (the backup app has another writer");
  },
  2 * LIMIT_MS,
);
