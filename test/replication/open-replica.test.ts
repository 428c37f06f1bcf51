import {
  copyFileSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import type Database from "better-sqlite3";
import { describe, expect, test } from "vitest";
import { WalrustError } from "../../src/errors.ts";
import { PendingFrames } from "../../src/replication/pending-frames.ts";
import type { DutyOutcome, Replica } from "../../src/replication/replica.ts";
import { readCursor, writeCursor } from "../../src/shadow/cursor.ts";
import { filesIn } from "../../src/shadow/local-files.ts";
import { formatManifest, parseManifest } from "../../src/storage/manifest.ts";
import { expectSame, Stage } from "../helpers/replication/stage.ts";
import {
  changePageSize,
  checkpoint,
  insert,
  openApp,
  tempDatabase,
} from "../helpers/sqlite/temp-database.ts";

/** A chain of a few files, the cursor saved behind all of them, nobody watching. */
async function stopped(options: { readonly rows?: number } = {}): Promise<Stage> {
  const stage = new Stage(options);
  const replica = await stage.begin();
  for (let i = 0; i < 3; i += 1) {
    insert(stage.app, 30);
    await stage.publishAll(replica);
  }
  await replica.saveCursor();
  stage.endLives();
  return stage;
}

/**
 * What a life leaves that published nothing: TXIDs 5 to 7 in a segment of a log that is gone, 8 to 10 in one of the log as it is, 11 in that log alone.
 */
async function killedWithSegments(): Promise<Stage> {
  const stage = await stopped();
  const replica = await stage.begin();
  for (let commit = 0; commit < 3; commit += 1) insert(stage.app, 10);
  await stage.capture(replica);
  expect(stage.handover(replica)).toMatchObject({ kind: "done" });
  expect(checkpoint(stage.app, "RESTART")[0]).toBe(0);
  for (let commit = 0; commit < 3; commit += 1) {
    insert(stage.app, 10);
    await stage.capture(replica);
  }
  replica.capture.drain();
  await stage.commit(replica, "UPDATE t SET body = 'in the log alone' WHERE id = 3");
  expect(replica.capture.state.txid).toBe(11n);
  stage.endLives();
  return stage;
}

/** Opens, does what is to be done, goes on with one more commit; everything must be whole then. Returns what the opening found. */
async function openAndGoOn(
  stage: Stage,
): Promise<{ replica: Replica; duty: string; outcome: DutyOutcome | undefined }> {
  const replica = await stage.open();
  const duty = replica.duty.kind;
  const outcome = await stage.doDuty(replica);
  expect(replica.duty.kind).toBe("none");
  await stage.publishAll(replica);
  await stage.expectWhole();
  insert(stage.app);
  await stage.publishAll(replica);
  await stage.expectWhole();
  return { replica, duty, outcome };
}

describe("the first start", () => {
  test("nothing is stored: a snapshot at TXID 1", async () => {
    const stage = new Stage();
    const replica = await stage.open();
    expect(replica.duty).toMatchObject({ kind: "snapshot", txid: 1n, reason: "nothing-stored" });
    expect(replica.published).toBeUndefined();
    expect(await replica.publish()).toBeUndefined();
    const { outcome } = await openAndGoOn(stage);
    expect(outcome).toMatchObject({ kind: "snapshot", reason: "nothing-stored", file: { maxTxid: 1n } });
    expect(stage.files()).toEqual(["00000001-00000001.ltx", "00000002-00000002.ltx"]);
  });

  test.each([
    ["everything in the main file", (app: Database.Database) => checkpoint(app, "TRUNCATE")],
    ["everything in the log", () => {}],
    [
      "half of it backfilled",
      (app: Database.Database) => {
        checkpoint(app, "PASSIVE");
        insert(app, 40);
      },
    ],
  ])("with %s", async (_, prepare) => {
    const stage = new Stage();
    insert(stage.app, 500);
    prepare(stage.app);
    await openAndGoOn(stage);
  });

  test.each<readonly [string, (wal: string) => void]>([
    ["missing", () => {}],
    ["of 0 bytes", (wal) => writeFileSync(wal, "")],
    ["of zeros", (wal) => writeFileSync(wal, Buffer.alloc(100_000))],
  ])("with a log that is none (pitfall 9): %s", async (_, make) => {
    for (const rows of [0, 300]) {
      const stage = new Stage({ rows });
      stage.app.close(); // SQLite deletes the log
      make(`${stage.path}-wal`);
      const replica = await stage.begin();
      await stage.expectWhole();
      const app = openApp(stage.path);
      for (let commit = 0; commit < 3; commit += 1) {
        insert(app, 20);
        expect(await stage.publishAll(replica)).toHaveLength(1);
      }
      await stage.expectWholeEverywhere();
    }
  });

  test("a database with 0 rows and one of one page", async () => {
    await openAndGoOn(new Stage({ rows: 0 }));
  });

  test("writers go on during the snapshot", async () => {
    const stage = new Stage({ rows: 3000 });
    const replica = await stage.open();
    const doing = stage.doDuty(replica);
    let done = false;
    const write = () => {
      if (done) return;
      insert(stage.app);
      setImmediate(write);
    };
    write();
    await doing;
    done = true;
    await stage.publishAll(replica);
    expect(replica.published?.txid).toBeGreaterThan(1n);
    await stage.expectWhole();
  });
});

describe("continue: nothing is read, nothing uploaded", () => {
  test("nothing happened meanwhile", async () => {
    const stage = await stopped();
    const before = stage.storage.keys();
    const { length } = stage.storage.calls;
    const replica = await stage.open();
    expect(replica.duty).toEqual({ kind: "none" });
    expect(await stage.publishAll(replica)).toEqual([]);
    expect(stage.storage.keys()).toEqual(before);
    expect(stage.storage.calls.slice(length).map(({ operation }) => operation)).toEqual([
      ...["get", "list", "read", "read"],
    ]);
    await stage.expectWholeEverywhere();
  });

  test("the application wrote on: its commits, each a TXID", async () => {
    const stage = await stopped();
    const before = stage.files().length;
    for (let i = 0; i < 4; i += 1) insert(stage.app);
    const { duty, replica } = await openAndGoOn(stage);
    expect(duty).toBe("none");
    expect(replica.published?.txid).toBe(4n + 4n + 1n);
    expect(stage.files()).toHaveLength(before + 2);
  });

  test("its checkpoint backfilled the log, which was not restarted", async () => {
    const stage = await stopped();
    insert(stage.app);
    checkpoint(stage.app, "FULL");
    expect((await openAndGoOn(stage)).duty).toBe("none");
  });

  test.each([
    ["the first pin keeps the log: nothing is copied", false, 0],
    ["it may begin anew under the first pin: what it holds is in the shadow WAL", true, 1],
  ])("%s", async (_, isBackfilled, segments) => {
    const stage = await stopped();
    insert(stage.app);
    if (isBackfilled) checkpoint(stage.app, "FULL");
    const replica = await stage.open();
    expect(replica.capture.pending.isEmpty).toBe(false);
    expect(filesIn(stage.folder.segments)).toHaveLength(segments);
    checkpoint(stage.app, "FULL");
    for (let commit = 0; commit < 2; commit += 1) insert(stage.app);
    await stage.publishAll(replica);
    expect(replica.published?.txid).toBe(4n + 3n);
    await stage.expectWhole();
  });
});

describe("a cursor that was saved long ago", () => {
  test("is rolled forward from the remote files: continue, and the cursor follows", async () => {
    const stage = await stopped();
    let replica = await stage.open();
    for (let i = 0; i < 4; i += 1) {
      insert(stage.app, 100);
      if (i === 2) stage.app.exec("DELETE FROM t WHERE id > 20; VACUUM");
      await stage.publishAll(replica);
    }
    stage.endLives(); // killed: neither cursor nor page table saved
    const saved = readCursor(stage.folder.cursor)?.published.txid;
    expect(saved).toBe(4n);
    replica = await stage.open();
    expect(replica.duty).toEqual({ kind: "none" });
    expect(replica.published?.txid).toBeGreaterThan(saved ?? 0n);
    expect(replica.cursorIsStale).toBe(true);
    await replica.saveCursor();
    stage.endLives();
    expect((await openAndGoOn(stage)).duty).toBe("none");
  });

  test("a hole in the newer files: not rolled forward, compared", async () => {
    const stage = await stopped();
    const replica = await stage.open();
    for (let i = 0; i < 3; i += 1) {
      insert(stage.app, 30);
      await stage.publishAll(replica);
    }
    stage.endLives();
    stage.storage.remove("app/00000006-00000006.ltx");
    const again = await stage.open();
    expect(again.duty.kind).toBe("compare");
  });

  test("a newer file is damaged: not trusted, compared", async () => {
    const stage = await stopped();
    const replica = await stage.open();
    for (let i = 0; i < 3; i += 1) {
      insert(stage.app, 30);
      await stage.publishAll(replica);
    }
    stage.endLives();
    const body = stage.storage.peek("app/00000006-00000006.ltx");
    body[400] = (body[400] ?? 0) ^ 1;
    stage.storage.poke("app/00000006-00000006.ltx", body);
    const again = await stage.open();
    expect(again.duty.kind).toBe("compare");
    expect(await stage.doDuty(again), "the database still is the head").toEqual({ kind: "adopted" });
  });
});

describe("compare: nothing local proves the head", () => {
  test.each<readonly [string, (stage: Stage) => void | Promise<void>]>([
    ["no local state", ({ folder }) => forget(folder.path, folder)],
    ["no cursor", ({ folder }) => rmSync(folder.cursor)],
    ["a damaged cursor", ({ folder }) => writeFileSync(folder.cursor, "{}\nffff\n")],
    ["no page table", ({ folder }) => rmSync(folder.pageTable)],
    ["half a page table", ({ folder }) => truncateSync(folder.pageTable, 24)],
    ["a page table of an older state", (stage) => damageTable(stage)],
    ["the cursor of another storage", (stage) => changeCursor(stage, { storageUrl: "s3://other" })],
    ["the cursor of another database", (stage) => changeCursor(stage, { name: "other" })],
    [
      "the cursor of another page size, as a database had that was here before",
      (stage) => changeCursor(stage, { pageSizeBytes: 512 }),
    ],
  ])("%s: the database is the head, so it is adopted without an upload", async (_, damage) => {
    const stage = await stopped();
    await damage(stage);
    const before = stage.storage.keys();
    const replica = await stage.open();
    expect(replica.duty.kind).toBe("compare");
    expect(await stage.doDuty(replica)).toEqual({ kind: "adopted" });
    expect(stage.storage.keys()).toEqual(before);
    expect(replica.published?.txid).toBe(4n);
    stage.endLives();
    expect((await openAndGoOn(stage)).duty, "the local state is made again").toBe("none");
  });

  test("and it has changed: a new snapshot behind the head, no TXID twice", async () => {
    const stage = await stopped();
    insert(stage.app, 5);
    rmSync(stage.folder.cursor);
    const { outcome } = await openAndGoOn(stage);
    expect(outcome).toMatchObject({ kind: "snapshot", reason: "unproved", file: { maxTxid: 5n } });
    expect(stage.files()).toContain("00000001-00000005.ltx");
  });

  test("an older database was put in its place: a new snapshot behind the head", async () => {
    const stage = await stopped();
    stage.app.exec("DELETE FROM t WHERE id > 15");
    rmSync(stage.folder.cursor);
    const { outcome } = await openAndGoOn(stage);
    expect(outcome).toMatchObject({ kind: "snapshot", reason: "unproved" });
  });
});

describe("repair: the page table is the head, the log is another one", () => {
  test.each<readonly [string, (app: Database.Database) => void]>([
    ["RESTART", (app) => checkpoint(app, "RESTART")],
    ["TRUNCATE", (app) => checkpoint(app, "TRUNCATE")],
  ])("%s and more commits while nobody watched: the pages that differ, in one file", async (_, restart) => {
    const stage = await stopped({ rows: 3000 });
    insert(stage.app);
    restart(stage.app);
    insert(stage.app);
    const { duty, outcome } = await openAndGoOn(stage);
    expect(duty).toBe("repair");
    expect(outcome).toMatchObject({ kind: "repaired", file: { minTxid: 5n, maxTxid: 5n } });
    if (outcome?.kind === "repaired") expect(outcome.file?.pages).toBeLessThan(10);
    expect(
      stage.files().filter((file) => file.startsWith("00000001-")),
      "no new snapshot",
    ).toHaveLength(1);
  });

  test("the log was restarted, but nothing changed: no file", async () => {
    const stage = await stopped();
    checkpoint(stage.app, "TRUNCATE");
    const before = stage.files();
    const replica = await stage.open();
    expect(replica.duty.kind).toBe("none");
    await stage.publishAll(replica);
    expect(stage.files()).toEqual(before);
    insert(stage.app);
    await stage.publishAll(replica);
    expect(replica.published?.txid, "and no TXID was lost for it").toBe(5n);
    await stage.expectWhole();
  });

  test("the main file is still the head, and nothing of the log is backfilled: its commits, each a TXID", async () => {
    const stage = await stopped();
    checkpoint(stage.app, "TRUNCATE");
    const other = openApp(stage.path); // draws its salts at random
    for (let commit = 0; commit < 3; commit += 1) insert(other, 20);
    const replica = await stage.open();
    expect(replica.duty.kind).toBe("none");
    await stage.publishAll(replica);
    expect(stage.files()).toContain("00000005-00000007.ltx");
    await stage.expectWholeEverywhere();
    other.close();
  });

  test("the same, but some of the log is backfilled: that the rest is all, nothing proves", async () => {
    const stage = await stopped();
    checkpoint(stage.app, "TRUNCATE");
    const other = openApp(stage.path);
    insert(other, 20);
    checkpoint(other, "PASSIVE");
    insert(other, 20);
    const replica = await stage.open();
    expect(replica.duty.kind).toBe("repair");
    await stage.doDuty(replica);
    await stage.expectWhole();
    other.close();
  });

  test("and it is proved only once: the cursor names the new place in the log", async () => {
    const stage = await stopped();
    checkpoint(stage.app, "TRUNCATE");
    stage.app.exec("BEGIN; UPDATE t SET body = 'y' WHERE id = 1");
    stage.app.exec(`UPDATE t SET body = '${"x".repeat(100)}' WHERE id = 1; COMMIT`);
    checkpoint(stage.app, "PASSIVE");
    const replica = await stage.open();
    expect(await stage.doDuty(replica)).toMatchObject({ kind: "repaired", file: undefined });
    stage.endLives();
    expect((await stage.open()).duty).toEqual({ kind: "none" });
  });

  test("the last connection of the application closed, which deleted the log", async () => {
    const stage = await stopped();
    insert(stage.app, 7);
    stage.app.close();
    const replica = await stage.open();
    expect(replica.duty.kind).toBe("repair");
    await stage.doDuty(replica);
    const app = openApp(stage.path);
    await stage.expectWhole();
    insert(app, 3);
    await stage.publishAll(replica);
    await stage.expectWhole();
  });

  test("it shrank by VACUUM meanwhile", async () => {
    const stage = await stopped({ rows: 3000 });
    stage.app.exec("DELETE FROM t WHERE id > 100; VACUUM");
    checkpoint(stage.app, "TRUNCATE");
    expect((await openAndGoOn(stage)).duty).toBe("repair");
  });

  test("another file stands under the path: its pages, and never frames of the old one (pitfall 59)", async () => {
    const stage = await killedWithSegments();
    const other = tempDatabase({ rows: 77 });
    insert(other, 10);
    checkpoint(other, "TRUNCATE");
    const path = join(stage.path, "../new.db");
    copyFileSync(other.name, path);
    stage.app.close();
    for (const suffix of ["-wal", "-shm"]) rmSync(stage.path + suffix, { force: true });
    renameSync(path, stage.path);
    const replica = await stage.open();
    expect(replica.duty.kind).toBe("repair");
    await stage.doDuty(replica);
    const app = openApp(stage.path);
    await stage.expectWhole();
    insert(app);
    await stage.publishAll(replica);
    await stage.expectWhole();
    expect(filesIn(stage.folder.segments)).toEqual([]);
  });

  test("a gap was found while watching: whatever the log looks like", async () => {
    const stage = await stopped();
    insert(stage.app, 9);
    const replica = await stage.open({ gap: "shadow-full" });
    expect(replica.duty).toEqual({ kind: "repair", reason: "shadow-full" });
    expect(await stage.doDuty(replica)).toMatchObject({ kind: "repaired", reason: "shadow-full" });
    await stage.expectWhole();
  });
});

describe("a new chain", () => {
  test.each<readonly [string, (stage: Stage) => void]>([
    ["objects", (stage) => stage.storage.remove("app/00000004-00000004.ltx")],
    [
      "all objects",
      (stage) => {
        for (const key of stage.storage.keys()) stage.storage.remove(key);
      },
    ],
  ])(
    "the newest of the %s is gone: a snapshot behind all TXIDs that were ever given out",
    async (_, lose) => {
      const stage = await stopped();
      lose(stage);
      const { replica, outcome } = await openAndGoOn(stage);
      expect(outcome).toMatchObject({ kind: "snapshot", file: { maxTxid: 5n } });
      expect(replica.published?.txid).toBe(6n);
    },
  );

  test("the manifest alone knows of newer TXIDs", async () => {
    const stage = new Stage();
    const replica = await stage.begin();
    insert(stage.app);
    await stage.publishAll(replica);
    await replica.writeManifest();
    stage.endLives();
    forget(stage.folder.path, stage.folder);
    stage.storage.remove("app/00000002-00000002.ltx");
    const again = await stage.open();
    expect(again.duty).toMatchObject({ kind: "snapshot", txid: 3n, reason: "objects-missing" });
  });

  test("a chain across eight digits (pitfall 32): each life finds the head, and goes on behind it", async () => {
    const stage = new Stage();
    await (await stage.begin()).writeManifest();
    stage.endLives();
    const manifest = parseManifest(stage.storage.peek("app/manifest.json"), "");
    stage.storage.poke("app/manifest.json", formatManifest({ ...manifest, currentTxid: 99_999_996n }));
    for (const last of [99_999_998n, 99_999_999n, 100_000_000n, 100_000_001n]) {
      const { replica, duty } = await openAndGoOn(stage);
      expect(duty).toBe(last === 99_999_998n ? "snapshot" : "none");
      expect(replica.published?.txid).toBe(last);
      stage.images.set(last, stage.image());
      await replica.saveCursor();
      stage.endLives();
    }
    expect(stage.files().at(-1), "names sort otherwise").toBe("99999999-99999999.ltx");
    await stage.expectWholeEverywhere();
  });

  test("there is no snapshot any more", async () => {
    const stage = await stopped();
    stage.storage.remove("app/00000001-00000001.ltx");
    const replica = await stage.open();
    expect(await stage.doDuty(replica)).toMatchObject({
      ...{ kind: "snapshot", reason: "no-snapshot-stored", file: { maxTxid: 5n } },
    });
    insert(stage.app);
    await stage.publishAll(replica);
    expectSame(await stage.restored(), stage.image(), "the latest state");
  });

  test("the page size changed while nobody watched", async () => {
    const stage = await stopped();
    changePageSize(stage.app, 8192);
    insert(stage.app);
    const { outcome } = await openAndGoOn(stage);
    expect(outcome).toMatchObject({ kind: "snapshot", reason: "page-size-changed", file: { maxTxid: 5n } });
  });

  test("a damaged manifest is as good as none", async () => {
    const stage = await stopped();
    stage.storage.poke("app/manifest.json", Buffer.from("{"));
    const replica = await stage.open();
    expect(replica.duty).toEqual({ kind: "none" });
  });
});

describe("segments that a crash left", () => {
  test("whole: every commit in them is a TXID", async () => {
    const stage = await killedWithSegments();
    const { duty, replica } = await openAndGoOn(stage);
    expect(duty).toBe("none");
    expect(replica.published?.txid).toBe(4n + 7n + 1n);
    expect(filesIn(stage.folder.segments)).toEqual([]);
    await stage.expectWholeEverywhere();
  });

  test("and the log was restarted behind them: their commits, then a repair", async () => {
    const stage = await killedWithSegments();
    checkpoint(stage.app, "RESTART");
    insert(stage.app, 2);
    const { duty, outcome } = await openAndGoOn(stage);
    expect(duty).toBe("repair");
    expect(outcome).toMatchObject({ kind: "repaired", file: { minTxid: 11n } }); // 11 was in the log alone
    await stage.expectWholeEverywhere();
  });

  test("the first is published already, and one commit of the second", async () => {
    const stage = await killedWithSegments();
    const { segments } = stage.folder;
    const copies = readdirSync(segments).map((name) => [name, readFileSync(join(segments, name))] as const);
    const [, second] = copies;
    if (second === undefined) throw new Error("no second segment");
    truncateSync(join(segments, second[0]), 88 + Math.floor((second[1].length - 88) / 2));
    let replica = await stage.open();
    const some = new PendingFrames();
    for (const run of replica.capture.pending.runs.slice(0, 2)) some.append(run);
    const file = await stage.publisherOf(replica).publishPending(some);
    expect(file?.maxTxid).toBeGreaterThan(7n);
    expect(file?.maxTxid).toBeLessThan(10n);
    stage.endLives();
    for (const [name, bytes] of copies) writeFileSync(join(segments, name), bytes);
    checkpoint(stage.app, "RESTART");
    insert(stage.app); // from here on only the segments have 8 to 10
    replica = await stage.open();
    expect(replica.duty.kind).toBe("repair");
    expect(replica.capture.pending.runs).toMatchObject([
      { txidBefore: file?.maxTxid, commits: 10n - (file?.maxTxid ?? 0n), source: { kind: "segment" } },
    ]);
    await stage.doDuty(replica);
    await stage.publishAll(replica);
    expect(replica.published?.txid).toBe(11n);
    expect(readdirSync(segments)).toEqual([]);
    await stage.expectWholeEverywhere();
  });

  test("both are published already", async () => {
    const stage = await killedWithSegments();
    const { segments } = stage.folder;
    const copies = readdirSync(segments).map((name) => [name, readFileSync(join(segments, name))] as const);
    let replica = await stage.open();
    expect(await replica.publish()).toMatchObject({ minTxid: 5n, maxTxid: 11n });
    stage.endLives();
    for (const [name, bytes] of copies) writeFileSync(join(segments, name), bytes);
    replica = await stage.open();
    expect(replica.duty).toEqual({ kind: "none" });
    expect(replica.published?.txid).toBe(11n);
    expect(readdirSync(segments)).toEqual([]);
    await stage.expectWholeEverywhere();
  });

  test("the second one is torn, and the log still has the rest: nothing is missing", async () => {
    const stage = await killedWithSegments();
    tearSecond(stage);
    const { duty, replica } = await openAndGoOn(stage);
    expect(duty).toBe("none");
    expect(replica.published?.txid).toBe(12n);
    await stage.expectWholeEverywhere();
  });

  test("the second one is torn, and the log is another one: what is whole of it, then a repair", async () => {
    const stage = await killedWithSegments();
    tearSecond(stage);
    checkpoint(stage.app, "RESTART");
    insert(stage.app);
    const { duty, outcome } = await openAndGoOn(stage);
    expect(duty).toBe("repair");
    expect(outcome).toMatchObject({
      kind: "repaired",
      file: { minTxid: expect.toSatisfy((txid) => txid > 8n) },
    });
    await stage.expectWholeEverywhere();
  });

  test.each([
    ["the first one is gone", 0, (path: string) => rmSync(path)],
    ["the first one's header is damaged", 0, (path: string) => flip(path, 20)],
    ["the first one's first frame is damaged", 0, (path: string) => flip(path, 200)],
  ])("%s: the rest does not count, a repair", async (_, index, damage) => {
    const stage = await killedWithSegments();
    damage(join(stage.folder.segments, readdirSync(stage.folder.segments)[index] ?? ""));
    const { duty } = await openAndGoOn(stage);
    expect(duty).toBe("repair");
    expect(filesIn(stage.folder.segments)).toEqual([]);
    await stage.expectWholeEverywhere();
  });

  test.each([
    ["is gone", (path: string) => rmSync(path)],
    ["has a damaged first frame", (path: string) => flip(path, 200)],
    ["is cut to nothing", (path: string) => truncateSync(path, 0)],
  ])(
    "the second one %s: the log still has all of its generation, and proves that it is the next one",
    async (_, damage) => {
      const stage = await killedWithSegments();
      damage(join(stage.folder.segments, readdirSync(stage.folder.segments)[1] ?? ""));
      const { duty, replica } = await openAndGoOn(stage);
      expect(duty).toBe("none");
      expect(replica.published?.txid).toBe(12n);
      expect(filesIn(stage.folder.segments)).toEqual([]);
      await stage.expectWholeEverywhere();
    },
  );

  test("of another lineage, with TXIDs that would follow: not published", async () => {
    const other = await killedWithSegments();
    const stage = await stopped();
    mkdirSync(stage.folder.segments);
    for (const name of readdirSync(other.folder.segments))
      copyFileSync(join(other.folder.segments, name), join(stage.folder.segments, name));
    insert(stage.app);
    const { replica } = await openAndGoOn(stage);
    expect(filesIn(stage.folder.segments)).toEqual([]);
    expect(replica.published?.txid).toBeLessThan(10n);
    await stage.expectWholeEverywhere();
  });

  test("unfinished ones: a half copy counts as far as it is whole", async () => {
    const stage = await killedWithSegments();
    const [, second = ""] = readdirSync(stage.folder.segments);
    const path = join(stage.folder.segments, second);
    renameSync(path, `${path}.tmp`);
    truncateSync(`${path}.tmp`, readFileSync(`${path}.tmp`).length - 1);
    await openAndGoOn(stage);
    expect(filesIn(stage.folder.segments)).toEqual([]);
    await stage.expectWholeEverywhere();
  });
});

describe("half of the page table is newer than the cursor", () => {
  test("the redo log makes it right", async () => {
    const stage = await stopped({ rows: 500 });
    const before = readFileSync(stage.folder.cursor);
    const replica = await stage.open();
    for (let i = 0; i < 3; i += 1) {
      stage.app.exec(`UPDATE t SET body = 'round ${i}' WHERE id % 3 = ${i}`);
      insert(stage.app, 200);
      await stage.publishAll(replica);
    }
    await replica.saveCursor(); // the table is of TXID 10 now
    stage.endLives();
    writeFileSync(stage.folder.cursor, before); // killed before the cursor was renamed
    expect((await openAndGoOn(stage)).duty).toBe("none");
  });
});

describe("scratch files of a dead life", () => {
  test("are gone after the opening", async () => {
    const stage = await stopped();
    writeFileSync(`${stage.folder.scratch}changes`, "x");
    await stage.open();
    expect(stage.scratchFiles()).toEqual([]);
  });
});

describe("storage does not answer (pitfall 25)", () => {
  const CODES = [
    "STORAGE_NETWORK",
    "STORAGE_AUTH",
    "STORAGE_UNAVAILABLE",
    "STORAGE_TIMEOUT",
    "STORAGE_THROTTLED",
    "STORAGE_REJECTED",
  ] as const;

  test.each(CODES)(
    "%s at any request of the opening, at once or half-way: the opening fails, nothing is concluded",
    async (code) => {
      const stage = await stopped();
      const replica = await stage.open();
      insert(stage.app, 30);
      await stage.publishAll(replica);
      await replica.writeManifest();
      stage.endLives(); // killed: the opening reads a file of the chain too
      const { storage } = stage;
      const before = new Map(storage.keys().map((key) => [key, Buffer.from(storage.peek(key))]));
      const local = readFileSync(stage.folder.cursor);
      for (const kind of ["before", "after"] as const) {
        let operations = 0;
        for (let k = 0; ; k += 1) {
          const first = storage.calls.length;
          storage.fault = ({ index }) =>
            index === first + k ? { kind, error: new WalrustError(code, "no answer"), units: 1 } : undefined;
          const outcome = await stage.open().then(
            () => "opened",
            (error: unknown) => error,
          );
          if (outcome === "opened") break;
          expect(outcome, `${kind}, request ${k}`).toMatchObject({ code });
          operations += 1;
        }
        expect(operations, "requests of an opening").toBe(5);
        stage.endLives();
      }
      storage.fault = () => undefined;
      expect(new Map(storage.keys().map((key) => [key, Buffer.from(storage.peek(key))]))).toEqual(before);
      expect(readFileSync(stage.folder.cursor)).toEqual(local);
      expect((await openAndGoOn(stage)).duty).toBe("none");
    },
  );

  test("during a duty: it stays, the pin is let go, and the next try does it", async () => {
    const stage = await stopped();
    insert(stage.app, 3);
    checkpoint(stage.app, "TRUNCATE");
    insert(stage.app, 3);
    const replica = await stage.open();
    stage.storage.fault = ({ operation }) =>
      operation === "upload"
        ? { kind: "before", error: new WalrustError("STORAGE_NETWORK", "no answer") }
        : undefined;
    await expect(replica.doDuty()).rejects.toMatchObject({ code: "STORAGE_NETWORK" });
    expect(replica.duty.kind).toBe("repair");
    expect(replica.link.pinned).toBe(false);
    insert(stage.app, 3);
    expect(checkpoint(stage.app, "TRUNCATE")[0], "the application's checkpoints are free").toBe(0);
    insert(stage.app, 3);
    stage.storage.fault = () => undefined;
    expect(await stage.doDuty(replica)).toMatchObject({ kind: "repaired" });
    await stage.expectWhole();
  });
});

function forget(path: string, folder: Stage["folder"]): void {
  rmSync(path, { recursive: true });
  mkdirSync(folder.path);
}

function flip(path: string, at: number): void {
  const bytes = readFileSync(path);
  bytes[at] = (bytes[at] ?? 0) ^ 1;
  writeFileSync(path, bytes);
}

function tearSecond({ folder }: Stage): void {
  const path = join(folder.segments, readdirSync(folder.segments)[1] ?? "");
  truncateSync(path, readFileSync(path).length - 3000);
}

function damageTable({ folder }: Stage): void {
  flip(folder.pageTable, 16 + 3);
}

async function changeCursor(
  { folder }: Stage,
  change: Partial<NonNullable<ReturnType<typeof readCursor>>>,
): Promise<void> {
  const cursor = readCursor(folder.cursor);
  if (cursor === undefined) throw new Error("no cursor");
  await writeCursor(folder.cursor, { ...cursor, ...change });
}
