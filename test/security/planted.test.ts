import {
  chmodSync,
  chownSync,
  existsSync,
  lchownSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import Database from "better-sqlite3";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import { systemClock } from "../../src/clock.ts";
import { createReplicaFolder, removeScratch, replicaPaths } from "../../src/follow/replica-paths.ts";
import { RollbackJournal } from "../../src/follow/rollback-journal.ts";
import { restore } from "../../src/restore/restore.ts";
import { DatabaseLock } from "../../src/shadow/lock.ts";
import { createShadowFolder, shadowFolder } from "../../src/shadow/shadow-folder.ts";
import { FileStorage } from "../../src/storage/file.ts";
import { CorePool } from "../../src/wasm/core-pool.ts";
import { addNotes, openApplication } from "../helpers/e2e/application.ts";
import { scene } from "../helpers/e2e/scene.ts";
import { runWalrust, startWatch, syncOnce } from "../helpers/e2e/walrust.ts";
import { MemoryStorage } from "../helpers/memory-storage.ts";
import { History } from "../helpers/restore/history.ts";
import { tempFolder } from "../helpers/sqlite/temp-database.ts";

/*
 * Somebody else may write to the folder in which we make files (/tmp, a folder of a group), and puts links and files there before us, under
 * every name that can be guessed: what they lead to must stay as it is, and what they hold must not be taken for ours.
 */

const PRECIOUS = "precious";
const SOMEBODY_ELSE = 4242;

function precious(folder: string): string {
  const path = join(folder, "precious");
  writeFileSync(path, PRECIOUS);
  return path;
}

/** Makes a path look as if another user had made it: by chown if we are root, else by being another user ourselves. */
function giveAway(path: string): void {
  if (process.geteuid?.() === 0) {
    lchownSync(path, SOMEBODY_ELSE, SOMEBODY_ELSE);
    return;
  }
  const spy = vi.spyOn(process, "geteuid").mockReturnValue(SOMEBODY_ELSE);
  onTestFinished(() => spy.mockRestore());
}

/** In a folder of root that everybody may write to: where the owner of the parent is not the one who planted. */
function inTmp(): string {
  const folder = mkdtempSync("/tmp/walrust-planted-");
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

describe("local state", () => {
  test("a link in the place of our folder is not followed", () => {
    const folder = tempFolder();
    mkdirSync(join(folder, "elsewhere"));
    const shadow = shadowFolder(join(folder, "app.db"));
    symlinkSync(join(folder, "elsewhere"), shadow.path);
    expect(() => createShadowFolder(shadow)).toThrow(
      expect.objectContaining({ code: "LOCAL_IO", hint: expect.stringContaining("--shadow-dir") }),
    );
    expect(readdirSync(join(folder, "elsewhere"))).toEqual([]);
  });

  test.each(["elsewhere", "nowhere"])("nor one to %s in the place of the segments' folder", (to) => {
    const folder = tempFolder();
    mkdirSync(join(folder, "elsewhere"));
    const shadow = shadowFolder(join(folder, "app.db"));
    mkdirSync(shadow.path);
    symlinkSync(join(folder, to), shadow.segments);
    expect(() => createShadowFolder(shadow)).toThrow(expect.objectContaining({ code: "LOCAL_IO" }));
  });

  test("a folder that another user has made is not used, and the user is named", () => {
    const planted = inTmp();
    chmodSync(planted, 0o777);
    giveAway(planted);
    const owner = lstatSync(planted).uid;
    const shadow = { ...shadowFolder("/tmp/app.db"), path: planted };
    expect(() => createShadowFolder(shadow)).toThrow(
      expect.objectContaining({ code: "LOCAL_IO", message: expect.stringContaining(`user ${owner}`) }),
    );
    expect(readdirSync(planted)).toEqual([]);
    expect(() => createReplicaFolder({ ...replicaPaths("/tmp/replica.db"), folder: planted })).toThrow(
      expect.objectContaining({ code: "LOCAL_IO" }),
    );
  });

  test("a folder of the owner of the folder that it is in is used: who watches as root, or on a disk that knows no owners", () => {
    const parent = inTmp();
    const shadow = shadowFolder(join(parent, "app.db"));
    for (const path of [shadow.path, shadow.segments]) mkdirSync(path, { mode: 0o700 });
    if (process.geteuid?.() === 0)
      for (const path of [parent, shadow.path, shadow.segments])
        chownSync(path, SOMEBODY_ELSE, SOMEBODY_ELSE);
    createShadowFolder(shadow);
  });

  test("the lock follows no link, and makes nothing at its end", () => {
    const folder = tempFolder();
    const target = join(folder, "not-there");
    symlinkSync(target, join(folder, "lock.db"));
    expect(() => DatabaseLock.acquire(join(folder, "lock.db"), "app.db")).toThrow(
      expect.objectContaining({ code: "LOCAL_IO" }),
    );
    expect(existsSync(target)).toBe(false);
  });

  test("shadow_dir may be a link that the user has made", () => {
    const folder = tempFolder();
    mkdirSync(join(folder, "disk"));
    symlinkSync(join(folder, "disk"), join(folder, "shadow"));
    createShadowFolder(shadowFolder("/data/app.db", join(folder, "shadow")));
    expect(readdirSync(join(folder, "disk"))).toHaveLength(1);
  });
});

describe("a replica", () => {
  test("its journal follows no link", () => {
    const folder = tempFolder();
    const target = precious(folder);
    symlinkSync(target, join(folder, "replica.db-journal"));
    const options = { pageSizeBytes: 512, pagesBefore: 1, nonce: 1, mode: 0o600 };
    expect(() => new RollbackJournal(join(folder, "replica.db-journal"), options)).toThrow(
      expect.objectContaining({ code: "LOCAL_IO" }),
    );
    expect(readFileSync(target, "utf8")).toBe(PRECIOUS);
  });

  test("what a crash left of a restore into its folder is taken away, whole", () => {
    const paths = replicaPaths(join(tempFolder(), "replica.db"));
    createReplicaFolder(paths);
    mkdirSync(join(paths.folder, ".staged.db.walrust-abc"));
    writeFileSync(join(paths.folder, ".staged.db.walrust-abc", "restored.db"), "half");
    removeScratch(paths);
    expect(readdirSync(paths.folder)).toEqual([]);
  });

  test("links under all its names, from the beginning: nothing that they lead to changes", async () => {
    const at = scene();
    addNotes(openApplication(at.path("app.db")), 10);
    await syncOnce(at, { databases: ["app.db"] });
    const target = precious(at.folder);
    for (const suffix of ["-replica-state.tmp", "-wal", "-shm", "-journal"])
      symlinkSync(target, at.path(`replica.db${suffix}`));
    await runWalrust(at, ["replicate", `${at.address}/app`, "--local", at.path("replica.db"), "--once"]);
    expect(readFileSync(target, "utf8")).toBe(PRECIOUS);
  }, 60_000);
});

describe("restore", () => {
  const cores = new CorePool();

  async function backup() {
    const storage = new MemoryStorage();
    const history = new History(storage, { pageSizeBytes: 4096 });
    const database = new Database(":memory:");
    database.exec("CREATE TABLE t (a); INSERT INTO t VALUES (1)");
    await history.snapshot(database.serialize());
    database.close();
    return { storage, history };
  }

  test("works in a folder that nobody else can enter, and leaves nothing of it", async () => {
    const { storage, history } = await backup();
    const folder = tempFolder();
    const seen: string[] = [];
    const read = storage.read.bind(storage);
    storage.read = (...args) => {
      for (const name of readdirSync(folder)) {
        const stat = lstatSync(join(folder, name));
        seen.push(`${stat.isDirectory()} ${(stat.mode & 0o777).toString(8)}`);
      }
      return read(...args);
    };
    await restore({ storage, cores }, "app", join(folder, "out.db"));
    expect(new Set(seen)).toEqual(new Set(["true 700"]));
    expect(readdirSync(folder)).toEqual(["out.db"]);
    expect(readFileSync(join(folder, "out.db")).equals(history.image())).toBe(true);
  });

  /** The names were `.out.db.walrust-PID-0`, and what SQLite and we put beside it. */
  test("links and logs under names that could be guessed are neither followed nor taken in", async () => {
    const { storage, history } = await backup();
    const folder = tempFolder();
    const target = precious(folder);
    // A log that SQLite would take for the restored database's own.
    const other = new Database(join(folder, "other.db"));
    other.pragma("journal_mode = WAL");
    other.exec("CREATE TABLE planted (a)");
    const log = readFileSync(join(folder, "other.db-wal"));
    other.close();
    const name = join(folder, `.out.db.walrust-${process.pid}-0`);
    symlinkSync(target, `${name}-pages`);
    for (const suffix of ["-wal", "-old-wal"]) writeFileSync(name + suffix, log, { mode: 0o666 });
    const before = readdirSync(folder);
    await restore({ storage, cores }, "app", join(folder, "out.db"), { integrityCheck: "full" });
    expect(readFileSync(target, "utf8")).toBe(PRECIOUS);
    expect(readFileSync(join(folder, "out.db")).equals(history.image())).toBe(true);
    expect(readdirSync(folder).filter((file) => file !== "out.db")).toEqual(before);
  });

  test.each([
    ["a link that leads nowhere", (out: string, target: string) => symlinkSync(`${target}-not-there`, out)],
    ["a link to a file", (out: string, target: string) => symlinkSync(target, out)],
    ["a hard link to a file", (out: string, target: string) => linkSync(target, out)],
  ])("%s under the name of the output: refused without --force", async (_what, plant) => {
    const { storage } = await backup();
    const folder = tempFolder();
    const target = precious(folder);
    plant(join(folder, "out.db"), target);
    await expect(restore({ storage, cores }, "app", join(folder, "out.db"))).rejects.toMatchObject({
      exitCode: 2,
    });
    expect(readFileSync(target, "utf8")).toBe(PRECIOUS);
    expect(readdirSync(folder).filter((name) => name.includes("walrust"))).toEqual([]);
  });

  test("a hard link is not written through with --force: the other name keeps its content", async () => {
    const { storage, history } = await backup();
    const folder = tempFolder();
    const target = precious(folder);
    linkSync(target, join(folder, "out.db"));
    await restore({ storage, cores }, "app", join(folder, "out.db"), { force: true });
    expect(readFileSync(target, "utf8")).toBe(PRECIOUS);
    expect(readFileSync(join(folder, "out.db")).equals(history.image())).toBe(true);
  });
});

describe("a storage folder", () => {
  const dependencies = { clock: systemClock, random: Math.random };

  test("objects are never written through a link", async () => {
    const root = tempFolder();
    const target = precious(tempFolder());
    mkdirSync(join(root, "app"));
    symlinkSync(target, join(root, "app/manifest.json"));
    const storage = new FileStorage(root, dependencies);
    await storage.put("app/manifest.json", Buffer.from("{}"));
    expect(readFileSync(target, "utf8")).toBe(PRECIOUS);
    expect(lstatSync(join(root, "app/manifest.json")).isFile()).toBe(true);
  });

  test("a folder that is somebody else's link is not written into", async () => {
    const root = inTmp();
    const outside = tempFolder();
    symlinkSync(outside, join(root, "app"));
    if (process.geteuid?.() === 0) lchownSync(join(root, "app"), SOMEBODY_ELSE, SOMEBODY_ELSE);
    else {
      // Neither ours, nor that of the owner of the root: as a user sees it in a folder of root that all may write to.
      symlinkSync(outside, "/tmp/walrust-planted-link");
      onTestFinished(() => rmSync("/tmp/walrust-planted-link", { force: true }));
      giveAway("/tmp/walrust-planted-link");
    }
    const isRoot = process.getuid?.() === 0;
    const storage = new FileStorage(isRoot ? root : "/tmp", dependencies);
    const key = isRoot ? "app/manifest.json" : "walrust-planted-link/manifest.json";
    await expect(storage.put(key, Buffer.from("{}"))).rejects.toMatchObject({ code: "STORAGE_REJECTED" });
    expect(readdirSync(outside)).toEqual([]);
  });

  test("one that its owner has moved to another disk is", async () => {
    const root = tempFolder();
    const disk = tempFolder();
    symlinkSync(disk, join(root, "app"));
    await new FileStorage(root, dependencies).put("app/manifest.json", Buffer.from("{}"));
    expect(readdirSync(disk)).toEqual(["manifest.json"]);
  });
});

test("a database that is a link is watched, restored over, and stays a link", async () => {
  const at = scene();
  mkdirSync(at.path("disk"));
  symlinkSync(at.path("disk/real.db"), at.path("app.db"));
  const app = openApplication(at.path("disk/real.db"));
  addNotes(app, 3);
  const watch = startWatch(at, { databases: ["app.db"] });
  await watch.untilPublished("app");
  addNotes(app, 1);
  await watch.untilPublished("app", 1n);
  await watch.drain();
  app.close();
  const { code, stderr } = await runWalrust(at, [
    "restore",
    "app",
    "-b",
    at.address,
    "-o",
    at.path("app.db"),
    "--force",
  ]);
  expect(code, stderr).toBe(0);
  expect(lstatSync(at.path("app.db")).isSymbolicLink()).toBe(true);
  expect(lstatSync(at.path("disk/real.db")).isFile()).toBe(true);
}, 60_000);
