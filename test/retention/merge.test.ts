import { existsSync, mkdirSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { decodeLtx } from "../../src/ltx/decoder.ts";
import { readCatalog } from "../../src/restore/catalog.ts";
import { restore } from "../../src/restore/restore.ts";
import type { RestoreFile } from "../../src/restore/restore-file.ts";
import { mergeFiles } from "../../src/retention/merge.ts";
import { manifestFileOf } from "../../src/storage/describe-file.ts";
import { CorePool } from "../../src/wasm/core-pool.ts";
import { decodeAll } from "../helpers/ltx/decode-all.ts";
import { encodeFile } from "../helpers/ltx/encode-file.ts";
import { goldenBytes, goldenChains, goldenFile } from "../helpers/ltx/golden.ts";
import { MemoryStorage } from "../helpers/memory-storage.ts";
import { expectSame } from "../helpers/replication/stage.ts";
import { History } from "../helpers/restore/history.ts";
import { ImageMaker } from "../helpers/restore/images.ts";
import { testCore } from "../helpers/sqlite/probe.ts";
import { tempFolder } from "../helpers/sqlite/temp-database.ts";

const cores = new CorePool();
const core = testCore();

/** Scratch files of merges go here, and to nowhere else. */
const before = process.env["TMPDIR"];
let scratch = "";
beforeAll(() => {
  scratch = join(before ?? "/tmp", `walrust-merge-test-${process.pid}`);
  mkdirSync(scratch, { recursive: true });
  process.env["TMPDIR"] = scratch;
});
afterAll(() => {
  expect(readdirSync(scratch), "nothing stays behind").toEqual([]);
  if (before === undefined) delete process.env["TMPDIR"];
  else process.env["TMPDIR"] = before;
});

async function filesOf(storage: MemoryStorage): Promise<RestoreFile[]> {
  const { present } = await readCatalog(storage, "app");
  return present.toSorted((a, b) => Number(a.maxTxid - b.maxTxid));
}

/** Merges the incrementals from `minTxid` to `maxTxid`, and puts the result in their place. */
async function mergeIn(storage: MemoryStorage, history: History, minTxid: bigint, maxTxid: bigint) {
  const sources = (await filesOf(storage)).filter(
    (file) => file.minTxid >= minTxid && file.maxTxid <= maxTxid && file.minTxid > 1n,
  );
  const merged = await mergeFiles({ storage, core, key: history.key(minTxid, maxTxid), sources });
  for (const { key } of sources) storage.remove(key);
  return merged;
}

async function imageAt(storage: MemoryStorage, txid: bigint): Promise<Buffer> {
  const path = join(tempFolder(), "out.db");
  const target = { kind: "txid", txid } as const;
  await restore({ storage, cores }, "app", path, { target, integrityCheck: "none" });
  return readFileSync(path);
}

async function decodedOf(storage: MemoryStorage, key: string) {
  return decodeLtx(core, storage.read(key), { objectName: key }, () => {});
}

/** A snapshot of `sizes[0]` pages, then an incremental for each further size. */
async function historyOf(sizes: readonly number[], pageSizeBytes = 512, seed = 1) {
  const storage = new MemoryStorage({ pieceSizeBytes: 3000 });
  const history = new History(storage, { pageSizeBytes });
  const maker = new ImageMaker(pageSizeBytes, seed);
  let image = maker.next(sizes[0] ?? 0);
  await history.snapshot(image);
  for (const size of sizes.slice(1)) {
    image = maker.next(size, image);
    await history.publish(image);
  }
  return { storage, history };
}

describe("a merge does what all of its sources do", () => {
  test("for any growing and shrinking, any page size, and any of the files", async () => {
    const size = fc.oneof(fc.nat(40), fc.constantFrom(0, 1, 600));
    await fc.assert(
      fc.asyncProperty(
        fc.array(size, { minLength: 3, maxLength: 9 }),
        fc.constantFrom(512, 4096, 65_536),
        fc.nat(),
        fc.nat(),
        async (sizes, pageSizeBytes, from, to) => {
          const { storage, history } = await historyOf(
            sizes.map((pages) => (pageSizeBytes > 512 ? pages % 20 : pages)),
            pageSizeBytes,
          );
          const first = BigInt(2 + (from % (sizes.length - 2)));
          const last = first + 1n + BigInt(to % (sizes.length - Number(first)));
          const merged = await mergeIn(storage, history, first, last);
          for (let txid = last; txid <= history.head; txid += 1n) {
            expectSame(await imageAt(storage, txid), Buffer.from(history.image(txid)), `TXID ${txid}`);
          }
          expect(merged.header.commit).toBe(history.image(last).length / pageSizeBytes);
        },
      ),
      { numRuns: 40 },
    );
  });

  test("pages beyond the last size are in no merged file", async () => {
    const { storage, history } = await historyOf([10, 500, 900, 4]);
    const { sizeBytes } = await mergeIn(storage, history, 2n, 4n);
    expect(sizeBytes).toBeLessThan(10 * 512);
    const decoded = await decodedOf(storage, history.key(2n, 4n));
    expect(decoded.pageCount).toBeLessThanOrEqual(4);
  });

  test("a page that was cut off and came back is the one that came back", async () => {
    const { storage, history } = await historyOf([20, 5, 20]);
    await mergeIn(storage, history, 2n, 3n);
    expectSame(await imageAt(storage, 3n), Buffer.from(history.image(3n)), "TXID 3");
  });

  test.each(goldenChains)("of a chain that the Go library wrote, page size $page_size", async ({ steps }) => {
    const storage = new MemoryStorage();
    const history = new History(storage);
    for (const { file } of steps) {
      const [, min = 0, max = 0] = /(\d+)-(\d+)\.ltx$/.exec(file)?.map(Number) ?? [];
      storage.poke(history.key(BigInt(min), BigInt(max)), goldenBytes(file));
    }
    const last = (await filesOf(storage)).at(-1)?.maxTxid ?? 0n;
    const expected = await imageAt(storage, last);
    await mergeIn(storage, history, 2n, last);
    expectSame(await imageAt(storage, last), expected, "the latest state");
  });

  const ofIncrementals = goldenChains
    .flatMap(({ merged }) => merged)
    .filter(({ of }) => of.every((file) => !file.includes("snapshot")));

  test.each(ofIncrementals)(
    "it has the pages and checksums of $file, which the Go library merged",
    async ({ file, of }) => {
      const storage = new MemoryStorage();
      const history = new History(storage);
      for (const source of of) {
        const [, min = "", max = ""] = /-(\d+)-(\d+)\.ltx$/.exec(source) ?? [];
        storage.poke(history.key(BigInt(min), BigInt(max)), goldenBytes(source));
      }
      const sources = await filesOf(storage);
      const key = history.key(2n, sources.at(-1)?.maxTxid ?? 0n);
      await mergeFiles({ storage, core, key, sources });
      const ours = await decodeAll(core, storage.peek(key));
      const golden = goldenFile(file);
      expect(ours.pages.map(({ pgno, checksum }) => `${pgno} ${checksum.toString(16)}`)).toEqual(
        golden.pages.map(({ pgno, checksum }) => `${pgno} ${checksum}`),
      );
      expect(ours.header.commit).toBe(golden.header.commit);
      expect(ours.header.preApply.toString(16)).toBe(golden.header.pre_apply_checksum);
      expect(ours.trailer.postApply.toString(16)).toBe(golden.trailer.post_apply_checksum);
    },
  );

  test("pages beside the lock page, which is in no file", async () => {
    const [pageSizeBytes, lock] = [65_536, 16_385];
    const storage = new MemoryStorage();
    const history = new History(storage);
    const page = (fill: number) => new Uint8Array(pageSizeBytes).fill(fill);
    const write = async (txid: bigint, pgnos: readonly number[], commit: number, preApply: bigint) => {
      const { bytes, delta } = await encodeFile(core, {
        ...{ pageSizeBytes, commit },
        pages: pgnos.map((pgno) => ({ pgno, page: page(Number(txid)) })),
        fields: { minTxid: txid, maxTxid: txid, preApply, walOffset: 32n, walSize: 4120n },
      });
      storage.poke(history.key(txid, txid), bytes);
      return (preApply ^ delta) | (1n << 63n);
    };
    const post = await write(2n, [1, lock - 1], lock - 1, 1n << 63n);
    await write(3n, [1, lock + 1], lock + 1, post);
    await mergeFiles({ storage, core, key: history.key(2n, 3n), sources: await filesOf(storage) });
    const pgnos: number[] = [];
    await decodeLtx(core, storage.read(history.key(2n, 3n)), { objectName: "merged" }, (batch) => {
      pgnos.push(...batch.pgnos.subarray(0, batch.count));
    });
    expect(pgnos).toEqual([1, lock - 1, lock + 1]);
  });
});

describe("the header of a merged file", () => {
  test("begins as the first and ends as the last of its sources", async () => {
    const { storage, history } = await historyOf([9, 9, 12, 7]);
    const [, first, , last] = await filesOf(storage);
    const firstHeader = (await decodedOf(storage, first?.key ?? "")).header;
    const lastFile = await decodedOf(storage, last?.key ?? "");
    const { header, trailer } = await mergeIn(storage, history, 2n, 4n);
    expect(header).toEqual({
      ...lastFile.header,
      minTxid: 2n,
      preApply: firstHeader.preApply,
      bodyChecksum: header.bodyChecksum,
    });
    expect(trailer.postApply).toBe(lastFile.trailer.postApply);
    const stored = await decodedOf(storage, history.key(2n, 4n));
    expect(stored.header).toEqual(header);
  });

  test.each([
    ["first", 2],
    ["last", 4],
  ])(
    "a repair as the %s of its sources marks all of it, and where it ends in the log stays told",
    async (_, at) => {
      const storage = new MemoryStorage();
      const history = new History(storage);
      const maker = new ImageMaker(512);
      await history.snapshot(maker.next(9));
      for (const txid of [2, 3, 4]) {
        await history.publish(maker.next(9, history.image()), { isRepair: txid === at });
      }
      const last = (await decodedOf(storage, history.key(4n, 4n))).header;
      const merged = await mergeIn(storage, history, 2n, 4n);
      expect(merged.header).toMatchObject({ walOffset: last.walOffset + last.walSize, walSize: 0n });
      expect(manifestFileOf(merged, 0).isRepair).toBe(true);
    },
  );
});

describe("what cannot be merged changes nothing", () => {
  async function refusal(storage: MemoryStorage, sources: readonly RestoreFile[]) {
    const keys = storage.keys();
    const merging = mergeFiles({ storage, core, key: "app/00000002-00000004.ltx", sources });
    const error = await merging.then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    expect(storage.keys()).toEqual(keys);
    return error;
  }

  test("a file that follows another database", async () => {
    const { storage, history } = await historyOf([9, 9, 9, 9]);
    const other = await historyOf([9, 9, 9, 9], 512, 7);
    storage.poke(history.key(3n, 3n), other.storage.peek(history.key(3n, 3n)));
    const sources = (await filesOf(storage)).slice(1);
    expect(await refusal(storage, sources)).toMatchObject({ code: "INTEGRITY_CHAIN" });
  });

  test("a gap in the TXIDs", async () => {
    const { storage } = await historyOf([9, 9, 9, 9]);
    const [, second, , fourth] = await filesOf(storage);
    const sources = [second, fourth].filter((file) => file !== undefined);
    expect(await refusal(storage, sources)).toMatchObject({ code: "INTEGRITY_CHAIN" });
  });

  test("a flipped byte in any source", async () => {
    const { storage, history } = await historyOf([9, 9, 9, 9]);
    const bytes = storage.peek(history.key(4n, 4n));
    bytes[150] = (bytes[150] ?? 0) ^ 4;
    storage.poke(history.key(4n, 4n), bytes);
    const sources = (await filesOf(storage)).slice(1);
    expect(await refusal(storage, sources)).toMatchObject({
      exitCode: 5,
      details: { object: history.key(4n, 4n) },
    });
  });

  test("another body than the manifest names", async () => {
    const { storage } = await historyOf([9, 9, 9, 9]);
    const sources = (await filesOf(storage))
      .slice(1)
      .map((file) => ({ ...file, bodySha256: "0".repeat(64) }));
    expect(await refusal(storage, sources)).toMatchObject({ code: "INTEGRITY_CHECKSUM" });
  });

  test("NoChecksum files, and a snapshot", async () => {
    const storage = new MemoryStorage();
    const history = new History(storage, { noChecksum: true });
    await history.snapshot(new ImageMaker(512).next(3));
    await history.publish(new ImageMaker(512, 2).next(3));
    const files = await filesOf(storage);
    expect(await refusal(storage, files.slice(1))).toMatchObject({ code: "INTEGRITY_CHAIN" });
    const { storage: other } = await historyOf([9, 9]);
    expect(await refusal(other, await filesOf(other))).toMatchObject({ code: "INTEGRITY_CHAIN" });
  });

  test("a stop between two sources", async () => {
    const { storage, history } = await historyOf([9, 400, 9, 9]);
    const stop = new AbortController();
    const sources = (await filesOf(storage)).slice(1);
    const onBytes = () => stop.abort(new Error("stopped"));
    const merging = mergeFiles({
      storage,
      core,
      key: history.key(2n, 4n),
      sources,
      onBytes,
      signal: stop.signal,
    });
    await expect(merging).rejects.toThrow("stopped");
    expect(storage.keys()).not.toContain(history.key(2n, 4n));
  });
});

describe("a file that is there already", () => {
  test("from an interrupted run is proved and adopted", async () => {
    const { storage, history } = await historyOf([9, 9, 12, 7]);
    await history.merge(2n, 4n);
    const there = storage.peek(history.key(2n, 4n));
    const sources = (await filesOf(storage)).filter(
      ({ minTxid, maxTxid }) => minTxid > 1n && minTxid === maxTxid,
    );
    const adopted = await mergeFiles({ storage, core, key: history.key(2n, 4n), sources });
    expect(storage.peek(history.key(2n, 4n))).toEqual(there);
    const { bodySha256, sizeBytes } = await decodedOf(storage, history.key(2n, 4n));
    expect(adopted).toMatchObject({ bodySha256, sizeBytes });
  });

  test("and is something else, or damaged, is not touched", async () => {
    const { storage, history } = await historyOf([9, 9, 12, 7]);
    const other = await historyOf([9, 9, 12, 7], 512, 9);
    await other.history.merge(2n, 4n);
    const key = history.key(2n, 4n);
    const sources = (await filesOf(storage)).slice(1);
    storage.poke(key, other.storage.peek(key));
    await expect(mergeFiles({ storage, core, key, sources })).rejects.toMatchObject({
      code: "STORAGE_CONFLICT",
    });
    storage.poke(key, other.storage.peek(key).subarray(0, 300));
    await expect(mergeFiles({ storage, core, key, sources })).rejects.toMatchObject({
      code: "INTEGRITY_FORMAT",
    });
    expect(storage.peek(key)).toHaveLength(300);
  });
});

test("one that was made of other sources, and ends with another database, is not adopted", async () => {
  const ends = async (seed: number) => {
    const { storage, history } = await historyOf([9, 9, 12]);
    await history.publish(new ImageMaker(512, seed).next(12, history.image()));
    return { storage, history };
  };
  const [one, other] = [await ends(5), await ends(6)];
  await other.history.merge(2n, 4n);
  const key = one.history.key(2n, 4n);
  const sources = (await filesOf(one.storage)).slice(1);
  one.storage.poke(key, other.storage.peek(key));
  const merging = mergeFiles({ storage: one.storage, core, key, sources });
  await expect(merging).rejects.toMatchObject({ code: "STORAGE_CONFLICT", details: { object: key } });
});

test("scratch files are made under TMPDIR, and gone when it is over", async () => {
  const { storage, history } = await historyOf([9, 9, 9]);
  let during: string[] = [];
  const onBytes = () => {
    during = readdirSync(scratch);
  };
  await mergeFiles({
    storage,
    core,
    key: history.key(2n, 3n),
    sources: (await filesOf(storage)).slice(1),
    onBytes,
  });
  expect(during).toHaveLength(1);
  expect(during.some((name) => existsSync(join(scratch, name)))).toBe(false);
});
