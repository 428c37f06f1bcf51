import { describe, expect, test } from "vitest";
import { WalrustError } from "../../src/errors.ts";
import { decodeHeader } from "../../src/ltx/header.ts";
import { type FrameRun, PendingFrames } from "../../src/replication/pending-frames.ts";
import { filesIn } from "../../src/shadow/local-files.ts";
import { decodeAll } from "../helpers/ltx/decode-all.ts";
import type { Fault, StorageCall } from "../helpers/memory-storage.ts";
import { expectSame, Stage } from "../helpers/replication/stage.ts";
import { testCore } from "../helpers/sqlite/probe.ts";
import { checkpoint, insert } from "../helpers/sqlite/temp-database.ts";

const unavailable = () => new WalrustError("STORAGE_UNAVAILABLE", "storage is away");

/** Lets the k-th upload (from 0) from now on fail, once. */
function failUpload(stage: Stage, k: number, kind: Fault["kind"]): void {
  let uploads = 0;
  stage.storage.fault = (call) => {
    if (call.operation !== "upload") return undefined;
    uploads += 1;
    return uploads === k + 1 ? { kind, error: unavailable() } : undefined;
  };
}

const pagesIn = async (stage: Stage, file: string) =>
  (await decodeAll(testCore(), stage.storage.peek(stage.keys.prefix + file))).pages.map(({ pgno }) => pgno);

const headerOf = (stage: Stage, file: string) => decodeHeader(stage.storage.peek(stage.keys.prefix + file));

describe("what a file holds", () => {
  test("every commit is a restore point of its own, bit for bit", async () => {
    const stage = new Stage();
    const replica = await stage.begin();
    await stage.publishAll(replica);
    for (const sql of [
      "INSERT INTO t(body) VALUES (hex(randomblob(9000)))",
      "CREATE TABLE other(a, b); CREATE INDEX i ON other(b)",
      "INSERT INTO other SELECT id, body FROM t",
      "UPDATE t SET body = body || 'x' WHERE id % 2",
      "DELETE FROM other",
      "VACUUM",
      "DROP TABLE other",
    ]) {
      stage.app.exec(sql);
      await stage.publishAll(replica);
    }
    expect(stage.files().length).toBeGreaterThanOrEqual(8);
    await stage.expectWholeEverywhere();
  });

  test.each([512, 1024, 4096, 65536])("page size %d", async (pageSize) => {
    const stage = new Stage({ pageSize, rows: 500 });
    const replica = await stage.begin();
    await stage.publishAll(replica);
    insert(stage.app, 300);
    await stage.publishAll(replica);
    stage.app.exec("DELETE FROM t WHERE id > 100; VACUUM");
    await stage.publishAll(replica);
    await stage.expectWholeEverywhere();
  });

  test("commits that gathered become one file, whose name and header say which", async () => {
    const stage = new Stage();
    const replica = await stage.begin();
    stage.clock.pass(5000);
    for (let i = 0; i < 4; i += 1) insert(stage.app);
    const [file] = await stage.publishAll(replica);
    expect(file).toMatchObject({ minTxid: 2n, maxTxid: 5n, key: "app/00000002-00000005.ltx" });
    const header = headerOf(stage, "00000002-00000005.ltx");
    expect(header).toMatchObject({
      ...{ minTxid: 2n, maxTxid: 5n, nodeId: 7n, timestampMs: stage.clock.now() },
      ...{
        preApply: stage.images.size > 0 ? header.preApply : 0n,
        commit: replica.capture.state.commitPages,
      },
      ...{ walSalt1: replica.capture.state.log?.salt1, walSalt2: replica.capture.state.log?.salt2 },
    });
    expect(header.walOffset + header.walSize).toBe(BigInt(replica.capture.state.log?.offset ?? 0));
    expect(file?.sizeBytes).toBe(stage.storage.peek("app/00000002-00000005.ltx").length);
    await stage.expectWholeEverywhere();
  });

  test("pages that a transaction wrote without changing them are not published", async () => {
    const stage = new Stage({ rows: 2000 });
    const replica = await stage.begin();
    await stage.publishAll(replica);
    const { frames } = replica.capture;
    stage.app.exec(
      "BEGIN; UPDATE t SET body = 'y' || substr(body, 2); UPDATE t SET body = 'x' || substr(body, 2); COMMIT",
    );
    await stage.capture(replica);
    expect(replica.capture.frames - frames).toBeGreaterThan(20);
    const file = await replica.publish();
    expect(file?.pages).toBeLessThanOrEqual(2); // the change counter of page 1
    await stage.expectWholeEverywhere();
  });

  test("a page that was changed and changed back is not published either", async () => {
    const stage = new Stage({ rows: 2000 });
    const replica = await stage.begin();
    stage.app.exec("UPDATE t SET body = 'y' || substr(body, 2)");
    await stage.capture(replica);
    stage.app.exec("UPDATE t SET body = 'x' || substr(body, 2)");
    await stage.capture(replica);
    const file = await replica.publish();
    expect(file?.pages).toBeLessThanOrEqual(2);
    expect(file?.maxTxid).toBe(3n);
    await stage.expectWholeEverywhere();
  });

  test("a commit that changes nothing: a file without pages, and a restore point", async () => {
    const stage = new Stage();
    const replica = await stage.begin();
    await stage.capture(replica);
    insert(stage.app);
    await stage.capture(replica);
    const { pending } = replica.capture;
    // the same frames once more, as the next TXID: nothing in them differs from what is published
    const [run] = pending.runs;
    await replica.publish();
    if (run === undefined) throw new Error("no run");
    pending.append({ ...run, txidBefore: 2n });
    const file = await replica.publish();
    expect(file).toMatchObject({ minTxid: 3n, maxTxid: 3n, pages: 0 });
    await stage.expectWhole();
    expectSame(await stage.restored(3n), await stage.restored(2n), "TXID 3");
  });

  test("pages beyond a shrink are dropped, also where the same publication wrote them", async () => {
    const stage = new Stage({ rows: 3000 });
    const replica = await stage.begin();
    await stage.publishAll(replica);
    insert(stage.app, 2000);
    await stage.capture(replica);
    stage.app.exec("DELETE FROM t WHERE id > 50");
    await stage.capture(replica);
    stage.app.exec("VACUUM");
    await stage.capture(replica);
    const file = await replica.publish();
    const { commitPages } = replica.capture.state;
    expect(commitPages).toBeLessThan(20);
    expect(file?.pages).toBeLessThanOrEqual(commitPages);
    expect(Math.max(...(await pagesIn(stage, "00000002-00000004.ltx")))).toBeLessThanOrEqual(commitPages);
    insert(stage.app, 2000);
    await stage.publishAll(replica);
    await stage.expectWholeEverywhere();
  });

  test("more pages than one window of the page map holds (65,536)", async () => {
    const stage = new Stage({ pageSize: 512 });
    const replica = await stage.begin();
    stage.app.exec("CREATE TABLE big(b)");
    stage.app.exec("INSERT INTO big VALUES (zeroblob(40000000))");
    await stage.capture(replica);
    expect(replica.capture.state.commitPages).toBeGreaterThan(70_000);
    const file = await replica.publish();
    expect(file?.pages).toBeGreaterThan(70_000);
    expect(stage.scratchFiles(), "nothing is left of the spilled table changes").toEqual([]);
    stage.app.exec("UPDATE t SET body = 'z'");
    await stage.publishAll(replica);
    await stage.expectWhole();
  });

  test("runs of two generations in one file", async () => {
    const stage = new Stage();
    const replica = await stage.begin();
    await stage.publishAll(replica);
    insert(stage.app, 40);
    await stage.capture(replica);
    expect(stage.handover(replica)).toMatchObject({ kind: "done" });
    expect(checkpoint(stage.app, "RESTART")[0]).toBe(0);
    insert(stage.app, 3);
    stage.app.exec("UPDATE t SET body = 'second' WHERE id < 5");
    await stage.capture(replica);
    expect(replica.capture.pending.runs).toHaveLength(2);
    expect(filesIn(stage.folder.segments)).toHaveLength(1);
    const file = await replica.publish();
    expect(file).toMatchObject({ minTxid: 2n, maxTxid: 4n });
    expect(await replica.publish()).toBeUndefined();
    expect(filesIn(stage.folder.segments)).toEqual([]);
    const header = headerOf(stage, "00000002-00000004.ltx");
    expect(header).toMatchObject({ walOffset: 32n, walSalt1: replica.capture.state.log?.salt1 });
    await stage.expectWholeEverywhere();
  });

  test("the time never goes back, whatever the wall clock does", async () => {
    const stage = new Stage();
    const replica = await stage.begin();
    const times: number[] = [];
    for (const jumpMs of [1000, -3_600_000, 10, 0]) {
      stage.clock.jump(jumpMs);
      insert(stage.app);
      const [file] = await stage.publishAll(replica);
      times.push(headerOf(stage, file?.key.slice(4) ?? "").timestampMs);
    }
    expect(times).toEqual(times.toSorted((a, b) => a - b));
    await stage.expectWholeEverywhere();
  });
});

test("a database that VACUUM would renumber (pitfalls 20, 60): its own pages are stored, and what follows fits them", async () => {
  const stage = new Stage();
  for (const table of ["early", "late"]) {
    stage.app.exec(`CREATE TABLE ${table}(body TEXT)`);
    const fill = stage.app.prepare(`INSERT INTO ${table} VALUES (hex(randomblob(1000)))`);
    for (let row = 0; row < 50; row += 1) fill.run();
  }
  stage.app.exec("DROP TABLE early");
  expect(stage.app.pragma("freelist_count", { simple: true })).toBeGreaterThan(10);
  const replica = await stage.begin();
  for (let commit = 0; commit < 3; commit += 1)
    await stage.commitAndPublish(replica, "UPDATE late SET body = body || 'x' WHERE rowid % 7 = 0");
  await stage.expectWholeEverywhere();
});

describe("a page that the database grew by is in no frame (pitfall 6)", () => {
  test("INTEGRITY_CHAIN, and nothing is published", async () => {
    const stage = new Stage({ rows: 500 });
    const replica = await stage.begin();
    insert(stage.app, 500);
    await stage.capture(replica);
    const { pending } = replica.capture;
    const [run] = pending.runs;
    if (run === undefined) throw new Error("no run");
    const broken = new PendingFrames();
    broken.append({ ...run, commitPages: run.commitPages + 1 } satisfies FrameRun);
    const publisher = stage.publisherOf(replica);
    const before = stage.storage.keys();
    await expect(publisher.publishPending(broken)).rejects.toMatchObject({
      code: "INTEGRITY_CHAIN",
      message: expect.stringContaining("1 of the pages"),
    });
    expect(stage.storage.keys()).toEqual(before);
    expect(publisher.published.txid).toBe(1n);
    expect(publisher.table.checksum()).toBe(publisher.published.postApply);
  });

  test("captured TXIDs that do not follow the published ones: INTEGRITY_CHAIN", async () => {
    const stage = new Stage();
    const replica = await stage.begin();
    insert(stage.app);
    await stage.capture(replica);
    replica.capture.pending.renumber(5n);
    await expect(replica.publish()).rejects.toMatchObject({ code: "INTEGRITY_CHAIN" });
    expect(stage.files()).toEqual(["00000001-00000001.ltx"]);
  });
});

describe("the k-th PUT fails (pitfall 26)", () => {
  const cases = [0, 1, 2, 3, 4].flatMap((k) => [[k, "before"] as const, [k, "after"] as const]);
  test.each(cases)(
    "the %d., %s its effect: nothing is lost, no file twice, the order kept",
    async (k, kind) => {
      const stage = new Stage();
      const replica = await stage.begin();
      const publisher = stage.publisherOf(replica);
      const { pending } = replica.capture;
      failUpload(stage, k, kind);
      const failures: unknown[] = [];
      for (let i = 0; i < 5; i += 1) {
        insert(stage.app, 20);
        await stage.capture(replica);
        const before = publisher.published;
        try {
          await publisher.publishPending(pending);
        } catch (error) {
          failures.push(error);
          expect(publisher.published, "only after an acknowledgement").toBe(before);
        }
        expect(publisher.table.checksum(), "the table is of what is published").toBe(
          publisher.published.postApply,
        );
      }
      expect(failures).toMatchObject([{ code: "STORAGE_UNAVAILABLE" }]);
      while (await publisher.publishPending(pending));
      expect(publisher.published.txid).toBe(6n);
      await stage.expectWholeEverywhere();
      const ranges = stage.files().map((file) => file.match(/\d+/g)?.map(Number) ?? []);
      const increments = ranges.filter(([min]) => min !== 1);
      increments.forEach(([min = 0], i) => {
        expect(min, "each begins where the one before ended").toBe((increments[i - 1]?.[1] ?? 1) + 1);
      });
    },
  );

  test("until then the cursor on disk stays, and is stale afterwards", async () => {
    const stage = new Stage();
    const replica = await stage.begin();
    expect(replica.cursorIsStale).toBe(false);
    failUpload(stage, 0, "before");
    insert(stage.app);
    await stage.capture(replica);
    await expect(replica.publish()).rejects.toMatchObject({ code: "STORAGE_UNAVAILABLE" });
    expect(replica.cursorIsStale).toBe(false);
    await replica.publish();
    expect(replica.cursorIsStale).toBe(true);
    await replica.saveCursor();
    expect(replica.cursorIsStale).toBe(false);
  });
});

describe("a retry", () => {
  test("builds the same file, byte for byte, though more was captured meanwhile and time went on", async () => {
    const stage = new Stage();
    const replica = await stage.begin();
    const bodies: Uint8Array[] = [];
    const { storage } = stage;
    let failing = true;
    storage.fault = (call) =>
      call.operation === "upload" && failing ? { kind: "after", error: unavailable() } : undefined;
    insert(stage.app, 30);
    await stage.capture(replica);
    await expect(replica.publish()).rejects.toThrow();
    const key = "app/00000002-00000002.ltx";
    bodies.push(storage.peek(key));
    for (let round = 0; round < 3; round += 1) {
      storage.remove(key); // the PUT had no effect after all
      stage.clock.pass(60_000);
      insert(stage.app, 10);
      await stage.capture(replica);
      if (round === 1) expect(replica.capture.drain()).toMatchObject({ kind: "captured" }); // into a segment
      failing = round < 2;
      if (failing) await expect(replica.publish()).rejects.toThrow();
      else await replica.publish();
      bodies.push(storage.peek(key));
    }
    for (const body of bodies) expectSame(Buffer.from(body), Buffer.from(bodies[0] ?? []), "the file");
    await stage.publishAll(replica);
    await stage.expectWholeEverywhere();
  });

  test("whose first try took effect adopts the file: no second one (pitfall 27)", async () => {
    const stage = new Stage();
    const replica = await stage.begin();
    failUpload(stage, 0, "after");
    insert(stage.app);
    await stage.capture(replica);
    await expect(replica.publish()).rejects.toThrow();
    const there = stage.storage.keys();
    insert(stage.app);
    await stage.capture(replica);
    expect(await replica.publish()).toMatchObject({ minTxid: 2n, maxTxid: 2n });
    expect(stage.storage.keys()).toEqual(there);
    expect(await replica.publish()).toMatchObject({ minTxid: 3n, maxTxid: 3n });
    await stage.expectWholeEverywhere();
  });

  test("whose comparison fails for want of an answer is no conflict", async () => {
    const stage = new Stage();
    const replica = await stage.begin();
    const lost = new Set<StorageCall["operation"]>(["upload"]);
    stage.storage.fault = ({ operation }) => {
      if (!lost.delete(operation)) return undefined;
      return { kind: operation === "upload" ? "after" : "before", error: unavailable() };
    };
    insert(stage.app);
    await stage.capture(replica);
    await expect(replica.publish()).rejects.toMatchObject({ code: "STORAGE_UNAVAILABLE" });
    lost.add("read");
    await expect(replica.publish()).rejects.toMatchObject({ code: "STORAGE_UNAVAILABLE" });
    expect(await replica.publish()).toMatchObject({ maxTxid: 2n });
    await stage.expectWholeEverywhere();
  });
});

describe("something else lies under the key", () => {
  test("a file of another writer: STORAGE_CONFLICT, it stays, and nothing moves", async () => {
    const other = new Stage({ rows: 33 });
    const otherReplica = await other.begin();
    insert(other.app, 7);
    await other.publishAll(otherReplica);
    const foreign = other.storage.peek("app/00000002-00000002.ltx");

    const stage = new Stage();
    const replica = await stage.begin();
    stage.storage.poke("app/00000002-00000002.ltx", foreign);
    insert(stage.app);
    await stage.capture(replica);
    for (let round = 0; round < 2; round += 1)
      await expect(replica.publish()).rejects.toMatchObject({
        code: "STORAGE_CONFLICT",
        message: expect.stringContaining("app/00000002-00000002.ltx"),
      });
    expectSame(
      Buffer.from(stage.storage.peek("app/00000002-00000002.ltx")),
      Buffer.from(foreign),
      "the file",
    );
    expect(replica.published?.txid).toBe(1n);
  });

  test("a file from the same state to another one: STORAGE_CONFLICT", async () => {
    const stage = new Stage();
    const replica = await stage.begin();
    const runs: FrameRun[] = [];
    for (const id of [1, 2]) {
      await stage.commit(replica, `UPDATE t SET body = 'changed' WHERE id = ${id}`);
      const [run] = replica.capture.pending.seal();
      if (run) runs.push({ ...run, txidBefore: 1n });
      replica.capture.pending.settle();
    }
    const [mine, theirs] = runs.map((run) => {
      const pending = new PendingFrames();
      pending.append(run);
      return pending;
    });
    if (mine === undefined || theirs === undefined) throw new Error("two runs");
    const [me, them] = [stage.publisherOf(replica), stage.publisherOf(replica)];
    await them.publishPending(theirs);
    await expect(me.publishPending(mine)).rejects.toMatchObject({ code: "STORAGE_CONFLICT" });
    expect(me.published.txid).toBe(1n);
  });

  test("something that is no LTX file: an error, and it stays", async () => {
    const stage = new Stage();
    const replica = await stage.begin();
    stage.storage.poke("app/00000002-00000002.ltx", Buffer.from("x".repeat(500)));
    insert(stage.app);
    await stage.capture(replica);
    await expect(replica.publish()).rejects.toMatchObject({
      code: expect.stringMatching(/STORAGE_CONFLICT|INTEGRITY_FORMAT/),
    });
    expect(stage.storage.peek("app/00000002-00000002.ltx")).toHaveLength(500);
    expect(replica.published?.txid).toBe(1n);
  });
});

describe("a snapshot beside increments", () => {
  test("at a point that increments reached: another base, the same chain", async () => {
    const stage = new Stage({ rows: 300 });
    const replica = await stage.begin();
    insert(stage.app, 50);
    await stage.capture(replica);
    const point = await replica.pinForSnapshot();
    expect(point.txid).toBe(2n);
    expect(() => replica.publishSnapshot(point)).toThrow(/not reached/);
    insert(stage.app, 50);
    await stage.capture(replica);
    expect(await replica.publish(), "cut at the point").toMatchObject({ maxTxid: 2n });
    const snapshot = replica.publishSnapshot(point);
    insert(stage.app, 50);
    await stage.publishAll(replica);
    expect(await snapshot).toMatchObject({ minTxid: 1n, maxTxid: 2n });
    point.end();
    await stage.expectWholeEverywhere();
    // the new base alone must carry the rest
    stage.storage.remove("app/00000001-00000001.ltx");
    stage.storage.remove("app/00000002-00000002.ltx");
    await stage.expectWhole();
  });

  test.each([
    ["in its body", (body: Uint8Array) => body.with(body.length >> 1, (body[body.length >> 1] ?? 0) ^ 1)],
    ["in its header", (body: Uint8Array) => body.with(15, (body[15] ?? 0) ^ 1)],
    ["by a cut", (body: Uint8Array) => body.subarray(0, 50)],
  ])("where one of the same moment stands, damaged %s: it takes its place", async (_, damage) => {
    const stage = new Stage({ rows: 300 });
    const replica = await stage.begin();
    const key = "app/00000001-00000001.ltx";
    const sound = stage.storage.peek(key);
    stage.storage.poke(key, damage(sound));
    const point = await replica.pinForSnapshot();
    expect(await replica.publishSnapshot(point)).toMatchObject({ key, sizeBytes: sound.length });
    point.end();
    expectSame(Buffer.from(stage.storage.peek(key)), Buffer.from(sound), "the snapshot");
    await stage.expectWhole();
  });

  test("where one of the same moment stands, sound: it stays", async () => {
    const stage = new Stage({ rows: 300 });
    const replica = await stage.begin();
    const { etag } = await stage.storage.head("app/00000001-00000001.ltx");
    const point = await replica.pinForSnapshot();
    await replica.publishSnapshot(point);
    point.end();
    expect(await stage.storage.head("app/00000001-00000001.ltx")).toMatchObject({ etag });
    await stage.expectWhole();
  });

  test("of a database that the chain does not lead to: INTEGRITY_CHAIN, nothing is published", async () => {
    const stage = new Stage({ rows: 300 });
    const replica = await stage.begin();
    const point = await replica.pinForSnapshot();
    const before = stage.storage.keys();
    const { readMain, readWal } = point.database.link;
    const link = {
      readWal,
      readMain: (into: Uint8Array, offset: number) => {
        const got = readMain(into, offset);
        into[300] = (into[300] ?? 0) ^ 1;
        return got;
      },
    };
    await expect(
      replica.publishSnapshot({ ...point, database: { ...point.database, link } }),
    ).rejects.toMatchObject({ code: "INTEGRITY_CHAIN" });
    point.end();
    expect(stage.storage.keys()).toEqual(before);
  });
});
