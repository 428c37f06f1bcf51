import { describe, expect, test } from "vitest";
import { WalrustError } from "../../src/errors.ts";
import { listDatabases, listRestorePoints } from "../../src/restore/list.ts";
import { MemoryStorage } from "../helpers/memory-storage.ts";
import { History } from "../helpers/restore/history.ts";
import { ImageMaker } from "../helpers/restore/images.ts";

async function backupOf(storage: MemoryStorage, name: string): Promise<History> {
  const history = new History(storage, { name });
  const maker = new ImageMaker(512);
  await history.snapshot(maker.next(3));
  await history.publish(maker.next(3, history.image()), { commits: 4 });
  await history.snapshot();
  await history.publish(maker.next(3, history.image()), { isRepair: true });
  return history;
}

describe("databases", () => {
  test("each with its newest snapshot, TXID, size and age", async () => {
    let nowMs = 0;
    const storage = new MemoryStorage({ now: () => (nowMs += 1000) });
    await backupOf(storage, "tenants/b");
    await backupOf(storage, "a");
    const sizeBytes = storage
      .keys()
      .filter((key) => key.startsWith("a/"))
      .reduce((sum, key) => sum + storage.peek(key).length, 0);
    storage.poke("a/manifest.json", new Uint8Array(10));
    storage.poke("a/notes.txt", new Uint8Array(10));
    storage.poke("empty/manifest.json", new Uint8Array(10));
    storage.poke("increments/00000002-00000002.ltx", new Uint8Array(100));
    expect(await listDatabases(storage)).toEqual([
      {
        name: "a",
        layout: "walrust",
        txid: 6n,
        snapshotTxid: 5n,
        lastModifiedMs: 8000,
        snapshotModifiedMs: 7000,
        files: 4,
        sizeBytes,
      },
      {
        name: "increments",
        layout: "walrust",
        txid: 2n,
        snapshotTxid: undefined,
        lastModifiedMs: 12_000,
        snapshotModifiedMs: undefined,
        files: 1,
        sizeBytes: 100,
      },
      expect.objectContaining({
        name: "tenants/b",
        txid: 6n,
        snapshotTxid: 5n,
        lastModifiedMs: 4000,
        snapshotModifiedMs: 3000,
      }),
    ]);
    expect(storage.calls.map(({ operation }) => operation)).toEqual(["list"]);
  });

  test("TXIDs are compared as numbers", async () => {
    const storage = new MemoryStorage();
    for (const range of ["00000001-99999999", "00000001-100000000", "100000001-100000002"]) {
      storage.poke(`app/${range}.ltx`, new Uint8Array(1));
    }
    expect(await listDatabases(storage)).toMatchObject([{ txid: 100_000_002n, snapshotTxid: 100_000_000n }]);
  });

  test("none", async () => {
    expect(await listDatabases(new MemoryStorage())).toEqual([]);
  });

  test("an error is not an empty storage", async () => {
    const storage = new MemoryStorage();
    await backupOf(storage, "a");
    const error = new WalrustError("STORAGE_AUTH", "no");
    storage.fault = () => ({ kind: "after", error, units: 2 });
    await expect(listDatabases(storage)).rejects.toBe(error);
  });
});

describe("restore points", () => {
  test.each([true, false])("of a database (with a manifest: %s)", async (withManifest) => {
    const storage = new MemoryStorage();
    const history = await backupOf(storage, "app");
    if (withManifest) history.manifest(history.files.slice(0, 3));
    const { points, files, headTxid, missing } = await listRestorePoints(storage, "app");
    expect(points).toEqual([
      { txid: 1n, timestampMs: 1000, isSnapshot: true, afterHole: false },
      { txid: 5n, timestampMs: 5000, isSnapshot: true, afterHole: false },
      { txid: 6n, timestampMs: 6000, isSnapshot: false, afterHole: true },
    ]);
    expect(files.map(({ minTxid, maxTxid }) => `${minTxid}-${maxTxid}`)).toEqual([
      "1-1",
      "1-5",
      "2-5",
      "6-6",
    ]);
    expect({ headTxid, missing }).toEqual({ headTxid: 6n, missing: [] });
    // The manifest saves the look at what it names.
    expect(storage.calls.filter(({ operation }) => operation === "read")).toHaveLength(withManifest ? 1 : 4);
  });

  test("a manifest that says which files are repairs shows the holes; one that does not, none", async () => {
    const storage = new MemoryStorage();
    const history = await backupOf(storage, "app");
    const holes = async () => (await listRestorePoints(storage, "app")).points.filter((one) => one.afterHole);
    history.manifest();
    expect(await holes()).toMatchObject([{ txid: 6n }]);
    history.manifest(history.files.map(({ isRepair: _, ...file }) => file));
    expect(await holes()).toEqual([]);
  });

  test.each([
    ["missing", () => undefined],
    ["damaged", (storage: MemoryStorage) => storage.poke("app/manifest.json", new Uint8Array(9))],
  ] as const)("with a manifest that is %s: from the objects, and it says so", async (state, damage) => {
    const storage = new MemoryStorage();
    await backupOf(storage, "app");
    damage(storage);
    const { points, manifest } = await listRestorePoints(storage, "app");
    expect({ txids: points.map((one) => one.txid), manifest }).toEqual({
      txids: [1n, 5n, 6n],
      manifest: state,
    });
  });

  test("points that cannot be reached are not listed, and what is gone is said", async () => {
    const storage = new MemoryStorage();
    const history = await backupOf(storage, "app");
    history.manifest();
    storage.remove(history.key(1n, 5n));
    storage.remove(history.key(2n, 5n));
    const { points, headTxid, missing } = await listRestorePoints(storage, "app");
    expect(points.map(({ txid }) => txid)).toEqual([1n]);
    expect(headTxid).toBe(6n);
    expect(missing.toSorted()).toEqual([history.key(1n, 5n), history.key(2n, 5n)]);
  });

  test("of nothing", async () => {
    await expect(listRestorePoints(new MemoryStorage(), "app")).rejects.toMatchObject({
      code: "RESTORE_NOTHING",
    });
  });
});
