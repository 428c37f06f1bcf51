import { existsSync, mkdirSync, readdirSync, rmSync, statfsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { expect, test } from "vitest";
import {
  type Application,
  addNotes,
  contentOf,
  expectRestored,
  openApplication,
} from "../helpers/e2e/application.ts";
import { type Scene, scene } from "../helpers/e2e/scene.ts";
import { mountSmallDisk } from "../helpers/e2e/small-disk.ts";
import { restored, runWalrust, syncOnce } from "../helpers/e2e/walrust.ts";

/**
 * The program on a disk that is full: SQLite's own files meet it too. Where this user may not mount a small one, a limit on the size of files
 * stands in for it.
 */

const DISK_BYTES = 2_000_000;
const BLOCK_BYTES = 512;

interface FullDisk {
  readonly path: string;
  /** How the program is started while it is full. */
  readonly under: readonly string[];
  free(): void;
}

/** @param leftBytes of space */
function fullDisk(at: Scene, leftBytes = 0): FullDisk {
  const path = mountSmallDisk(at, DISK_BYTES);
  if (path === undefined) {
    const blocks = String(Math.ceil(leftBytes / BLOCK_BYTES));
    return {
      path: at.path("disk"),
      under: ["sh", "-c", `ulimit -f ${blocks}; exec "$@"`, "sh"],
      free: () => {},
    };
  }
  const ballast = join(path, "ballast");
  const { bavail, bsize } = statfsSync(path);
  writeFileSync(ballast, Buffer.alloc(bavail * bsize - leftBytes));
  return { path, under: [], free: () => rmSync(ballast) };
}

/** A backup of an application with some incrementals. */
async function aBackup(at: Scene, rows = 20): Promise<Application> {
  const app = openApplication(at.path("app.db"));
  for (let i = 0; i < 3; i++) {
    addNotes(app, rows, 1000);
    await syncOnce(at, { databases: [at.path("app.db")] });
  }
  return app;
}

const remains = (path: string) => readdirSync(path, { recursive: true }).filter((name) => name !== "ballast");

test("watch: local state that finds no space is told, costs the application nothing, and begins when there is room", async () => {
  const at = scene();
  const disk = fullDisk(at);
  const app = openApplication(at.path("app.db"));
  addNotes(app, 20);
  const args = [
    "watch",
    at.path("app.db"),
    "-b",
    at.address,
    "--once",
    "--json",
    "--shadow-dir",
    join(disk.path, "shadow"),
  ];
  const exit = await runWalrust(at, args, { under: disk.under });
  expect(exit.code, exit.stderr).toBe(1);
  expect(exit.stdout + exit.stderr).toContain("LOCAL_DISK_FULL");
  expect(exit.stdout + exit.stderr).toContain(disk.path);
  addNotes(app, 20);
  disk.free();
  const again = await runWalrust(at, args);
  expect(again.code, again.stderr).toBe(0);
  expectRestored(await restored(at, "app"), contentOf(app));
}, 60_000);

test("snapshot: a storage folder without space is told, and keeps what it had", async () => {
  const at = scene();
  const disk = fullDisk(at, 20_000);
  const storage = join(disk.path, "storage");
  mkdirSync(storage);
  const app = openApplication(at.path("app.db"));
  addNotes(app, 100, 1000);
  const args = ["snapshot", at.path("app.db"), "-b", pathToFileURL(storage).href, "--json"];
  const exit = await runWalrust(at, args, { under: disk.under });
  expect(exit.code, exit.stderr).toBe(4);
  expect(exit.stderr).toMatch(/cannot write app\/.*ENOSPC|EFBIG/);
  expect(remains(storage).filter((name) => /ltx|tmp/.test(String(name)))).toEqual([]);
  disk.free();
  const again = await runWalrust(at, args);
  expect(again.code, again.stderr).toBe(0);
  const onDisk = { ...at, storage, address: pathToFileURL(storage).href };
  expectRestored(await restored(onDisk, "app"), contentOf(app));
}, 60_000);

test("replicate: a replica's disk without space is told, and the replica is made when there is room", async () => {
  const at = scene();
  const app = await aBackup(at);
  const disk = fullDisk(at, 30_000);
  const replica = join(disk.path, "replica.db");
  const args = ["replicate", `${at.address}/app`, "--local", replica, "--once", "--json"];
  const exit = await runWalrust(at, args, { under: disk.under });
  expect(exit.code, exit.stderr).toBe(1);
  expect(exit.stderr).toContain(`no space to write ${disk.path}`);
  expect(existsSync(replica)).toBe(false);
  disk.free();
  const again = await runWalrust(at, args);
  expect(again.code, again.stderr).toBe(0);
  expect(existsSync(`${replica}-journal`)).toBe(false);
  expect(contentOf(app).length).toBeGreaterThan(0);
}, 60_000);

test("verify --restore: a TMPDIR without space is told, and nothing is lost or left", async () => {
  const at = scene();
  const app = await aBackup(at, 100);
  const disk = fullDisk(at, 30_000);
  mkdirSync(disk.path, { recursive: true });
  const run = (args: readonly string[]) =>
    runWalrust(at, [...args, "-b", at.address, "--json"], { under: disk.under, env: { TMPDIR: disk.path } });
  const before = remains(disk.path);
  const verify = await run(["verify", "app", "--restore"]);
  expect(verify.code, verify.stderr).toBe(1);
  expect(verify.stderr).toContain(`no space to write ${disk.path}`);
  expect(remains(disk.path)).toEqual(before);
  disk.free();
  const again = await runWalrust(at, ["verify", "app", "--restore", "-b", at.address], {
    env: { TMPDIR: disk.path },
  });
  expect(again.code, again.stderr).toBe(0);
  expect(remains(disk.path)).toEqual(before);
  expectRestored(await restored(at, "app"), contentOf(app));
}, 60_000);

test("pragma -o: no space is told, and nothing is left", async () => {
  const at = scene();
  const disk = fullDisk(at);
  mkdirSync(disk.path, { recursive: true });
  const args = ["pragma", "-o", join(disk.path, "pragmas.sql")];
  const exit = await runWalrust(at, args, { under: disk.under });
  expect(exit.code, exit.stderr).toBe(1);
  expect(exit.stderr).toContain("pragmas.sql");
  expect(remains(disk.path)).toEqual([]);
  disk.free();
  expect((await runWalrust(at, args)).code).toBe(0);
});
