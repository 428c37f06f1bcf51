import { describe, expect, test } from "vitest";
import { WalrustError } from "../../src/errors.ts";
import { ManifestWriter } from "../../src/replication/manifest-writer.ts";
import { verifyAndFix } from "../../src/restore/fix-manifest.ts";
import { verify } from "../../src/restore/verify.ts";
import { databaseKeys } from "../../src/storage/keys.ts";
import {
  formatManifest,
  type Manifest,
  type ManifestFile,
  parseManifest,
} from "../../src/storage/manifest.ts";
import { CorePool } from "../../src/wasm/core-pool.ts";
import { ManualClock } from "../helpers/manual-clock.ts";
import { MemoryStorage } from "../helpers/memory-storage.ts";
import { ONLY_WRITER } from "../helpers/replication/stage.ts";
import { History } from "../helpers/restore/history.ts";
import { ImageMaker } from "../helpers/restore/images.ts";

const keys = databaseKeys("app");
const FLAG = 1n << 63n;

function scene(unnamed: readonly string[] = [], storage = new MemoryStorage(), isNew = false) {
  const clock = new ManualClock();
  clock.pass(1_000_000);
  const writer = new ManifestWriter({
    ...{
      storage,
      keys,
      clock,
      cores: new CorePool(),
      name: "app",
      pageSizeBytes: 512,
      intervalMs: () => 60_000,
      writer: ONLY_WRITER,
      unnamed,
      isNew,
    },
  });
  const stored = (): Manifest => parseManifest(storage.peek(keys.manifest()), "app/manifest.json");
  return { storage, clock, writer, stored };
}

function file(minTxid: bigint, maxTxid: bigint, sizeBytes = 1000): ManifestFile {
  return {
    ...{ minTxid, maxTxid, sizeBytes, createdAtMs: 5000, timestampMs: 4000, bodyChecksum: FLAG | maxTxid },
    ...{
      sha256: "ab".repeat(32),
      preApply: minTxid === 1n ? 0n : FLAG | minTxid,
      postApply: FLAG | (maxTxid + 1n),
    },
  };
}

const headAt = (txid: bigint) => ({ txid, postApply: FLAG | (txid + 1n) });
const names = (manifest: Manifest) => manifest.files.map(({ minTxid, maxTxid }) => `${minTxid}-${maxTxid}`);

describe("when it is due", () => {
  test("nothing to tell: never; the first time 2 s after the last file, then by the interval", async () => {
    const { clock, writer } = scene();
    expect(writer.dueAtMs).toBeUndefined();
    expect(writer.isDirty).toBe(false);
    writer.add(file(2n, 2n));
    expect(writer.dueAtMs).toBe(clock.monotonicMs() + 2000);
    clock.pass(1500);
    writer.add(file(3n, 3n));
    expect(writer.dueAtMs, "the burst goes on").toBe(clock.monotonicMs() + 2000);
    clock.pass(2000);
    await writer.write(headAt(3n));
    expect(writer.dueAtMs).toBeUndefined();
    const writtenMs = clock.monotonicMs();
    writer.add(file(4n, 4n));
    expect(writer.dueAtMs).toBe(writtenMs + 60_000);
  });

  test("a burst that never ends: by the interval all the same", () => {
    const { clock, writer } = scene();
    const sinceMs = clock.monotonicMs();
    for (let txid = 2n; txid <= 90n; txid += 1n) {
      writer.add(file(txid, txid));
      clock.pass(1000);
    }
    expect(writer.dueAtMs).toBe(sinceMs + 60_000);
  });

  test("a snapshot: 2 s after it, whatever the interval and the burst; once", async () => {
    const { clock, writer, storage } = scene();
    writer.add(file(2n, 2n));
    await writer.write(headAt(2n));
    clock.pass(5000);
    writer.add(file(3n, 3n));
    writer.add(file(1n, 3n));
    const dueAtMs = clock.monotonicMs() + 2000;
    expect(writer.dueAtMs).toBe(dueAtMs);
    clock.pass(1500);
    writer.add(file(4n, 4n));
    expect(writer.dueAtMs).toBe(dueAtMs);
    storage.fault = () => ({ kind: "before", error: new WalrustError("STORAGE_NETWORK", "away") });
    await expect(writer.write(headAt(4n))).rejects.toThrow("away");
    expect(writer.dueAtMs, "it still has no name").toBe(dueAtMs);
    storage.fault = () => undefined;
    await writer.write(headAt(4n));
    writer.add(file(5n, 5n));
    expect(writer.dueAtMs).toBe(clock.monotonicMs() + 60_000);
  });
});

describe("what a compaction took away before it was ever named", () => {
  test("is not named again; a snapshot of that time, and what is newer, are", async () => {
    const { writer, storage, stored } = scene();
    for (const txid of [2n, 3n, 4n, 5n]) writer.add(file(txid, txid));
    writer.add(file(1n, 3n));
    const compacted: Manifest = {
      ...{ name: "app", pageSizeBytes: 4096, currentTxid: 4n, lastChecksum: FLAG | 5n, updatedAtMs: 6000 },
      files: [file(1n, 1n), file(2n, 3n), file(4n, 4n)],
    };
    storage.poke("app/manifest.json", formatManifest(compacted));
    await writer.write(headAt(5n));
    expect(names(stored())).toEqual(["1-1", "1-3", "2-3", "4-4", "5-5"]);
  });
});

const byAnother: Manifest = {
  ...{ name: "app", pageSizeBytes: 512, currentTxid: 1n, lastChecksum: FLAG | 2n, updatedAtMs: 0 },
  files: [file(1n, 1n)],
};

describe("what it writes", () => {
  test("adds to what is there, and says the head", async () => {
    const { writer, stored, clock } = scene();
    writer.add(file(1n, 1n));
    writer.add(file(2n, 4n));
    await writer.write(headAt(4n));
    writer.add(file(5n, 2n ** 53n + 1n));
    await writer.write(headAt(2n ** 53n + 1n));
    expect(names(stored())).toEqual(["1-1", "2-4", "5-9007199254740993"]);
    expect(stored()).toMatchObject({
      ...{ name: "app", pageSizeBytes: 512, currentTxid: 2n ** 53n + 1n, updatedAtMs: clock.now() },
      lastChecksum: headAt(2n ** 53n + 1n).postApply,
    });
    expect(stored().files[1]).toEqual(file(2n, 4n));
  });

  test("a file that is stored again replaces what was said of it", async () => {
    const { writer, stored } = scene();
    writer.add(file(1n, 1n, 500));
    writer.add(file(1n, 1n, 600));
    await writer.write(headAt(1n));
    expect(stored().files).toEqual([file(1n, 1n, 600)]);
    writer.add(file(1n, 1n, 700));
    await writer.write(headAt(1n));
    expect(stored().files).toEqual([file(1n, 1n, 700)]);
  });

  test("a damaged manifest begins anew", async () => {
    const { writer, stored, storage } = scene();
    storage.poke(keys.manifest(), Buffer.from("{"));
    writer.add(file(1n, 1n));
    await writer.write(headAt(1n));
    expect(names(stored())).toEqual(["1-1"]);
  });

  test("of a copy that was begun here: nothing is asked, only written", async () => {
    const { writer, stored, storage } = scene([], new MemoryStorage(), true);
    writer.add(file(1n, 1n));
    await writer.write(headAt(1n));
    expect(storage.calls.map(({ operation }) => operation)).toEqual(["put"]);
    writer.add(file(2n, 2n));
    await writer.write(headAt(2n));
    expect(storage.calls.map(({ operation }) => operation)).toEqual(["put", "get", "put"]);
    expect(names(stored())).toEqual(["1-1", "2-2"]);
  });

  test("of a copy that was begun here, whose first answer was lost: what was written is read, and stays", async () => {
    const { writer, stored, storage } = scene([], new MemoryStorage(), true);
    writer.add(file(1n, 1n));
    const error = new WalrustError("STORAGE_NETWORK", "no answer");
    storage.fault = ({ index }) => (index === 0 ? { kind: "after", error, units: 1 } : undefined);
    await expect(writer.write(headAt(1n))).rejects.toThrow("no answer");
    writer.add(file(2n, 2n));
    await writer.write(headAt(2n));
    expect(names(stored())).toEqual(["1-1", "2-2"]);
  });

  test.each([
    ["another manifest", () => formatManifest(byAnother)],
    ["a damaged one", () => Buffer.from("{")],
  ])("of a copy that was begun here: %s that came meanwhile is not overwritten unread", async (_, there) => {
    const { writer, stored, storage } = scene([], new MemoryStorage(), true);
    storage.poke(keys.manifest(), there());
    writer.add(file(2n, 2n));
    await writer.write(headAt(2n));
    expect(storage.calls.map(({ operation }) => operation).slice(0, 2)).toEqual(["put", "get"]);
    const kept = there().length > 1 ? ["1-1", "2-2"] : ["2-2"];
    expect(names(stored())).toEqual(kept);
  });

  test("what others added meanwhile stays", async () => {
    const { writer, stored, storage } = scene();
    storage.poke(keys.manifest(), formatManifest(byAnother));
    writer.add(file(2n, 2n));
    await writer.write(headAt(2n));
    expect(names(stored())).toEqual(["1-1", "2-2"]);
  });
});

/** Three files that storage has: 1-1, 2-2, 3-3. */
async function stored123() {
  const storage = new MemoryStorage();
  const history = new History(storage);
  const images = new ImageMaker(512);
  await history.snapshot(images.next(8));
  for (let i = 0; i < 2; i += 1) await history.publish(images.next(8, history.image()));
  return { storage, history, images };
}
const headOf = (history: History) => ({
  txid: history.head,
  postApply: history.files.at(-1)?.postApply ?? 0n,
});

describe("a manifest that is lost while the daemon runs", () => {
  test.each([
    ["deleted", (storage: MemoryStorage) => storage.remove(keys.manifest())],
    ["damaged", (storage: MemoryStorage) => storage.poke(keys.manifest(), Buffer.from("{"))],
  ])("%s: the next write names everything at once", async (_, lose) => {
    const { storage, history, images } = await stored123();
    history.manifest();
    const { writer, stored } = scene([], storage);
    lose(storage);
    await history.publish(images.next(8, history.image()));
    const [newest] = history.files.slice(-1);
    if (newest) writer.add(newest);
    await writer.write(headOf(history));
    expect(names(stored())).toEqual(["1-1", "2-2", "3-3", "4-4"]);
    expect(stored().files.slice(0, 3)).toEqual(history.files.slice(0, 3));
    const report = await verify({ storage, cores: new CorePool() }, "app");
    expect(report).toMatchObject({ findings: [], manifest: "ok" });
  });

  test("what leads nowhere since its base is gone is not named, whoever sees it", async () => {
    const { storage, history } = await stored123();
    storage.remove("app/00000002-00000002.ltx");
    const { writer, stored } = scene(storage.keys(), storage);
    await writer.write(headOf(history));
    expect(names(stored())).toEqual(["1-1"]);
    expect(stored().currentTxid).toBe(3n);
  });
});

describe("beside a verify --fix", () => {
  const fix = (storage: MemoryStorage) =>
    verifyAndFix({ storage, cores: new CorePool(), clock: new ManualClock() }, "app");

  test("what it forgot is not named again, what it added stays, what is published comes on top", async () => {
    const { storage, history, images } = await stored123();
    history.manifest(history.files.slice(0, 2));
    const { writer, stored } = scene([], storage);
    storage.remove("app/00000002-00000002.ltx");
    await history.snapshot();
    const done = await fix(storage);
    expect(done.fix).toMatchObject({ kind: "written", forgotten: ["app/00000002-00000002.ltx"] });
    expect(names(stored())).toEqual(["1-1", "1-3"]);
    await history.publish(images.next(8, history.image()));
    const [newest] = history.files.slice(-1);
    if (newest) writer.add(newest);
    await writer.write(headOf(history));
    expect(names(stored())).toEqual(["1-1", "1-3", "4-4"]);
    expect(await fix(storage)).toMatchObject({ report: { findings: [] }, fix: { kind: "unchanged" } });
  });

  test("both write at the same moment: neither loses anything", async () => {
    const { storage, history } = await stored123();
    const { writer, stored } = scene([], storage);
    for (const file of history.files.slice(1)) writer.add(file);
    storage.poke(keys.manifest(), Buffer.from("{"));
    await Promise.all([fix(storage), writer.write(headOf(history))]);
    expect(names(stored())).toEqual(["1-1", "2-2", "3-3"]);
  });
});

test("a manifest of a newer walrust is not replaced", async () => {
  const { storage, history } = await stored123();
  const newer = Buffer.from('{"version":2}');
  storage.poke(keys.manifest(), newer);
  const { writer } = scene(storage.keys(), storage);
  await expect(writer.write(headOf(history))).rejects.toMatchObject({ code: "INTEGRITY_VERSION" });
  expect(Buffer.from(storage.peek(keys.manifest()))).toEqual(newer);
});

describe("storage fails", () => {
  test.each(["get", "put"] as const)(
    "at the %s: nothing is forgotten, nothing is overwritten",
    async (operation) => {
      const { writer, stored, storage } = scene();
      writer.add(file(1n, 1n));
      await writer.write(headAt(1n));
      writer.add(file(2n, 2n));
      storage.fault = (call) =>
        call.operation === operation
          ? { kind: "before", error: new WalrustError("STORAGE_UNAVAILABLE", "away") }
          : undefined;
      await expect(writer.write(headAt(2n))).rejects.toMatchObject({ code: "STORAGE_UNAVAILABLE" });
      expect(names(stored())).toEqual(["1-1"]);
      expect(writer.isDirty).toBe(true);
      storage.fault = () => undefined;
      await writer.write(headAt(2n));
      expect(names(stored())).toEqual(["1-1", "2-2"]);
      expect(writer.isDirty).toBe(false);
    },
  );

  test("what is added while it is written is told next time", async () => {
    const { writer, stored } = scene();
    writer.add(file(1n, 1n));
    const writing = writer.write(headAt(1n));
    writer.add(file(2n, 2n));
    await writing;
    expect(writer.isDirty).toBe(true);
    await writer.write(headAt(2n));
    expect(names(stored())).toEqual(["1-1", "2-2"]);
  });
});

describe("files that a crash left unnamed", () => {
  async function withHistory() {
    const { storage, history } = await stored123();
    return { ...scene(storage.keys(), storage), history, head: headOf(history) };
  }

  test("are read and named, as whoever wrote them would have", async () => {
    const { writer, stored, history, head, clock } = await withHistory();
    expect(writer.dueAtMs).toBeLessThanOrEqual(clock.monotonicMs());
    await writer.write(head);
    const expected = history.files.map((each) => ({ ...each, createdAtMs: 0 }));
    expect(stored().files).toEqual(expected);
    expect(writer.isDirty).toBe(false);
  });

  test("a damaged one and one that is gone are not named, and hinder nothing", async () => {
    const { writer, stored, storage, head } = await withHistory();
    storage.remove("app/00000002-00000002.ltx");
    const body = storage.peek("app/00000003-00000003.ltx");
    body[200] = (body[200] ?? 0) ^ 1;
    storage.poke("app/00000003-00000003.ltx", body);
    await writer.write(head);
    expect(names(stored())).toEqual(["1-1"]);
  });

  test("an answer that does not come: nothing is written, and they are not forgotten", async () => {
    const { writer, stored, storage, head } = await withHistory();
    storage.fault = ({ operation }) =>
      operation === "read" ? { kind: "before", error: new WalrustError("STORAGE_NETWORK", "no") } : undefined;
    await expect(writer.write(head)).rejects.toMatchObject({ code: "STORAGE_NETWORK" });
    expect(storage.keys()).not.toContain(keys.manifest());
    storage.fault = () => undefined;
    await writer.write(head);
    expect(names(stored())).toEqual(["1-1", "2-2", "3-3"]);
  });
});

test("a snapshot that a write found before we were told of it is not named a second time: it may be pruned by then", async () => {
  const { storage, history } = await stored123();
  const { writer, stored } = scene([], storage);
  await writer.write(headOf(history)); // makes a manifest anew, of what lies there
  const found = stored().files.find(({ minTxid }) => minTxid === 1n);
  if (found === undefined) throw new Error("it was not found");
  writer.add(found);
  expect(writer.isDirty, "named already").toBe(false);
  writer.add({ ...found, sha256: "cd".repeat(32) });
  expect(writer.isDirty, "another one of the same name").toBe(true);
});

describe("snapshots beside a compaction that was faster", () => {
  const byCompaction = (currentTxid: bigint, files: readonly ManifestFile[]): Manifest => ({
    ...{ name: "app", pageSizeBytes: 512, currentTxid, lastChecksum: FLAG, updatedAtMs: 1, files },
  });

  test("one that it pruned before it was ever named is not named any more", async () => {
    const { storage, writer, stored } = scene();
    for (const added of [file(1n, 1n), file(2n, 2n), file(1n, 2n)]) writer.add(added);
    await storage.put(keys.manifest(), formatManifest(byCompaction(2n, [file(1n, 2n)])));
    await writer.write(headAt(2n));
    expect(names(stored())).toEqual(["1-2"]);
  });

  test("one that is newer than all that it knew of is named, also where it ends where the manifest ended", async () => {
    const { storage, writer, stored } = scene();
    writer.add(file(1n, 2n));
    await storage.put(keys.manifest(), formatManifest(byCompaction(2n, [file(1n, 1n), file(2n, 2n)])));
    await writer.write(headAt(2n));
    expect(names(stored())).toEqual(["1-1", "1-2", "2-2"]);
  });
});
