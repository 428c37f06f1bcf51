import { describe, expect, test } from "vitest";
import { type ErrorCode, WalrustError } from "../../src/errors.ts";
import { readManifest } from "../../src/storage/database-objects.ts";
import { databaseKeys } from "../../src/storage/keys.ts";
import { formatManifest, MANIFEST_MAX_BYTES } from "../../src/storage/manifest.ts";
import { MemoryStorage } from "../helpers/memory-storage.ts";

const keys = databaseKeys("app");
const KEY = keys.manifest();
const sound = (name = "app") =>
  formatManifest({
    ...{ name, pageSizeBytes: 4096, currentTxid: 3n, lastChecksum: 1n << 63n, updatedAtMs: 0, files: [] },
  });

describe("what stands under a manifest's key", () => {
  test("nothing", async () => {
    expect(await readManifest(new MemoryStorage(), keys)).toMatchObject({
      state: "missing",
      etag: undefined,
    });
  });

  test("a sound one", async () => {
    const storage = new MemoryStorage();
    const { etag } = await storage.put(KEY, sound());
    const reading = await readManifest(storage, keys);
    expect(reading).toMatchObject({ state: "ok", etag, manifest: { currentTxid: 3n, etag } });
  });

  test.each([
    ["something else", Buffer.from("{}"), "version"],
    ["that of another database", sound("other"), 'is the manifest of "other"'],
    ["one that is too large to be read", Buffer.alloc(MANIFEST_MAX_BYTES + 1), `${MANIFEST_MAX_BYTES} bytes`],
  ])("%s: damaged, with what is needed to replace it", async (_, body, why) => {
    const storage = new MemoryStorage();
    const { etag } = await storage.put(KEY, body);
    const error = { message: expect.stringContaining(why) };
    expect(await readManifest(storage, keys)).toMatchObject({
      state: "damaged",
      manifest: undefined,
      etag,
      error,
    });
  });

  test("what storage itself cannot read, since it is encrypted and damaged", async () => {
    const storage = new MemoryStorage();
    const { etag } = await storage.put(KEY, sound());
    const error = new WalrustError("INTEGRITY_CHECKSUM", "it cannot be decrypted");
    storage.fault = ({ operation }) => (operation === "get" ? { kind: "before", error } : undefined);
    expect(await readManifest(storage, keys)).toMatchObject({ state: "damaged", etag, error });
  });

  test("damaged, and replaced by a sound one at that moment: the sound one", async () => {
    const storage = new MemoryStorage();
    await storage.put(KEY, sound());
    const error = new WalrustError("INTEGRITY_CHECKSUM", "it cannot be decrypted");
    storage.fault = ({ index }) => (index === 1 ? { kind: "before", error } : undefined);
    expect(await readManifest(storage, keys)).toMatchObject({ state: "ok" });
  });

  test("one of a newer walrust is refused", async () => {
    const storage = new MemoryStorage();
    await storage.put(KEY, Buffer.from('{"version":2}'));
    await expect(readManifest(storage, keys)).rejects.toMatchObject({ code: "INTEGRITY_VERSION" });
  });

  const codes: readonly ErrorCode[] = [
    "STORAGE_AUTH",
    "STORAGE_REJECTED",
    "STORAGE_NETWORK",
    "STORAGE_UNAVAILABLE",
  ];
  test.each(codes)("%s says nothing of what is there: thrown", async (code) => {
    const storage = new MemoryStorage();
    await storage.put(KEY, sound());
    const error = new WalrustError(code, "no");
    storage.fault = ({ operation }) => (operation === "get" ? { kind: "before", error } : undefined);
    await expect(readManifest(storage, keys)).rejects.toBe(error);
  });
});
