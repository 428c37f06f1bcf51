import { describe, expect, test } from "vitest";
import { type ErrorCode, WalrustError } from "../../src/errors.ts";
import { readCatalog, withHeaders } from "../../src/restore/catalog.ts";
import { prepareRestore } from "../../src/restore/prepare.ts";
import { MemoryStorage } from "../helpers/memory-storage.ts";
import { History } from "../helpers/restore/history.ts";
import { ImageMaker } from "../helpers/restore/images.ts";

async function backup(): Promise<{ storage: MemoryStorage; history: History }> {
  const storage = new MemoryStorage();
  const history = new History(storage);
  const maker = new ImageMaker(512);
  await history.snapshot(maker.next(3));
  await history.publish(maker.next(3, history.image()));
  await history.publish(maker.next(3, history.image()), { isRepair: true, commits: 2 });
  return { storage, history };
}

test("manifest and list together", async () => {
  const { storage, history } = await backup();
  history.manifest(history.files.slice(0, 2));
  storage.remove(history.key(2n, 2n));
  storage.poke("app/writer.json", new Uint8Array(1));
  storage.poke("app/deeper/00000009-00000009.ltx", new Uint8Array(1));
  storage.poke("apple/00000009-00000009.ltx", new Uint8Array(1));
  const catalog = await readCatalog(storage, "app");
  const [snapshot, second] = history.files;
  expect(catalog.present).toMatchObject([
    {
      key: history.key(1n, 1n),
      timestampMs: 1000,
      postApply: snapshot?.postApply,
      bodySha256: snapshot?.sha256,
    },
    {
      key: history.key(3n, 4n),
      timestampMs: undefined,
      isRepair: undefined,
      postApply: undefined,
      bodySha256: undefined,
    },
  ]);
  expect(catalog.missing).toMatchObject([
    { key: history.key(2n, 2n), timestampMs: 2000, preApply: second?.preApply },
  ]);
  expect(catalog.headTxid).toBe(4n);
});

test("headers say what the list does not", async () => {
  const { storage } = await backup();
  const listed = await readCatalog(storage, "app");
  const { present } = await withHeaders(storage, listed, listed.present);
  expect(present.map(({ timestampMs, isRepair }) => [timestampMs, isRepair])).toEqual([
    [1000, false],
    [2000, false],
    [4000, true],
  ]);
});

test("a header under another name is refused", async () => {
  const { storage, history } = await backup();
  storage.poke(history.key(2n, 2n), storage.peek(history.key(3n, 4n)));
  const listed = await readCatalog(storage, "app");
  await expect(withHeaders(storage, listed, listed.present)).rejects.toMatchObject({
    code: "INTEGRITY_FORMAT",
  });
});

describe("only STORAGE_NOT_FOUND means that there is nothing", () => {
  const codes: readonly ErrorCode[] = [
    "STORAGE_AUTH",
    "STORAGE_BUCKET_NOT_FOUND",
    "STORAGE_NETWORK",
    "STORAGE_TIMEOUT",
    "STORAGE_THROTTLED",
    "STORAGE_UNAVAILABLE",
    "STORAGE_REJECTED",
    "STORAGE_CONFLICT",
    "INTERNAL",
  ];

  test.each(codes)("%s of any request is thrown", async (code) => {
    const { storage, history } = await backup();
    history.manifest();
    const error = new WalrustError(code, "no");
    for (const operation of ["get", "list", "read"] as const) {
      storage.fault = (call) =>
        call.operation === operation ? { kind: "after", error, units: 1 } : undefined;
      const work = prepareRestore(storage, "app", { kind: "time", timestampMs: 2500 });
      await expect(work, operation).rejects.toBe(error);
    }
  });

  test("no manifest and no objects", async () => {
    const catalog = await readCatalog(new MemoryStorage(), "app");
    expect(catalog).toMatchObject({ manifest: undefined, present: [], missing: [], headTxid: 0n });
    await expect(prepareRestore(new MemoryStorage(), "app", { kind: "latest" })).rejects.toMatchObject({
      code: "RESTORE_NOTHING",
    });
  });
});

describe("what changes while it is read", () => {
  test("a prune between manifest and list loses nothing", async () => {
    const { storage, history } = await backup();
    await history.snapshot();
    history.manifest();
    storage.fault = ({ operation }) => {
      if (operation !== "list") return undefined;
      storage.fault = () => undefined;
      history.manifest(history.files.slice(3));
      for (const { minTxid, maxTxid } of history.files.slice(0, 3))
        storage.remove(history.key(minTxid, maxTxid));
      return undefined;
    };
    expect(await readCatalog(storage, "app")).toMatchObject({
      missing: [],
      present: [{ key: history.key(1n, 4n) }],
    });
  });

  test("a list that shows neither the merged file nor what it replaced is not believed at once", async () => {
    const { storage, history } = await backup();
    await history.merge(2n, 4n);
    const merged = storage.peek(history.key(2n, 4n));
    for (const maxTxid of [2n, 4n]) storage.remove(history.key(2n, maxTxid));
    storage.fault = ({ operation }) => {
      if (operation === "list" && storage.calls.length > 3) storage.poke(history.key(2n, 4n), merged);
      return undefined;
    };
    const { plan } = await prepareRestore(storage, "app", { kind: "latest" });
    expect(plan.files.map(({ key }) => key)).toEqual([history.key(1n, 1n), history.key(2n, 4n)]);
  });

  test("what stays missing is missing", async () => {
    const { storage, history } = await backup();
    history.manifest();
    storage.remove(history.key(3n, 4n));
    await expect(prepareRestore(storage, "app", { kind: "latest" })).rejects.toMatchObject({
      code: "INTEGRITY_MISSING",
    });
    expect(storage.calls.length).toBeLessThan(20);
  });
});

test("a point in time costs only the headers that it needs", async () => {
  const { storage, history } = await backup();
  history.manifest();
  const at = (timestampMs: number) => prepareRestore(storage, "app", { kind: "time", timestampMs });
  await expect(at(3000)).rejects.toMatchObject({
    code: "RESTORE_UNREACHABLE",
    details: { before_txid: "2", after_txid: "4" },
  });
  expect(storage.calls.filter(({ operation }) => operation === "read").map(({ key }) => key)).toEqual([
    history.key(2n, 2n),
    history.key(3n, 4n),
  ]);
  expect((await at(1500)).plan.point.txid).toBe(1n);
});
