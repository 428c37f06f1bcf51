import { expect, test } from "vitest";
import { databaseKeys } from "../../src/storage/keys.ts";
import { formatManifest, type Manifest, parseManifest } from "../../src/storage/manifest.ts";
import { updateManifest } from "../../src/storage/update-manifest.ts";
import { MemoryStorage } from "../helpers/memory-storage.ts";

const keys = databaseKeys("app");
const manifest = (currentTxid: bigint): Manifest => ({
  ...{ name: "app", pageSizeBytes: 4096, currentTxid, lastChecksum: 1n << 63n, updatedAtMs: 0, files: [] },
});
const next = (before: Manifest | undefined) => manifest((before?.currentTxid ?? 0n) + 1n);

async function stored(storage: MemoryStorage): Promise<bigint> {
  const { body } = await storage.get(keys.manifest(), { maxBytes: 1e6 });
  return parseManifest(body, "manifest").currentTxid;
}

test("none is there: made", async () => {
  const storage = new MemoryStorage();
  expect(await updateManifest(storage, keys, next)).toEqual(manifest(1n));
  expect(await stored(storage)).toBe(1n);
});

test("one is there: changed", async () => {
  const storage = new MemoryStorage();
  await storage.put(keys.manifest(), formatManifest(manifest(6n)));
  await updateManifest(storage, keys, next);
  expect(await stored(storage)).toBe(7n);
});

test("a damaged one is replaced", async () => {
  const storage = new MemoryStorage();
  await storage.put(keys.manifest(), Buffer.from("{"));
  await updateManifest(storage, keys, next);
  expect(await stored(storage)).toBe(1n);
});

test("that of a newer walrust is not replaced", async () => {
  const storage = new MemoryStorage();
  await storage.put(keys.manifest(), Buffer.from('{"version":2}'));
  await expect(updateManifest(storage, keys, next)).rejects.toMatchObject({ code: "INTEGRITY_VERSION" });
  expect(Buffer.from(storage.peek(keys.manifest())).toString()).toBe('{"version":2}');
});

test("nothing to change: nothing is written", async () => {
  const storage = new MemoryStorage();
  expect(await updateManifest(storage, keys, () => undefined)).toBeUndefined();
  await expect(storage.get(keys.manifest(), { maxBytes: 1 })).rejects.toMatchObject({
    code: "STORAGE_NOT_FOUND",
  });
});

test.each(["made", "changed"])(
  "somebody %s it in between: his change is kept, ours comes on top",
  async (how) => {
    const storage = new MemoryStorage();
    if (how === "changed") await storage.put(keys.manifest(), formatManifest(manifest(6n)));
    let calls = 0;
    await updateManifest(storage, keys, async (before) => {
      calls += 1;
      if (calls === 1) await storage.put(keys.manifest(), formatManifest(manifest(10n)));
      return next(before);
    });
    expect([calls, await stored(storage)]).toEqual([2, 11n]);
  },
);

test("others are faster each time: a conflict", async () => {
  const storage = new MemoryStorage();
  let txid = 10n;
  const update = updateManifest(storage, keys, async (before) => {
    txid += 1n;
    await storage.put(keys.manifest(), formatManifest(manifest(txid)));
    return next(before);
  });
  await expect(update).rejects.toMatchObject({ code: "STORAGE_CONFLICT" });
  expect(await stored(storage)).toBe(txid);
});
