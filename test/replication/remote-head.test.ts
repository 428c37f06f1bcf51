import { describe, expect, test } from "vitest";
import { findRemoteHead } from "../../src/replication/remote-head.ts";
import { databaseKeys } from "../../src/storage/keys.ts";
import { MemoryStorage } from "../helpers/memory-storage.ts";
import { aHistory } from "../helpers/replication/a-history.ts";
import { History } from "../helpers/restore/history.ts";
import { ImageMaker } from "../helpers/restore/images.ts";

const keys = databaseKeys("app");

describe("the newest state that storage holds", () => {
  test("nothing: no head", async () => {
    expect(await findRemoteHead(new MemoryStorage(), keys)).toMatchObject({
      head: undefined,
      highestTxid: 0n,
    });
  });

  test("likely nothing: one list tells that it is so, whoever writes it", async () => {
    const storage = new MemoryStorage();
    storage.poke(keys.writer(), Buffer.from("{}"));
    storage.poke("app2/00000001-00000001.ltx", Buffer.from("x"));
    expect(await findRemoteHead(storage, keys, { isLikelyNew: true })).toEqual({
      ...{ head: undefined, highestTxid: 0n, unnamed: [] },
    });
    expect(storage.calls.map(({ operation }) => operation)).toEqual(["list"]);
  });

  test.each([
    ["a copy", async () => (await aHistory()).storage],
    [
      "a manifest alone",
      async () => {
        const { storage, history } = await aHistory();
        history.manifest(history.files);
        for (const key of storage.keys()) if (key.endsWith(".ltx")) storage.remove(key);
        return storage;
      },
    ],
    [
      "a file that is none of ours",
      async () => {
        const storage = new MemoryStorage();
        storage.poke("app/notes", Buffer.from("x"));
        return storage;
      },
    ],
  ])("likely nothing, and yet there is %s: seen as ever", async (_, make) => {
    const storage = await make();
    const expected = await findRemoteHead(storage, keys);
    const { incrementalsAfter: _after, ...head } = expected.head ?? {};
    const seen = await findRemoteHead(storage, keys, { isLikelyNew: true });
    expect(seen).toMatchObject({ highestTxid: expected.highestTxid, unnamed: expected.unnamed });
    if (expected.head === undefined) expect(seen.head).toBeUndefined();
    else expect(seen.head).toMatchObject(head);
  });

  test("likely nothing, and there is a copy in the other layout: refused as ever", async () => {
    const storage = new MemoryStorage();
    storage.poke("app/ltx/0/0000000000000001-0000000000000001.ltx", Buffer.from("x"));
    await expect(findRemoteHead(storage, keys, { isLikelyNew: true })).rejects.toMatchObject({
      code: "CONFIG_INVALID",
    });
  });

  test("the newest file says it; of two at one TXID the incremental", async () => {
    const { storage, history } = await aHistory();
    await history.snapshot();
    const { head, highestTxid } = await findRemoteHead(storage, keys);
    expect(head).toMatchObject({
      ...{ pageSizeBytes: 512, newestSnapshot: { txid: 5n }, logEnd: { offset: 32 + 4120 } },
      state: { txid: 5n, commitPages: 12, timestampMs: 5000, postApply: history.files.at(-1)?.postApply },
    });
    expect(highestTxid).toBe(5n);
    expect(head?.incrementalsAfter(1n)).toEqual([
      ...["app/00000002-00000002.ltx", "app/00000003-00000003.ltx", "app/00000004-00000005.ltx"],
    ]);
    expect(head?.incrementalsAfter(5n)).toEqual([]);
    expect(head?.incrementalsAfter(4n), "inside a file").toBeUndefined();
  });

  test("a merged file is the shorter way; a hole is none", async () => {
    const { storage, history } = await aHistory();
    await history.merge(2n, 3n);
    let { head } = await findRemoteHead(storage, keys);
    expect(head?.incrementalsAfter(1n)).toEqual(["app/00000002-00000003.ltx", "app/00000004-00000005.ltx"]);
    expect(head?.incrementalsAfter(2n)).toEqual(["app/00000003-00000003.ltx", "app/00000004-00000005.ltx"]);
    storage.remove("app/00000003-00000003.ltx");
    ({ head } = await findRemoteHead(storage, keys));
    expect(head?.incrementalsAfter(2n)).toBeUndefined();
  });

  test("objects of others do not count", async () => {
    const { storage } = await aHistory();
    for (const key of [
      "app2/00000009-00000009.ltx",
      "app/x/00000009-00000009.ltx",
      "app/9-9.ltx.tmp",
      "app/notes",
    ])
      storage.poke(key, Buffer.from("x"));
    expect((await findRemoteHead(storage, keys)).highestTxid).toBe(5n);
  });

  test("across eight digits, numbers decide", async () => {
    const storage = new MemoryStorage();
    const history = new History(storage);
    const images = new ImageMaker(512);
    const image = images.next(3);
    await history.snapshot(image, { commits: 99_999_999 });
    await history.publish(images.next(3, image));
    expect((await findRemoteHead(storage, keys)).head?.state.txid).toBe(100_000_000n);
  });

  test("what the manifest should name: neither what it names, nor what a prune left over", async () => {
    const { storage, history } = await aHistory();
    const unnamed = async () => (await findRemoteHead(storage, keys)).unnamed;
    expect(await unnamed(), "without one: everything").toHaveLength(history.files.length);
    history.manifest(history.files.slice(0, -1));
    expect(await unnamed()).toEqual(["app/00000004-00000005.ltx"]);
    await history.snapshot();
    history.manifest(history.files.slice(-1));
    expect(await unnamed()).toEqual([]);
  });

  test("the manifest may know of more than the objects", async () => {
    const { storage, history } = await aHistory();
    history.manifest();
    storage.remove("app/00000004-00000005.ltx");
    expect(await findRemoteHead(storage, keys)).toMatchObject({
      head: { state: { txid: 3n } },
      highestTxid: 5n,
    });
  });

  test.each([
    ["cut", (body: Uint8Array) => body.subarray(0, 60)],
    ["of another kind", () => Buffer.from("x".repeat(500))],
  ])("the newest file is %s: nothing can follow it, and its TXID is not used again", async (_, damage) => {
    const { storage } = await aHistory();
    const key = "app/00000004-00000005.ltx";
    storage.poke(key, damage(storage.peek(key)));
    expect(await findRemoteHead(storage, keys)).toMatchObject({ head: undefined, highestTxid: 5n });
  });
});
