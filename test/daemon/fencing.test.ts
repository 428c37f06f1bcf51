import { copyFileSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { Settings } from "../../src/config/settings.ts";
import { taskDependencies } from "../../src/daemon/daemon.ts";
import { WalrustError } from "../../src/errors.ts";
import { decodeHeader } from "../../src/ltx/header.ts";
import { silentLog } from "../../src/observability/silent-log.ts";
import { CHECK_MS, GRACE_MS } from "../../src/replication/writer-lease.ts";
import { DatabaseLock } from "../../src/shadow/lock.ts";
import { formatWriterRecord, parseWriterRecord } from "../../src/storage/writer-record.ts";
import { DAEMON, Watched, type WatchedOptions } from "../helpers/daemon/watched.ts";

import { MemoryStorage } from "../helpers/memory-storage.ts";
import { Stage } from "../helpers/replication/stage.ts";
import { checkpoint, insert, tempDatabase } from "../helpers/sqlite/temp-database.ts";
import { settingsFor } from "../storage/support.ts";

const KEY = "app/writer.json";
const on = (host: string): WatchedOptions => ({ self: { host, pid: 1, boot: "1" } });
const FENCED = { code: "STORAGE_FENCED", details: { host: "b" } };

const record = ({ storage }: Stage) => parseWriterRecord(storage.peek(KEY), KEY);
const lastTxid = (watched: Watched) => watched.of("published").at(-1)?.maxTxid;

/** Two machines, each with a database and an application of its own; the same remote database. */
async function twoMachines() {
  const a = new Stage({ rows: 3 });
  const b = new Stage({ rows: 30, beside: a });
  const first = await Watched.begin(a, on("a"));
  await a.clock.advance(60_000);
  return { a, b, first };
}

describe("two machines, one remote database (pitfall 29)", () => {
  test("the newer one publishes, the other one stops and says so, and the copy is the newer one's", async () => {
    const { a, b, first } = await twoMachines();
    const second = new Watched(b, on("b"));
    for (let second = 0; second < 60; second += 1) {
      insert(a.app);
      insert(b.app);
      await a.clock.advance(1000);
    }
    expect(await first.result).toMatchObject({ name: "app", isComplete: false, error: FENCED });
    expect(first.of("fenced")).toMatchObject([{ error: FENCED }]);
    expect(first.of("sync_failed"), "nothing is tried again").toEqual([]);
    expect(second.of("fenced")).toEqual([]);
    expect(record(a)).toMatchObject({ host: "b", epoch: 2 });

    insert(b.app);
    await b.clock.advance(5000);
    await b.expectWhole();
    const told = first.events.length;
    insert(a.app);
    await a.clock.advance(3_600_000);
    expect(first.events).toHaveLength(told);
  });

  test("the old one has published its last before the new one looks at what there is", async () => {
    const { a, b, first } = await twoMachines();
    insert(a.app);
    await a.clock.advance(2000); // published, after a look that is good for 15 s
    const before = a.storage.calls.length;
    const second = new Watched(b, on("b"));
    for (let tenth = 0; tenth < 400; tenth += 1) {
      insert(a.app);
      await a.clock.advance(100);
    }
    const calls = a.storage.calls.slice(before);
    const isUpload = ({ operation }: { readonly operation: string }) => operation === "upload";
    const looked = calls.findIndex(({ operation }) => operation === "list");
    expect(calls.slice(0, looked).filter(isUpload).length).toBeGreaterThan(10);
    expect(second.of("snapshot")).toHaveLength(1);
    expect(calls.slice(looked).filter(isUpload), "the new writer's first").toHaveLength(1);
    expect(first.of("fenced")).toHaveLength(1);
    await b.expectWhole();
  });

  test("commits of the one that was fenced stay local, and are not told as published", async () => {
    const { a, b, first } = await twoMachines();
    new Watched(b, on("b"));
    await a.clock.advance(GRACE_MS + 5000);
    const [told, head] = [lastTxid(first), a.storage.keys().length];
    insert(a.app);
    await a.clock.advance(5000);
    expect(await first.result).toMatchObject({ isComplete: false });
    expect(lastTxid(first)).toBe(told);
    expect(a.storage.keys()).toHaveLength(head);
    expect(DatabaseLock.holder(a.folder.lock), "the lock is free").toBeUndefined();
  });

  test("the one that was fenced is started again and again: it stays out, until it is asked to take over", async () => {
    const { a, b, first } = await twoMachines();
    const second = new Watched(b, on("b"));
    insert(a.app);
    await a.clock.advance(GRACE_MS + 5000);
    insert(a.app);
    await a.clock.advance(1000);
    await first.result;
    for (let start = 0; start < 5; start += 1) {
      const again = new Watched(a, on("a"));
      await a.clock.advance(100);
      expect(await again.result).toMatchObject({ error: FENCED });
      expect(await again.firstOpening).toMatchObject(FENCED);
      expect(again.of("opened")).toEqual([]);
    }
    expect(record(a)).toMatchObject({ host: "b", epoch: 2 });

    const back = new Watched(a, { ...on("a"), daemon: { takeOver: true } });
    insert(b.app);
    await a.clock.advance(GRACE_MS + 5000);
    insert(b.app);
    await b.clock.advance(CHECK_MS);
    expect(await second.result).toMatchObject({ error: { code: "STORAGE_FENCED", details: { host: "a" } } });
    expect(record(a)).toMatchObject({ host: "a", epoch: 3 });
    insert(a.app);
    await a.clock.advance(5000);
    expect(back.of("fenced")).toEqual([]);
    await a.expectWhole();
  });

  test("asked to take over, and fenced again in the same life: it does not take over twice", async () => {
    const { a, b, first } = await twoMachines();
    await first.stop();
    const taking = new Watched(a, { ...on("a"), daemon: { takeOver: true } });
    await a.clock.advance(5000);
    new Watched(b, on("b"));
    await a.clock.advance(GRACE_MS + 5000);
    insert(a.app);
    await a.clock.advance(60_000);
    expect(await taking.result).toMatchObject({ error: FENCED });
    expect(record(a)).toMatchObject({ host: "b", epoch: 2 });
  });

  test("asked to take over, fenced, and opened again for a gap: it does not take over twice", async () => {
    const stage = new Stage();
    const watched = await Watched.begin(stage, { ...on("a"), daemon: { takeOver: true } });
    stage.storage.poke(KEY, foreignRecord(stage));
    replaceDatabase(stage);
    await stage.clock.advance(60_000);
    expect(await watched.result).toMatchObject({ error: { code: "STORAGE_FENCED" } });
    expect(record(stage).host).toBe("gone");
  });

  test("before its first snapshot is stored: it gives up the duty", async () => {
    const stage = new Stage();
    const error = new WalrustError("STORAGE_UNAVAILABLE", "no uploads");
    stage.storage.fault = ({ operation }) => (operation === "upload" ? { kind: "before", error } : undefined);
    const watched = new Watched(stage, on("a"));
    await stage.clock.advance(5000);
    stage.storage.poke(KEY, foreignRecord(stage));
    await stage.clock.advance(60_000);
    expect(await watched.result).toMatchObject({ error: { code: "STORAGE_FENCED" } });
    expect(watched.of("fenced")).toHaveLength(1);
  });

  test("both start at the same moment: one publishes, the other one says so", async () => {
    for (const beforehand of [false, true]) {
      const a = new Stage({ rows: 3 });
      const b = new Stage({ rows: 30, beside: a });
      if (beforehand) a.storage.poke(KEY, foreignRecord(a));
      const both = [new Watched(a, on("a")), new Watched(b, on("b"))];
      for (let second = 0; second < 90; second += 1) {
        insert(a.app);
        insert(b.app);
        await a.clock.advance(1000);
      }
      const lost = both.filter((watched) => watched.of("fenced").length > 0);
      expect(lost).toHaveLength(1);
      const winner = both.findIndex((watched) => !lost.includes(watched));
      await both[winner]?.stop();
      expect((await [a, b][winner]?.restored())?.equals([a, b][winner]?.image() ?? Buffer.alloc(0))).toBe(
        true,
      );
    }
  });

  test("during a snapshot that takes long: it ends, and does not appear", async () => {
    const { a, b, first } = await twoMachines();
    insert(a.app);
    await a.clock.advance(2000);
    let release = () => {};
    const slow = new Promise<void>((resolve) => {
      release = resolve;
    });
    const { upload } = a.storage;
    a.storage.upload = (key, options) => {
      const real = upload.call(a.storage, key, options);
      if (!key.endsWith("00000001-00000002.ltx")) return real;
      const aborted = new Promise<never>((_, reject) =>
        options.signal?.addEventListener("abort", () => reject(new WalrustError("ABORTED", "stopped"))),
      );
      return {
        ...real,
        complete: async (...args) => {
          await Promise.race([slow, aborted]);
          return real.complete(...args);
        },
      };
    };
    const asked = first.task.snapshot("command");
    asked.catch(() => {});
    await a.clock.advance(1000);
    new Watched(b, on("b"));
    await a.clock.advance(GRACE_MS);
    release();
    await expect(asked).rejects.toMatchObject({ code: "STORAGE_FENCED" });
    expect(await first.result).toMatchObject({ error: FENCED });
    expect(a.storage.keys()).not.toContain("app/00000001-00000002.ltx");
  });

  test("at the stop: what is pending stays, and it says why", async () => {
    const { a, b, first } = await twoMachines();
    new Watched(b, on("b"));
    await a.clock.advance(GRACE_MS + 5000);
    insert(a.app);
    expect(await first.stop()).toMatchObject({ isComplete: false, error: FENCED });
    expect(first.of("fenced")).toHaveLength(1);
    expect(first.of("closed")).toEqual([]);
  });
});

test("files carry the writer's id, the same in every life", async () => {
  const stage = new Stage();
  await (await Watched.begin(stage, on("a"))).stop();
  insert(stage.app);
  const again = new Watched(stage, on("a"));
  await stage.clock.advance(5000);
  await again.stop();
  const ids = stage.files().map((file) => decodeHeader(stage.storage.peek(`app/${file}`)).nodeId);
  expect(ids).toEqual([record(stage).id, record(stage).id]);
});

test("a restart without changes stores nothing, and looks at writer.json once", async () => {
  const stage = new Stage();
  await (await Watched.begin(stage, on("a"))).stop();
  const { length } = stage.storage.calls;
  const again = new Watched(stage, on("a"));
  await stage.clock.advance(60_000);
  expect(again.of("opened")).toHaveLength(1);
  const calls = stage.storage.calls.slice(length);
  expect(calls.filter(({ operation }) => operation === "put" || operation === "upload")).toEqual([]);
  expect(calls.filter(({ key }) => key === KEY)).toHaveLength(1);
});

test("while storage is away, writer.json too: nothing is fenced, and it goes on", async () => {
  const stage = new Stage();
  const watched = await Watched.begin(stage, on("a"));
  await stage.clock.advance(60_000);
  stage.storage.fault = () => ({ kind: "before", error: new WalrustError("STORAGE_NETWORK", "away") });
  insert(stage.app);
  await stage.clock.advance(60_000);
  stage.storage.fault = () => undefined;
  await stage.clock.advance(5000);
  expect(watched.of("fenced")).toEqual([]);
  await stage.expectWhole();
});

test.each([
  [true, 0],
  [false, 1],
])("conditions on PUT %s: said %d times, however many databases there are", async (conditionalPut, times) => {
  const warnings: string[] = [];
  const stage = new Stage();
  const never = new AbortController().signal;
  const deps = await taskDependencies({
    settings: { daemon: DAEMON, storage: settingsFor("copies") } as Settings,
    storage: new MemoryStorage({ conditionalPut }),
    log: { ...silentLog, warn: (_, message) => warnings.push(message) },
    ...{ clock: stage.clock, events: () => {}, stop: never, abort: never },
  });
  expect(deps.newWriterId()).not.toBe(deps.newWriterId());
  expect(warnings).toHaveLength(times);
});

/** By another one, under the same name: its task opens it again. */
function replaceDatabase(stage: Stage): void {
  const other = tempDatabase({ rows: 44 });
  checkpoint(other, "TRUNCATE");
  const path = join(stage.path, "../new.db");
  copyFileSync(other.name, path);
  stage.app.close();
  for (const suffix of ["-wal", "-shm"]) rmSync(stage.path + suffix, { force: true });
  renameSync(path, stage.path);
}

function foreignRecord({ clock }: Stage): Uint8Array {
  return formatWriterRecord({ id: 0xeeeen, epoch: 7, host: "gone", pid: 1, sinceMs: clock.now() });
}
