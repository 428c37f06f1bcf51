import { execFileSync } from "node:child_process";
import { existsSync, writeFileSync } from "node:fs";
import path from "node:path";
import { pathToFileURL } from "node:url";
import Database from "better-sqlite3";
import { beforeEach, describe, expect, onTestFinished, test } from "vitest";
import { spawnChild } from "../../src/bench/child.ts";
import { until } from "../../src/bench/until.ts";
import type * as Library from "../../src/index.ts";
import { addNotes, contentOf, openApplication } from "../helpers/e2e/application.ts";
import { type Scene, scene } from "../helpers/e2e/scene.ts";

// What is shipped: the library starts the program that lies beside it.
const LIBRARY = pathToFileURL(path.resolve("dist/index.js")).href;
const { Walrust, WalrustError }: typeof Library = await import(LIBRARY);

let at: Scene;
let walrust: Library.Walrust;
beforeEach(() => {
  at = scene();
  walrust = new Walrust(at.address, { env: { PATH: process.env["PATH"] } });
});

function running(watch: Library.WatchProcess): Library.WatchProcess {
  onTestFinished(() => watch.stop().catch(() => {}));
  return watch;
}

test("a bad address is refused at once", () => {
  expect(() => new Walrust("ftp://copies")).toThrow(
    expect.objectContaining({ code: "CONFIG_INVALID", exitCode: 2 }),
  );
});

test("snapshot, list, restore points, verify, restore", async () => {
  const app = openApplication(at.path("app.db"));
  addNotes(app, 3);
  const taken = await walrust.snapshot({ path: at.path("app.db"), prefix: "eu/shop" });
  expect(taken).toMatchObject({ name: "eu/shop", txid: expect.any(BigInt), takenBy: "here" });
  expect(existsSync(path.join(at.storage, taken.key))).toBe(true);
  expect(await walrust.list()).toMatchObject([{ name: "eu/shop", txid: taken.txid }]);
  expect((await walrust.restorePoints("eu/shop")).points).toMatchObject([
    { txid: taken.txid, isSnapshot: true },
  ]);
  expect((await walrust.verify("eu/shop")).findings).toEqual([]);

  const seen: number[] = [];
  const onProgress = ({ doneBytes }: Library.RestoreProgress) => seen.push(doneBytes);
  const result = await walrust.restore("eu/shop", at.path("out.db"), { txid: taken.txid, onProgress });
  expect(result.point.txid).toBe(taken.txid);
  expect(seen.at(-1)).toBe(taken.sizeBytes);
  expect(contentOf(openApplication(at.path("out.db")))).toEqual(contentOf(app));
});

test("compact: what would go, and without it", async () => {
  const app = openApplication(at.path("app.db"));
  for (let i = 0; i < 3; i += 1) {
    addNotes(app, 3);
    await walrust.snapshot(at.path("app.db"));
  }
  const planned = await walrust.compact("app");
  expect(planned).toMatchObject({ isDone: false, plan: { snapshots: [{}] } });
  expect(planned.plan.deletions.length).toBeGreaterThan(2);
  expect((await walrust.list())[0]?.files).toBeGreaterThan(3);
  const done = await walrust.compact("app", { hourly: 0, force: true });
  expect(done).toMatchObject({ isDone: true, policy: { retention: { hourly: 0, daily: 7 } } });
  expect(done.sizeBytesAfter).toBeLessThan(done.sizeBytesBefore);
  expect((await walrust.list())[0]?.files).toBe(1);
  expect((await walrust.verify("app")).findings).toEqual([]);
  const nothing = { hourly: 0, daily: 0, weekly: 0, monthly: 0 };
  expect(() => walrust.compact("app", nothing)).toThrow(expect.objectContaining({ code: "USAGE" }));
});

test("encrypted: the key's file is found from here, by this process and by its children", async () => {
  addNotes(openApplication(at.path("app.db")), 3);
  writeFileSync(at.path("backup.key"), "0123456789abcdef".repeat(4), { mode: 0o600 });
  const file = path.relative(process.cwd(), at.path("backup.key"));
  const env = { PATH: process.env["PATH"], BACKUP_KEY: "0123456789abcdef".repeat(4) };
  const encrypted = new Walrust(at.address, { env, encryption: { kind: "file", path: file } });
  const { name, key } = await encrypted.snapshot(at.path("app.db"));
  expect({ name, key }).toEqual({ name: "app", key: "app/00000001-00000001.ltx" });
  expect(existsSync(path.join(at.storage, "app"))).toBe(false);
  const same = new Walrust(at.address, { env, encryption: { kind: "env", variable: "BACKUP_KEY" } });
  await same.snapshot(at.path("app.db"));
  expect(await same.list()).toMatchObject([{ name: "app" }]);
  await expect(walrust.list()).rejects.toMatchObject({ code: "CONFIG_INVALID" });
  const options = { encryption: { kind: "env", variable: "BACKUP_KEY" }, layout: "litestream" } as const;
  expect(() => new Walrust(at.address, options)).toThrow(expect.objectContaining({ code: "CONFIG_INVALID" }));
});

test("a manifest is made again", async () => {
  addNotes(openApplication(at.path("app.db")), 3);
  await walrust.snapshot(at.path("app.db"));
  writeFileSync(path.join(at.storage, "app", "manifest.json"), "{");
  const { report, fix } = await walrust.verifyAndFix("app");
  expect(fix).toEqual({ kind: "written", named: 1, forgotten: [] });
  expect(report).toMatchObject({ manifest: "damaged", findings: [{ kind: "damaged" }] });
  expect(await walrust.verify("app")).toMatchObject({ manifest: "ok", findings: [] });
});

describe("errors are typed", () => {
  test("of this process", async () => {
    const error = await walrust.restore("nobody", at.path("out.db")).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(WalrustError);
    expect(error).toMatchObject({ code: "RESTORE_NOTHING", exitCode: 6 });
    expect(() => walrust.restore("app", "out.db", { txid: 1n, pointInTime: new Date() })).toThrow(
      WalrustError,
    );
  });

  test("of the child process", async () => {
    const error = await walrust.snapshot(at.path("gone.db")).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(WalrustError);
    expect(error).toMatchObject({ code: "DATABASE_NOT_FOUND", exitCode: 3, hint: expect.any(String) });
  });
});

describe("watch", () => {
  test("publishes until it is stopped, with its settings and its events", async () => {
    const app = openApplication(at.path("app.db"));
    addNotes(app);
    const events: Readonly<Record<string, unknown>>[] = [];
    const onEvent = (event: Readonly<Record<string, unknown>>) => events.push(event);
    const watch = running(walrust.watch([at.path("app.db")], { sync: { walSyncIntervalMs: 50 }, onEvent }));
    await until("the first snapshot", () => events.some(({ type }) => type === "snapshot"));
    addNotes(app);
    await watch.stop();
    expect(events.at(-1)).toMatchObject({ type: "closed", unpublished: 0 });
    await walrust.restore("app", at.path("out.db"));
    expect(contentOf(openApplication(at.path("out.db")))).toEqual(contentOf(app));
  });

  test("starts again when the daemon dies", async () => {
    addNotes(openApplication(at.path("app.db")));
    const opened: unknown[] = [];
    const onEvent = (event: Readonly<Record<string, unknown>>) => {
      if (event["type"] === "opened") opened.push(event);
    };
    const watch = running(walrust.watch([at.path("app.db")], { onEvent }));
    await until("the daemon is up", () => opened.length === 1);
    process.kill(watch.pid as number, "SIGKILL");
    await until("the next daemon is up", () => opened.length === 2);
    await watch.stop();
  });

  test("a mistake in the settings ends it with the error", async () => {
    const watch = running(walrust.watch([at.path("app.db"), at.path("app.sqlite")]));
    await expect(watch.ended).rejects.toMatchObject({ code: "CONFIG_INVALID", exitCode: 2 });
  });

  test("the daemon does not outlive the program that wanted it", async () => {
    addNotes(openApplication(at.path("app.db")));
    const program = `
      import { Walrust } from ${JSON.stringify(LIBRARY)};
      const watch = new Walrust(${JSON.stringify(at.address)}).watch(["app.db"], {
        onEvent: ({ type }) => type === "opened" && console.log(watch.pid),
      });`;
    writeFileSync(at.path("program.mjs"), program);
    const parent = spawnChild(process.execPath, ["program.mjs"], { cwd: at.folder });
    const pid = Number(await until("the daemon is up", () => parent.lines[0]));
    parent.kill("SIGKILL");
    await parent.exited;
    await until("the daemon is gone", () => !isRunning(pid));
  });
});

/** A process that nobody waits for stays as a zombie in some containers: it does not run either. */
function isRunning(pid: number): boolean {
  try {
    return !execFileSync("ps", ["-o", "stat=", "-p", String(pid)], { encoding: "utf8" }).startsWith("Z");
  } catch {
    return false;
  }
}

test("replicate: a file that follows, open in this very process", async () => {
  const app = openApplication(at.path("app.db"));
  addNotes(app, 3);
  await walrust.snapshot(at.path("app.db"));
  const events: string[] = [];
  const onEvent = ({ type }: Readonly<Record<string, unknown>>) => events.push(String(type));
  const replica = running(walrust.replicate("app", at.path("replica.db"), { intervalMs: 50, onEvent }));
  await until("the first copy", () => events.length > 0);
  const reader = new Database(at.path("replica.db"), { readonly: true, timeout: 5000 });
  onTestFinished(() => void reader.close());
  const count = () => reader.prepare("SELECT count(*) FROM notes").pluck().get();
  expect(count()).toBe(3);
  addNotes(app, 4);
  await walrust.snapshot(at.path("app.db"));
  await until("it follows", () => count() === 7);
  await replica.stop();
  expect(events).toEqual(["replica_applied", "replica_applied"]);
});
