import { existsSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import Database from "better-sqlite3";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import { DEFAULT_COMPACTION } from "../../src/config/defaults.ts";
import type { DatabaseSettings, Settings, SyncSettings } from "../../src/config/settings.ts";
import type { TaskResult } from "../../src/daemon/active-task.ts";
import { runDaemon } from "../../src/daemon/daemon.ts";
import { WalrustError } from "../../src/errors.ts";
import type { WalrustEvent } from "../../src/events.ts";
import { silentLog } from "../../src/observability/silent-log.ts";
import { restore } from "../../src/restore/restore.ts";
import { CorePool } from "../../src/wasm/core-pool.ts";
import { DAEMON, databaseSettings } from "../helpers/daemon/watched.ts";
import { ManualClock, settled } from "../helpers/manual-clock.ts";
import { MemoryStorage } from "../helpers/memory-storage.ts";
import { insert, openApp, tempFolder } from "../helpers/sqlite/temp-database.ts";

// Loaded when first needed, which a clock that is moved by hand would not wait for.
await Promise.all([import("../../src/retention/compact.ts"), import("../../src/restore/verify.ts")]);

/** A folder of databases, and a daemon that watches what it is told to. */
class Scene {
  readonly folder = tempFolder();
  readonly clock = new ManualClock();
  readonly storage = new MemoryStorage();
  sync: Partial<SyncSettings> = {};
  readonly events: WalrustEvent[] = [];
  readonly errors: string[] = [];
  readonly told: string[] = [];
  readonly #stop = new AbortController();
  #result: Promise<readonly TaskResult[]> | undefined;
  #ended = false;
  #reload: () => void = () => {};
  /** What the settings say when they are read again. */
  #next: Settings | undefined;

  database(name: string, rows = 3): Database.Database {
    const app = openApp(join(this.folder, name));
    app.pragma("journal_mode=WAL");
    app.exec("CREATE TABLE t(id INTEGER PRIMARY KEY, body TEXT)");
    insert(app, rows);
    return app;
  }

  settingsOf(name: string): DatabaseSettings {
    return databaseSettings(join(this.folder, name), name.replace(/\.db$/, ""), this.sync);
  }

  /** @param matching true: whatever `*.db` is in the folder too */
  start(
    names: readonly string[],
    options: { readonly matching?: boolean; readonly once?: boolean; readonly shadowDir?: string } = {},
  ): void {
    const { matching = false, once = false, shadowDir } = options;
    const { clock, storage } = this;
    const settings = this.settings(
      names.map((name) => this.settingsOf(name)),
      { matching, once, ...(shadowDir !== undefined && { shadowDir }) },
    );
    writeFileSync(join(this.folder, "walrust.toml"), "");
    this.#result = runDaemon({
      ...{ settings, storage, clock, stop: this.#stop.signal, version: "1" },
      events: (event) => this.events.push(event),
      log: {
        ...silentLog,
        error: (_, message) => this.errors.push(message),
        info: (_, message) => this.told.push(message),
      },
      matches: async ({ databases }) =>
        readdirSync(this.folder)
          .filter((name) => name.endsWith(".db") && !databases.some(({ path }) => basename(path) === name))
          .map((name) => this.settingsOf(name)),
      config: {
        path: join(this.folder, "walrust.toml"),
        text: "",
        read: async () => this.#next ?? settings,
        take: (next) => next,
        onAsked: (ask) => {
          this.#reload = ask;
          return () => {};
        },
      },
    });
    const end = () => {
      this.#ended = true;
    };
    this.#result.then(end, end);
    onTestFinished(async () => {
      await this.stop().catch(() => {});
    });
  }

  settings(
    databases: readonly DatabaseSettings[],
    { matching, once = false, ...own }: { matching?: boolean; once?: boolean; shadowDir?: string } = {},
  ) {
    return {
      databases,
      globs: matching ? [{ pattern: join(this.folder, "*.db"), exclude: [] }] : [],
      daemon: { ...DAEMON, once, ...own },
      storage: { layout: "walrust" },
      compaction: DEFAULT_COMPACTION,
    } as unknown as Settings;
  }

  reload(databases: readonly DatabaseSettings[], options: { matching?: boolean } = {}): void {
    this.#next = this.settings(databases, options);
    this.#reload();
  }

  typesOf(name: string): string[] {
    return this.events.filter(({ database }) => database === name).map(({ type }) => type);
  }

  /** The watcher and sockets answer when they do; the clock goes on meanwhile. */
  async until(condition: () => boolean): Promise<void> {
    await vi.waitUntil(
      async () => {
        await this.clock.advance(500);
        return condition();
      },
      { timeout: 40_000, interval: 5 },
    );
  }

  async stop(): Promise<readonly TaskResult[]> {
    this.#stop.abort();
    await this.until(() => this.#ended);
    return this.result;
  }

  get result(): Promise<readonly TaskResult[]> {
    if (this.#result === undefined) throw new Error("not started");
    return this.#result;
  }

  has(name: string, txid: bigint): boolean {
    return this.events.some(
      (event) =>
        event.database === name &&
        ((event.type === "published" && event.maxTxid >= txid) ||
          (event.type === "snapshot" && event.txid >= txid)),
    );
  }

  async rowsOf(name: string): Promise<number> {
    const path = join(tempFolder(), basename(`${name}.db`));
    await restore({ storage: this.storage, cores: new CorePool() }, name, path);
    const db = new Database(path);
    try {
      return db.prepare<[], number>("SELECT count(*) FROM t").pluck().get() ?? -1;
    } finally {
      db.close();
    }
  }
}

describe("several databases", () => {
  test("each has its own copy, and all are complete at the stop", async () => {
    const scene = new Scene();
    const apps = ["a.db", "b.db", "c.db"].map((name) => scene.database(name));
    scene.start(["a.db", "b.db", "c.db"]);
    await scene.until(() => ["a", "b", "c"].every((name) => scene.has(name, 1n)));
    for (const [i, app] of apps.entries()) insert(app, 10 * (i + 1));
    const results = await scene.stop();
    expect(results.toSorted((a, b) => (a.name < b.name ? -1 : 1))).toEqual(
      ["a", "b", "c"].map((name) => ({ name, isComplete: true, error: undefined })),
    );
    expect(await Promise.all(["a", "b", "c"].map((name) => scene.rowsOf(name)))).toEqual([13, 23, 33]);
  });

  test("one that fails does not disturb the other, and is taken up when it is well (pitfall 47)", async () => {
    const scene = new Scene();
    const good = scene.database("good.db");
    writeFileSync(join(scene.folder, "bad.db"), "no database at all");
    scene.start(["good.db", "bad.db"]);
    await scene.until(() => scene.has("good", 1n));
    insert(good);
    await scene.until(() => scene.has("good", 2n));
    expect(
      scene.events.filter(({ database, type }) => database === "bad" && type === "sync_failed"),
    ).not.toEqual([]);
    rmSync(join(scene.folder, "bad.db"));
    scene.database("bad.db", 8);
    await scene.until(() => scene.has("bad", 1n));
    expect((await scene.stop()).every(({ isComplete }) => isComplete)).toBe(true);
    expect(await scene.rowsOf("bad")).toBe(8);
  });

  test("all of them fail: it ends with the first one's error", async () => {
    const scene = new Scene();
    scene.start(["no.db", "neither.db"]);
    await scene.until(() => scene.events.length >= 2);
    await expect(scene.result).rejects.toMatchObject({ code: "DATABASE_NOT_FOUND" });
    expect(
      scene.events.map(({ type }) => type),
      "once each",
    ).toEqual(["sync_failed", "sync_failed"]);
    expect(existsSync(join(scene.folder, ".no.db-walrust")), "nothing is made for it").toBe(false);
  });

  test("storage cannot be used at the start: it ends with that, before anything is opened", async () => {
    const scene = new Scene();
    scene.database("a.db");
    scene.storage.fault = () => ({ kind: "before", error: new WalrustError("STORAGE_AUTH", "no") });
    scene.start(["a.db"]);
    await expect(scene.result).rejects.toMatchObject({ code: "STORAGE_AUTH" });
    expect(scene.events).toEqual([]);
  });

  test("once: everything synced, then it ends by itself", async () => {
    const scene = new Scene();
    scene.database("a.db", 4);
    scene.database("b.db", 5);
    scene.start(["a.db"], { once: true, matching: true });
    await settled();
    expect((await scene.result).map(({ name, isComplete }) => `${name} ${isComplete}`).sort()).toEqual([
      ...["a true", "b true"],
    ]);
    expect(await scene.rowsOf("b")).toBe(5);
    expect(scene.clock.sleepers).toBe(0);
  });
});

test("idle with snapshots, compaction, patterns and a followed configuration: an hour without a request", async () => {
  const scene = new Scene();
  scene.sync = {
    ...{ snapshotIntervalMs: 600_000, onIdleMs: 60_000, maxIntervalMs: 900_000, maxChanges: 3 },
    ...{ compactAfterSnapshot: true, compactIntervalMs: 600_000, checkpointIntervalMs: 1000 },
  };
  const apps = Array.from({ length: 20 }, (_, index) => scene.database(`d${index}.db`)); // some of them are parked
  scene.start([], { matching: true });
  await scene.until(() => scene.storage.keys().filter((key) => key.endsWith("manifest.json")).length === 20);
  for (const app of apps) insert(app);
  await scene.until(() => scene.events.filter(({ type }) => type === "snapshot").length === 40);
  await scene.clock.advance(3_600_000); // all that the last change called for is done
  const calls = scene.storage.calls.length;
  for (let minute = 0; minute < 60; minute += 1) await scene.clock.advance(60_000);
  expect(scene.storage.calls.slice(calls)).toEqual([]);
  await scene.stop();
});

describe("patterns", () => {
  test("files that appear are picked up, also where there was none at the start", async () => {
    const scene = new Scene();
    scene.start([], { matching: true });
    await scene.clock.advance(20_000);
    scene.database("late.db", 6);
    await scene.until(() => scene.has("late", 1n));
    scene.database("later.db", 7);
    await scene.until(() => scene.has("later", 1n));
    await scene.stop();
    expect(await scene.rowsOf("later")).toBe(7);
  });

  test("files that vanish are dropped, and come back as what they are then", async () => {
    const scene = new Scene();
    const app = scene.database("tenant.db", 6);
    scene.database("other.db");
    scene.start([], { matching: true });
    await scene.until(() => scene.has("tenant", 1n) && scene.has("other", 1n));
    app.close();
    const path = join(scene.folder, "tenant.db");
    for (const suffix of ["", "-wal", "-shm"]) rmSync(path + suffix, { force: true });
    await scene.clock.advance(30_000);
    const failures = () => scene.events.filter(({ type }) => type === "sync_failed").length;
    const before = failures();
    await scene.clock.advance(60_000);
    expect(failures(), "it is not tried for ever").toBe(before);
    scene.database("tenant.db", 9);
    await scene.until(() => scene.has("tenant", 2n));
    await scene.stop();
    expect(await scene.rowsOf("tenant")).toBe(9);
  });

  test("one that vanished does not count at the stop", async () => {
    const scene = new Scene();
    const app = scene.database("tenant.db", 6);
    scene.database("other.db");
    scene.start([], { matching: true });
    await scene.until(() => scene.has("tenant", 1n) && scene.has("other", 1n));
    await scene.clock.advance(5000);
    app.close();
    const path = join(scene.folder, "tenant.db");
    for (const suffix of ["", "-wal", "-shm"]) rmSync(path + suffix, { force: true });
    await scene.clock.advance(30_000);
    expect(await scene.stop()).toMatchObject([{ name: "other", isComplete: true }]);
    expect(await scene.rowsOf("tenant")).toBe(6);
  });

  test("what appeared, vanished or was replaced in the last moment before the stop", async () => {
    const scene = new Scene();
    const gone = scene.database("gone.db", 6);
    const old = scene.database("replaced.db", 4);
    scene.start([], { matching: true });
    await scene.until(() => scene.has("gone", 1n) && scene.has("replaced", 1n));
    await scene.clock.advance(10_000);
    scene.database("new.db", 7);
    for (const app of [gone, old]) remove(app);
    scene.database("replaced.db", 9);
    const results = await scene.stop();
    expect(results.toSorted((a, b) => (a.name < b.name ? -1 : 1))).toEqual([
      { name: "new", isComplete: true, error: undefined },
      { name: "replaced", isComplete: true, error: undefined },
    ]);
    expect([await scene.rowsOf("new"), await scene.rowsOf("replaced")]).toEqual([7, 9]);
  });

  test("two with one name: the second is refused, and said; the first goes on", async () => {
    const scene = new Scene();
    scene.database("same.db", 4);
    scene.start(["same.db"], { matching: true });
    await scene.until(() => scene.has("same", 1n));
    const other = scene.database("x.db", 9);
    other.close();
    vi.spyOn(scene, "settingsOf").mockImplementation((name) =>
      databaseSettings(join(scene.folder, name), "same"),
    );
    await scene.until(() => scene.errors.length > 0);
    expect(scene.errors[0]).toContain("would share the key prefix same");
    await scene.stop();
    expect(await scene.rowsOf("same")).toBe(4);
  });

  test("renamed within the pattern: dropped under the old name, begun under the new one", async () => {
    const scene = new Scene();
    const app = scene.database("old.db", 6);
    scene.start([], { matching: true });
    await scene.until(() => scene.has("old", 1n));
    app.close();
    for (const suffix of ["-wal", "-shm"]) rmSync(join(scene.folder, `old.db${suffix}`), { force: true });
    renameSync(join(scene.folder, "old.db"), join(scene.folder, "new.db"));
    await scene.until(() => scene.has("new", 1n));
    await scene.stop();
    expect(await scene.rowsOf("new")).toBe(6);
  });
});

describe("the stop", () => {
  const names = Array.from({ length: 20 }, (_, index) => `d${index}`);

  test("comes while databases are opened for the first time: all of them are stored", async () => {
    const scene = new Scene();
    for (const name of names) scene.database(`${name}.db`, 5);
    scene.start(names.map((name) => `${name}.db`));
    await scene.until(() => scene.events.some(({ type }) => type === "opened"));
    expect(
      names.every((name) => scene.has(name, 1n)),
      "some are still to come",
    ).toBe(false);
    expect((await scene.stop()).filter(({ isComplete }) => isComplete)).toHaveLength(names.length);
    expect(await Promise.all(names.map((name) => scene.rowsOf(name)))).toEqual(names.map(() => 5));
  });

  test("storage answers no more: it ends after half a minute, and each says why", async () => {
    const scene = new Scene();
    const apps = names.map((name) => scene.database(`${name}.db`, 5));
    scene.start(names.map((name) => `${name}.db`));
    await scene.until(() => names.every((name) => scene.has(name, 1n)));
    for (const app of apps) insert(app);
    scene.storage.fault = () => ({ kind: "never" });
    const startMs = scene.clock.monotonicMs();
    const results = await scene.stop();
    expect(results.map(({ isComplete, error }) => `${isComplete} ${error?.code}`)).toEqual(
      names.map(() => "false ABORTED"),
    );
    expect(
      scene.told.filter((text) => text.startsWith("stopping: what is pending of 20 databases")),
    ).toHaveLength(1);
    const tookMs = scene.clock.monotonicMs() - startMs;
    expect(tookMs).toBeGreaterThanOrEqual(30_000);
    expect(tookMs).toBeLessThan(32_000);
  });
});

describe("settings that are read again", () => {
  test("a new database begins, one that is no longer named ends after a drain, the others are left alone", async () => {
    const scene = new Scene();
    const [old] = [scene.database("old.db"), scene.database("kept.db"), scene.database("new.db", 5)];
    scene.start(["old.db", "kept.db"]);
    await scene.until(() => scene.has("old", 1n) && scene.has("kept", 1n));
    insert(old);
    scene.reload(["kept.db", "new.db"].map((name) => scene.settingsOf(name)));
    await scene.until(() => scene.has("new", 1n) && scene.typesOf("old").includes("closed"));
    expect(scene.events.find(({ type }) => type === "closed")).toMatchObject({
      database: "old",
      unpublished: 0n,
    });
    expect(scene.typesOf("kept").filter((type) => type === "opened")).toHaveLength(1);
    expect(scene.told).toEqual(["configuration read again; begun: new; ended: old"]);
    const results = await scene.stop();
    expect(results.map(({ name }) => name).sort()).toEqual(["kept", "new"]);
    expect(await scene.rowsOf("old")).toBe(4);
  });

  test("other settings of a database: they hold from now on, and it stays open under its writer", async () => {
    const scene = new Scene();
    const app = scene.database("a.db");
    app.pragma("wal_autocheckpoint=4"); // who lets go of the log loses it
    scene.start(["a.db"]);
    await scene.until(() => scene.has("a", 1n));
    await scene.clock.advance(120_000);
    scene.reload([databaseSettings(join(scene.folder, "a.db"), "a", { walSyncIntervalMs: 30_000 })]);
    let commits = 0;
    await scene.until(() => {
      insert(app);
      commits += 1;
      return scene.told.length > 0;
    });
    expect(scene.told).toEqual(["configuration read again; other settings: a"]);
    await scene.clock.advance(30_000);
    const published = () => scene.typesOf("a").filter((type) => type === "published").length;
    const before = published();
    for (let second = 0; second < 60; second += 1) {
      insert(app);
      await scene.clock.advance(1000);
    }
    expect(published() - before, "one file for each half minute").toBeLessThanOrEqual(3);
    expect(await scene.stop()).toEqual([{ name: "a", isComplete: true, error: undefined }]);
    const others = scene.typesOf("a").filter((type) => !["published", "handover"].includes(type));
    expect(others, "no gap, no repair").toEqual(["opened", "snapshot", "closed"]);
    expect(await scene.rowsOf("a")).toBe(3 + commits + 60);
  });

  test("observed from now on: it is opened again, without an upload", async () => {
    const scene = new Scene();
    scene.database("a.db");
    scene.start(["a.db"], { shadowDir: tempFolder() });
    await scene.until(() => scene.has("a", 1n));
    await scene.clock.advance(120_000);
    const uploads = () => scene.storage.calls.filter(({ operation }) => operation === "upload").length;
    const before = uploads();
    scene.reload([databaseSettings(join(scene.folder, "a.db"), "a", { observe: true })]);
    await scene.until(() => scene.typesOf("a").filter((type) => type === "opened").length === 2);
    expect(uploads(), "it goes on where it was").toBe(before);
    expect(scene.told).toEqual(["configuration read again; begun anew: a"]);
    await scene.stop();
  });

  test("a name that changes hands: who had it has ended before the other begins", async () => {
    const scene = new Scene();
    scene.database("one.db", 3);
    scene.database("two.db", 7);
    const at = (file: string, name: string) => databaseSettings(join(scene.folder, file), name);
    scene.start(["one.db"]);
    await scene.until(() => scene.has("one", 1n));
    scene.reload([at("two.db", "one"), at("one.db", "first")]);
    await scene.until(
      () => scene.has("first", 1n) && scene.typesOf("one").filter((type) => type === "opened").length === 2,
    );
    expect(scene.typesOf("one").filter((type) => type === "opened" || type === "closed")).toEqual([
      "opened",
      "closed",
      "opened",
    ]);
    await scene.stop();
    expect(scene.errors).toEqual([]);
    expect([await scene.rowsOf("one"), await scene.rowsOf("first")]).toEqual([7, 3]);
  });

  test("patterns come and go with the settings", async () => {
    const scene = new Scene();
    scene.database("named.db");
    scene.database("matched.db");
    scene.start(["named.db"]);
    await scene.until(() => scene.has("named", 1n));
    scene.reload([scene.settingsOf("named.db")], { matching: true });
    await scene.until(() => scene.has("matched", 1n));
    scene.database("later.db");
    await scene.until(() => scene.has("later", 1n));
    scene.reload([scene.settingsOf("named.db")]);
    await scene.until(
      () => scene.typesOf("matched").includes("closed") && scene.typesOf("later").includes("closed"),
    );
    expect((await scene.stop()).map(({ name }) => name)).toEqual(["named"]);
  });

  test("asked, and nothing new: said", async () => {
    const scene = new Scene();
    scene.database("a.db");
    scene.start(["a.db"]);
    await scene.until(() => scene.has("a", 1n));
    scene.reload([scene.settingsOf("a.db")]);
    await scene.until(() => scene.told.length > 0);
    expect(scene.told).toEqual(["configuration read again; no database changes"]);
    expect(scene.typesOf("a").filter((type) => type === "opened")).toHaveLength(1);
  });

  test("the stop comes while one begins anew: what it left counts", async () => {
    const scene = new Scene();
    const app = scene.database("a.db");
    scene.start(["a.db"], { shadowDir: tempFolder() });
    await scene.until(() => scene.has("a", 1n));
    scene.storage.fault = () => ({ kind: "before", error: new WalrustError("STORAGE_NETWORK", "away") });
    insert(app);
    scene.reload([databaseSettings(join(scene.folder, "a.db"), "a", { observe: true })]);
    await scene.clock.advance(0);
    expect(await scene.stop()).toMatchObject([{ name: "a", isComplete: false }]);
  });
});

/** The file with all that belongs to it, as an application that deletes it does. */
function remove(app: Database.Database): void {
  const { name: path } = app;
  app.close();
  for (const suffix of ["", "-wal", "-shm"]) rmSync(path + suffix, { force: true });
}
