import { copyFileSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { WalrustError } from "../../src/errors.ts";
import { formatCursor, readCursor } from "../../src/shadow/cursor.ts";
import { filesIn } from "../../src/shadow/local-files.ts";
import { DatabaseLock } from "../../src/shadow/lock.ts";
import { encodeSegmentHeader, readSegmentHeader, SEGMENT_HEADER_SIZE } from "../../src/shadow/segment.ts";
import { Watched } from "../helpers/daemon/watched.ts";
import { Stage } from "../helpers/replication/stage.ts";
import { checkpoint, insert, openApp, tempDatabase } from "../helpers/sqlite/temp-database.ts";

const HOUR = 3_600_000;

function takeAway(stage: Stage, code: "STORAGE_UNAVAILABLE" | "STORAGE_AUTH" = "STORAGE_UNAVAILABLE"): void {
  stage.storage.fault = () => ({ kind: "before", error: new WalrustError(code, "storage is away") });
}

function giveBack(stage: Stage): void {
  stage.storage.fault = () => undefined;
}

const uploads = (stage: Stage) =>
  stage.storage.calls.filter(({ operation }) => operation === "upload").length;

describe("publishing", () => {
  test("a commit after quiet at once, then one file an interval", async () => {
    const stage = new Stage();
    const watched = await Watched.begin(stage);
    await stage.clock.advance(10_000);
    const before = uploads(stage);
    insert(stage.app);
    watched.task.hint();
    await stage.clock.advance(0);
    expect(uploads(stage) - before, "the leading edge").toBe(1);
    for (let tenth = 0; tenth < 50; tenth += 1) {
      insert(stage.app);
      watched.task.hint();
      await stage.clock.advance(100);
    }
    expect(uploads(stage) - before, "5 s").toBe(6);
    await stage.clock.advance(1000);
    const published = watched.of("published");
    expect(published.at(-1)?.maxTxid).toBe(52n);
    expect(Math.max(...published.map(({ lagMs }) => lagMs))).toBeLessThanOrEqual(1000);
    await stage.expectWhole();
  });

  test("hints within the interval cost no look: there is nothing to publish before its end", async () => {
    const stage = new Stage();
    const watched = await Watched.begin(stage);
    await stage.clock.advance(10_000);
    insert(stage.app);
    watched.task.hint();
    await stage.clock.advance(0);
    const before = watched.of("published").length;
    insert(stage.app);
    for (let hundredth = 0; hundredth < 90; hundredth += 1) {
      watched.task.hint();
      await stage.clock.advance(10);
    }
    expect(watched.task.status().pendingBytes, "nobody has seen it yet").toBe(0);
    await stage.clock.advance(100);
    expect(watched.of("published").length - before).toBe(1);
    expect(watched.of("published").at(-1)?.maxTxid).toBe(3n);
  });

  test("without a hint, the poll alone suffices", async () => {
    const stage = new Stage();
    const watched = await Watched.begin(stage);
    await stage.clock.advance(60_000);
    insert(stage.app);
    await stage.clock.advance(1000);
    expect(watched.of("published").at(-1)?.maxTxid).toBe(2n);
  });

  test("another interval", async () => {
    const stage = new Stage();
    await Watched.begin(stage, { sync: { walSyncIntervalMs: 5000, monitorIntervalMs: 100 } });
    await stage.clock.advance(20_000);
    const before = uploads(stage);
    for (let i = 0; i < 200; i += 1) {
      insert(stage.app);
      await stage.clock.advance(100);
    }
    expect(uploads(stage) - before).toBeGreaterThanOrEqual(4);
    expect(uploads(stage) - before).toBeLessThanOrEqual(5);
  });

  test("the manifest soon after a burst, and not more often than its interval", async () => {
    const stage = new Stage();
    await Watched.begin(stage);
    await stage.clock.advance(120_000);
    const puts = () => stage.storage.calls.filter(({ operation }) => operation === "put").length;
    const before = puts();
    for (let second = 0; second < 10; second += 1) {
      insert(stage.app);
      await stage.clock.advance(1000);
    }
    expect(puts() - before, "during the burst").toBe(0);
    await stage.clock.advance(3000);
    expect(puts() - before, "soon after it").toBe(1);
    for (let second = 0; second < 50; second += 1) {
      insert(stage.app);
      await stage.clock.advance(1000);
    }
    expect(puts() - before, "within its interval").toBeLessThanOrEqual(2);
  });
});

describe("idle (pitfall 16)", () => {
  test("for an hour: not one request, no object, no event", async () => {
    const stage = new Stage();
    const watched = await Watched.begin(stage);
    insert(stage.app);
    await stage.clock.advance(2 * HOUR); // the last change has its snapshot
    const [calls, events, keys] = [stage.storage.calls.length, watched.events.length, stage.storage.keys()];
    const wal = stage.image();
    await stage.clock.advance(HOUR);
    expect(stage.storage.calls.slice(calls)).toEqual([]);
    expect(watched.events.slice(events)).toEqual([]);
    expect(stage.storage.keys()).toEqual(keys);
    expect(stage.image().equals(wal)).toBe(true);
    insert(stage.app);
    await stage.clock.advance(1000);
    expect(watched.of("published").at(-1)?.maxTxid, "and it is awake").toBe(3n);
    await stage.expectWhole();
  });

  test("and the application's own RESTART and TRUNCATE succeed at once", async () => {
    const stage = new Stage();
    await Watched.begin(stage);
    for (let round = 0; round < 3; round += 1) {
      insert(stage.app, 30);
      await stage.clock.advance(10_000);
      expect(checkpoint(stage.app, round % 2 ? "RESTART" : "TRUNCATE")[0]).toBe(0);
    }
    insert(stage.app);
    await stage.clock.advance(2000);
    await stage.expectWhole();
  });
});

describe("snapshots", () => {
  test("the first of a chain is told when the local state is durable: a kill from then on costs what came since", async () => {
    const stage = new Stage();
    const cursors: (bigint | undefined)[] = [];
    await Watched.begin(stage, {
      onEvent: ({ type }) => {
        if (type === "snapshot") cursors.push(readCursor(stage.folder.cursor)?.published.txid);
      },
    });
    expect(cursors).toEqual([1n]);
  });

  test.each([
    ["interval", { snapshotIntervalMs: 600_000 }, 10_000, 600_000],
    ["max_changes", { snapshotIntervalMs: 0, maxChanges: 3 }, 100, 2000],
    ["max_interval", { snapshotIntervalMs: HOUR, maxIntervalMs: 30_000 }, 10_000, 40_000],
    ["on_idle", { snapshotIntervalMs: HOUR, onIdleMs: 20_000 }, 1000, 25_000],
  ] as const)("%s", async (trigger, sync, betweenMs, withinMs) => {
    const stage = new Stage();
    const watched = await Watched.begin(stage, { sync });
    expect(watched.of("snapshot").map((event) => event.trigger)).toEqual(["first"]);
    for (let i = 0; i < 3; i += 1) {
      insert(stage.app);
      await stage.clock.advance(betweenMs);
    }
    await stage.clock.advance(withinMs);
    expect(watched.of("snapshot").map((event) => event.trigger)).toEqual(["first", trigger]);
    await stage.clock.advance(2 * HOUR);
    expect(watched.of("snapshot"), "and no other without changes").toHaveLength(2);
    await stage.expectWhole();
  });

  test("an hour of writes: exactly the scheduled snapshots (pitfall 15)", async () => {
    const stage = new Stage();
    const watched = await Watched.begin(stage, {
      sync: { snapshotIntervalMs: 900_000, checkpointIntervalMs: 20_000 },
    });
    for (let i = 0; i < 120; i += 1) {
      insert(stage.app, 20);
      await stage.clock.advance(30_000);
    }
    expect(watched.of("snapshot").length).toBeGreaterThanOrEqual(4);
    expect(watched.of("snapshot").length).toBeLessThanOrEqual(5);
    expect(watched.of("handover").length).toBeGreaterThan(60);
    expect(watched.of("gap_repaired")).toEqual([]);
    await stage.expectWhole();
  });

  test("on command, at once; a failed one is told to who asked", async () => {
    const stage = new Stage();
    const watched = await Watched.begin(stage);
    insert(stage.app);
    await stage.clock.advance(5000);
    let failing = true;
    stage.storage.fault = ({ operation, key }) =>
      failing && operation === "upload" && key.includes("/00000001-")
        ? { kind: "before", error: new WalrustError("STORAGE_TIMEOUT", "too slow") }
        : undefined;
    const refused = expect(watched.task.snapshot("command")).rejects.toMatchObject({
      code: "STORAGE_TIMEOUT",
    });
    await expect(watched.task.snapshot("command")).rejects.toMatchObject({ code: "USAGE" });
    await stage.clock.advance(1000);
    await refused;
    expect(watched.of("snapshot")).toHaveLength(1);
    expect(watched.of("sync_failed")).toHaveLength(1);
    failing = false;
    const taken = watched.task.snapshot("command");
    await stage.clock.advance(1000);
    expect(await taken).toMatchObject({ minTxid: 1n, maxTxid: 2n });
    expect(watched.of("snapshot").at(-1)).toMatchObject({ trigger: "command", txid: 2n });
    expect(watched.of("recovered"), "the trouble is over").toHaveLength(1);
    await stage.expectWhole();
  });

  test.each([
    ["nothing has changed", 0],
    ["the next one is far", 1],
  ])("on command, while %s: the trouble is over when storage answers again", async (_, commits) => {
    const stage = new Stage();
    const watched = await Watched.begin(stage);
    for (let commit = 0; commit < commits; commit += 1) insert(stage.app);
    await stage.clock.advance(120_000);
    takeAway(stage);
    const refused = expect(watched.task.snapshot("command")).rejects.toMatchObject({
      code: "STORAGE_UNAVAILABLE",
    });
    await stage.clock.advance(10_000);
    await refused;
    expect(watched.task.status()).toMatchObject({ lastError: { code: "STORAGE_UNAVAILABLE" } });
    expect(watched.of("recovered")).toEqual([]);
    giveBack(stage);
    const before = stage.storage.calls.length;
    await stage.clock.advance(2000);
    expect(watched.of("recovered")).toHaveLength(1);
    expect(watched.task.status().lastError).toBeUndefined();
    expect(stage.storage.calls.slice(before)).toMatchObject([{ operation: "get", key: "app/writer.json" }]);
  });

  test("on command, while storage is away: refused soon, and its pin hinders nobody", async () => {
    const stage = new Stage();
    const watched = await Watched.begin(stage);
    takeAway(stage);
    insert(stage.app);
    const outcomes: unknown[] = [];
    watched.task.snapshot("command").catch((error: unknown) => outcomes.push(error));
    await stage.clock.advance(10_000);
    expect(outcomes).toMatchObject([{ code: "STORAGE_UNAVAILABLE" }]);
    expect(checkpoint(stage.app, "TRUNCATE")[0]).toBe(0);
    giveBack(stage);
    await stage.clock.advance(3000);
    await stage.expectWhole();
  });

  test("during one, increments go on", async () => {
    const stage = new Stage();
    const watched = await Watched.begin(stage);
    for (let i = 0; i < 5; i += 1) {
      insert(stage.app);
      const taken = watched.task.snapshot("command");
      await stage.clock.advance(2000);
      await taken;
    }
    expect(watched.of("snapshot").length).toBeGreaterThanOrEqual(4);
    await stage.expectWhole();
  });

  test("after a restart the interval counts from the newest one in storage", async () => {
    const stage = new Stage();
    await (await Watched.begin(stage)).stop();
    stage.clock.pass(HOUR);
    insert(stage.app);
    const again = new Watched(stage);
    await stage.clock.advance(2000);
    expect(again.of("snapshot").map(({ trigger }) => trigger)).toEqual(["interval"]);
    await stage.expectWhole();
  });
});

describe("storage is away (pitfall 58)", () => {
  test.each([4000, 61_000, HOUR])(
    "for %d ms: uploads go on within 2 s, and both ends are told",
    async (awayMs) => {
      const stage = new Stage();
      const watched = await Watched.begin(stage);
      insert(stage.app);
      await stage.clock.advance(2000); // published, and the cursor still to be saved
      takeAway(stage);
      insert(stage.app);
      await stage.clock.advance(1000);
      for (let i = 0; i < 5; i += 1) {
        insert(stage.app);
        await stage.clock.advance(awayMs / 5);
      }
      expect(watched.of("sync_failed").length).toBeGreaterThan(1);
      expect(watched.of("recovered"), "not before it answers").toEqual([]);
      const before = uploads(stage);
      giveBack(stage);
      await stage.clock.advance(2000);
      expect(uploads(stage)).toBeGreaterThan(before);
      expect(watched.of("recovered")).toHaveLength(1);
      expect(watched.of("recovered")[0]?.afterMs).toBeGreaterThanOrEqual(awayMs - 1000);
      await stage.clock.advance(5000);
      expect(watched.of("published").at(-1)?.maxTxid).toBe(8n);
      expect(watched.of("gap_repaired")).toEqual([]);
      await stage.expectWhole();
    },
  );

  test("the log stays bounded meanwhile: handovers go on into the shadow WAL", async () => {
    const stage = new Stage();
    const watched = await Watched.begin(stage);
    takeAway(stage);
    for (let i = 0; i < 10; i += 1) {
      insert(stage.app, 100);
      await stage.clock.advance(5000);
    }
    expect(watched.of("handover").length).toBeGreaterThan(5);
    expect(filesIn(stage.folder.segments).length).toBeGreaterThan(5);
    expect(checkpoint(stage.app, "TRUNCATE")[0]).toBe(0);
    giveBack(stage);
    await stage.clock.advance(5000);
    expect(filesIn(stage.folder.segments)).toEqual([]);
    await stage.expectWhole();
  });

  test("at the start: it waits, tells, and begins when storage answers", async () => {
    const stage = new Stage();
    takeAway(stage);
    const watched = new Watched(stage);
    await stage.clock.advance(60_000);
    expect(await watched.firstOpening).toMatchObject({ code: "STORAGE_UNAVAILABLE" });
    expect(stage.files()).toEqual([]);
    giveBack(stage);
    await stage.clock.advance(3000);
    expect(stage.files()).toEqual(["00000001-00000001.ltx"]);
    expect(watched.of("recovered")).toHaveLength(1);
  });

  test("at a restart of an idle database: the trouble is told to be over", async () => {
    const stage = new Stage();
    const before = await Watched.begin(stage);
    insert(stage.app); // an empty log would prove nothing
    await before.stop();
    takeAway(stage);
    const watched = new Watched(stage);
    await stage.clock.advance(10_000);
    giveBack(stage);
    await stage.clock.advance(5000);
    expect(watched.of("opened")).toMatchObject([{ how: "continue" }]);
    expect(watched.of("recovered")).toHaveLength(1);
  });

  test("refused for good: told as such once, and asked for every 15 s", async () => {
    const stage = new Stage();
    const watched = await Watched.begin(stage);
    takeAway(stage, "STORAGE_AUTH");
    insert(stage.app);
    const before = stage.storage.calls.length;
    await stage.clock.advance(60_000);
    expect(watched.of("auth_failure")).toHaveLength(1);
    expect(stage.storage.calls.length - before).toBeLessThanOrEqual(6);
  });
});

describe("an answer that got lost", () => {
  test("of the first snapshot, and the database went on meanwhile: the copy begins all the same", async () => {
    const stage = new Stage();
    let lost = 0;
    stage.storage.fault = ({ operation }) => {
      if (operation !== "upload") return undefined;
      lost += 1;
      if (lost > 1) return undefined;
      insert(stage.app);
      return { kind: "after", error: new WalrustError("STORAGE_TIMEOUT", "no answer") };
    };
    const watched = new Watched(stage);
    await stage.clock.advance(60_000);
    expect(watched.of("snapshot").length).toBeGreaterThanOrEqual(1);
    insert(stage.app);
    await stage.clock.advance(5000);
    await stage.expectWhole();
  });

  test("of a repair, and the database went on meanwhile: repaired all the same", async () => {
    const stage = new Stage();
    await (await Watched.begin(stage)).stop();
    insert(stage.app);
    checkpoint(stage.app, "TRUNCATE");
    insert(stage.app);
    let lost = 0;
    stage.storage.fault = ({ operation }) => {
      if (operation !== "upload") return undefined;
      lost += 1;
      if (lost > 1) return undefined;
      insert(stage.app);
      return { kind: "after", error: new WalrustError("STORAGE_TIMEOUT", "no answer") };
    };
    const watched = new Watched(stage);
    await stage.clock.advance(60_000);
    insert(stage.app);
    await stage.clock.advance(5000);
    expect(watched.of("published").length).toBeGreaterThan(0);
    await stage.expectWhole();
  });

  test("of an increment: adopted, and nothing is repaired", async () => {
    const stage = new Stage();
    const watched = await Watched.begin(stage);
    let lost = 0;
    stage.storage.fault = ({ operation }) => {
      if (operation !== "upload") return undefined;
      lost += 1;
      return lost === 1
        ? { kind: "after", error: new WalrustError("STORAGE_TIMEOUT", "no answer") }
        : undefined;
    };
    insert(stage.app);
    await stage.clock.advance(5000);
    insert(stage.app);
    await stage.clock.advance(5000);
    expect(watched.of("opened")).toHaveLength(1);
    expect(stage.files()).toEqual([
      "00000001-00000001.ltx",
      "00000002-00000002.ltx",
      "00000003-00000003.ltx",
    ]);
    await stage.expectWhole();
  });
});

test("a long log that is all in the database already: the application's TRUNCATE right after the opening is no gap", async () => {
  const stage = new Stage();
  for (let commit = 0; commit < 300; commit += 1) insert(stage.app);
  checkpoint(stage.app, "PASSIVE");
  const watched = new Watched(stage);
  await stage.clock.advanceUntil(() => watched.of("snapshot").length > 0, 10_000);
  await stage.clock.advance(1);
  expect(checkpoint(stage.app, "TRUNCATE")[0]).toBe(0);
  insert(stage.app);
  await stage.clock.advance(5000);
  expect(watched.of("gap_repaired")).toEqual([]);
  await stage.expectWhole();
});

describe("a gap", () => {
  test("the file is replaced by another: noticed at once, repaired (pitfall 59)", async () => {
    const stage = new Stage();
    const watched = await Watched.begin(stage);
    insert(stage.app);
    await stage.clock.advance(2000);
    const other = tempDatabase({ rows: 50 });
    checkpoint(other, "TRUNCATE");
    const path = join(stage.path, "../new.db");
    copyFileSync(other.name, path);
    stage.app.close();
    for (const suffix of ["-wal", "-shm"]) rmSync(stage.path + suffix, { force: true });
    renameSync(path, stage.path);
    await stage.clock.advance(5000);
    const app = openApp(stage.path);
    expect(watched.of("gap_repaired")).toMatchObject([{ reason: "file-replaced" }]);
    insert(app, 2);
    await stage.clock.advance(5000);
    await stage.expectWhole();
  });

  test("the shadow WAL is full: dropped, the pin let go, repaired when storage returns", async () => {
    const stage = new Stage();
    const watched = await Watched.begin(stage, { daemon: { shadowMaxSizeBytes: 100_000 } });
    takeAway(stage);
    for (let i = 0; i < 10; i += 1) {
      insert(stage.app, 200);
      await stage.clock.advance(5000);
    }
    expect(watched.of("shadow_full")).toMatchObject([{ limitBytes: 100_000 }]);
    expect(watched.of("shadow_full")[0]?.sizeBytes).toBeGreaterThan(100_000);
    expect(filesIn(stage.folder.segments)).toEqual([]);
    expect(checkpoint(stage.app, "TRUNCATE")[0], "the application does not suffer").toBe(0);
    insert(stage.app, 50);
    giveBack(stage);
    await stage.clock.advance(5000);
    expect(watched.of("gap_repaired")).toMatchObject([{ reason: "shadow-full" }]);
    insert(stage.app);
    await stage.clock.advance(5000);
    await stage.expectWhole();
  });

  test("a foreign file lies where the next one belongs: looked at again, and a new chain behind it", async () => {
    const other = new Stage({ rows: 33 });
    const replica = await other.begin();
    insert(other.app);
    await other.publishAll(replica);
    const stage = new Stage();
    const watched = await Watched.begin(stage);
    stage.storage.poke("app/00000002-00000002.ltx", other.storage.peek("app/00000002-00000002.ltx"));
    insert(stage.app);
    await stage.clock.advance(60_000);
    expect(watched.of("sync_failed")[0]?.error.code).toBe("STORAGE_CONFLICT");
    insert(stage.app);
    await stage.clock.advance(10_000);
    expect(stage.files()).toContain("00000001-00000003.ltx");
    expect((await stage.restored()).equals(stage.image())).toBe(true);
  });
});

describe("frames in the shadow WAL that cannot be published", () => {
  test("are dropped, and the repair that is due brings what they hold", async () => {
    const stage = new Stage();
    const replica = await stage.begin();
    insert(stage.app, 50);
    await stage.capture(replica);
    insert(stage.app, 500);
    await stage.capture(replica);
    stage.handover(replica);
    stage.endLives();
    leaveOutGrowth(stage);
    checkpoint(stage.app, "TRUNCATE");
    insert(stage.app);
    const watched = new Watched(stage);
    await stage.clock.advance(60_000);
    expect(watched.of("sync_failed")).toMatchObject([{ error: { code: "INTEGRITY_CHAIN" } }]);
    expect(watched.of("gap_repaired")).toHaveLength(1);
    await stage.expectWhole();
  });
});

describe("the database cannot be opened", () => {
  test("it is missing: told, tried again, and taken up when it is there", async () => {
    const stage = new Stage();
    const hidden = `${stage.path}.hidden`;
    stage.app.close();
    renameSync(stage.path, hidden);
    const watched = new Watched(stage);
    await stage.clock.advance(10_000);
    expect(await watched.firstOpening).toMatchObject({ code: "DATABASE_NOT_FOUND" });
    await expect(watched.task.snapshot("command")).rejects.toMatchObject({ code: "DATABASE_LOCKED" });
    renameSync(hidden, stage.path);
    await stage.clock.advance(20_000);
    expect(stage.files()).toHaveLength(1);
    openApp(stage.path);
    await stage.expectWhole();
  });

  test("it vanishes: what was published of it is named in the manifest, whether it returns or not", async () => {
    const stage = new Stage();
    const watched = await Watched.begin(stage);
    await stage.clock.advance(120_000);
    insert(stage.app);
    await stage.clock.advance(4000);
    insert(stage.app);
    await stage.clock.advance(1000);
    expect(watched.of("published").at(-1)).toMatchObject({ maxTxid: 3n });
    stage.app.close();
    for (const suffix of ["", "-wal", "-shm"]) rmSync(stage.path + suffix, { force: true });
    await stage.clock.advance(3000);
    expect(watched.of("sync_failed")[0]).toMatchObject({ error: { code: "DATABASE_NOT_FOUND" } });
    const manifest = JSON.parse(Buffer.from(stage.storage.peek("app/manifest.json")).toString());
    expect(manifest.current_txid).toBe(3);
  });

  test.each([
    ["for a moment: nobody hears of it", 2000, []],
    ["for long: told, and that it is over", 10_000, ["sync_failed", "recovered"]],
  ])("somebody has it locked %s", async (_, lockedMs, told) => {
    const stage = new Stage();
    stage.app.pragma("locking_mode=EXCLUSIVE");
    insert(stage.app);
    const watched = new Watched(stage);
    await stage.clock.advance(lockedMs);
    stage.app.close();
    await stage.clock.advance(20_000);
    expect(await watched.firstOpening).toEqual(
      told.length === 0 ? undefined : expect.objectContaining({ code: "DATABASE_LOCKED" }),
    );
    const heard = new Set(
      watched.events.map(({ type }) => type).filter((type) => ["sync_failed", "recovered"].includes(type)),
    );
    expect([...heard]).toEqual(told);
    openApp(stage.path);
    await stage.expectWhole();
  });

  test("another process of walrust has it: told, and left alone", async () => {
    const stage = new Stage();
    const lock = DatabaseLock.acquire(stage.folder.lock, stage.path);
    const watched = new Watched(stage);
    await stage.clock.advance(1000);
    expect(await watched.firstOpening).toMatchObject({ code: "DATABASE_IN_USE" });
    expect(stage.storage.calls).toEqual([]);
    lock.release();
    await stage.clock.advance(20_000);
    expect(stage.files()).toHaveLength(1);
  });
});

describe("stop", () => {
  test("publishes what is pending, and the manifest; the lock is free", async () => {
    const stage = new Stage();
    const watched = await Watched.begin(stage, {
      sync: { walSyncIntervalMs: 60_000, monitorIntervalMs: 60_000 },
    });
    insert(stage.app);
    await stage.clock.advance(100);
    insert(stage.app);
    expect(await watched.stop()).toEqual({ name: "app", isComplete: true, error: undefined });
    expect(watched.of("closed")).toMatchObject([{ txid: 3n, unpublished: 0n }]);
    expect(DatabaseLock.holder(stage.folder.lock)).toBeUndefined();
    await stage.expectWhole();
    const { length } = stage.storage.calls;
    const again = new Watched(stage);
    await stage.clock.advance(5000);
    expect(again.of("opened")).toMatchObject([{ how: "continue", txid: 3n }]);
    expect(stage.storage.calls.slice(length).filter(({ operation }) => operation === "upload")).toEqual([]);
  });

  test("with storage away: not complete, says why, and keeps what is pending for the next start", async () => {
    const stage = new Stage();
    const watched = await Watched.begin(stage);
    takeAway(stage);
    insert(stage.app);
    await stage.clock.advance(1000);
    insert(stage.app);
    const result = await watched.stop();
    expect(result).toMatchObject({ isComplete: false, error: { code: "STORAGE_UNAVAILABLE" } });
    expect(watched.of("closed")).toMatchObject([{ unpublished: 2n }]);
    stage.app.close(); // SQLite deletes the log
    expect(filesIn(stage.folder.segments)).toHaveLength(1);
    giveBack(stage);
    const app = openApp(stage.path);
    insert(app);
    const again = new Watched(stage);
    await stage.clock.advance(5000);
    expect(again.of("published")[0]).toMatchObject({ minTxid: 2n, maxTxid: 3n });
    await stage.expectWhole();
  });

  test("before it could be opened: ends at once, with the error", async () => {
    const stage = new Stage();
    takeAway(stage);
    const watched = new Watched(stage);
    await stage.clock.advance(1000);
    expect(await watched.stop()).toMatchObject({ isComplete: false });
    expect(DatabaseLock.holder(stage.folder.lock)).toBeUndefined();
  });

  test.each([
    ["at the stop", false],
    ["once", true],
  ])("an application that ends has it locked for a moment: waited for, %s", async (_, once) => {
    const stage = new Stage();
    stage.app.pragma("locking_mode=EXCLUSIVE");
    insert(stage.app);
    const watched = new Watched(stage, { daemon: { once } });
    if (!once) watched.task.stop();
    await stage.clock.advance(2000);
    stage.app.close();
    await stage.clock.advance(2000);
    expect(await watched.result).toMatchObject({ isComplete: true });
    expect(watched.of("sync_failed")).toEqual([]);
    openApp(stage.path);
    await stage.expectWhole();
  });

  test("an application has it locked for good: it ends with that", async () => {
    const stage = new Stage();
    stage.app.pragma("locking_mode=EXCLUSIVE");
    insert(stage.app);
    const watched = new Watched(stage);
    expect(await watched.stop()).toMatchObject({ isComplete: false, error: { code: "DATABASE_LOCKED" } });
    expect(watched.of("sync_failed")).toHaveLength(1);
  });
});

describe("once", () => {
  const once = { daemon: { once: true } };

  test("everything is synced, then it ends", async () => {
    const stage = new Stage({ rows: 200 });
    const watched = new Watched(stage, once);
    await stage.clock.advance(0);
    expect(await watched.result).toMatchObject({ isComplete: true });
    await stage.expectWhole();
    insert(stage.app, 10);
    const again = new Watched(stage, once);
    await stage.clock.advance(0);
    expect(await again.result).toMatchObject({ isComplete: true });
    expect(again.of("published"), "the log proves that it goes on").toHaveLength(1);
    expect(stage.files()).toEqual(["00000001-00000001.ltx", "00000002-00000002.ltx"]);
    await stage.expectWhole();
  });

  test("storage is away: it ends with that, nothing is tried again", async () => {
    const stage = new Stage();
    takeAway(stage);
    const watched = new Watched(stage, once);
    await stage.clock.advance(0);
    expect(await watched.result).toMatchObject({ isComplete: false, error: { code: "STORAGE_UNAVAILABLE" } });
  });
});

/** The one segment of a stage begins behind its first commit, but says that it begins where that began. */
function leaveOutGrowth({ folder }: Stage): void {
  const [name = ""] = readdirSync(folder.segments);
  const path = join(folder.segments, name);
  const bytes = readFileSync(path);
  const header = readSegmentHeader(path);
  if (header === undefined) throw new Error("no segment");
  const frame = 24 + header.log.pageSizeBytes;
  let frames = 0;
  do frames += 1;
  while (bytes.readUInt32BE(SEGMENT_HEADER_SIZE + (frames - 1) * frame + 4) === 0);
  const last = SEGMENT_HEADER_SIZE + (frames - 1) * frame;
  const from = {
    ...header.from,
    offset: header.from.offset + frames * frame,
    checksum1: bytes.readUInt32BE(last + 16),
    checksum2: bytes.readUInt32BE(last + 20),
  };
  const rest = bytes.subarray(last + frame);
  writeFileSync(path, Buffer.concat([encodeSegmentHeader({ ...header, from }), rest]));
  const cursor = readCursor(folder.cursor);
  if (cursor === undefined) throw new Error("no cursor");
  writeFileSync(folder.cursor, formatCursor({ ...cursor, published: { ...cursor.published, log: from } }));
}
