import { readdirSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { isWalrustError } from "../../src/errors.ts";
import { StagedBatch } from "../../src/follow/staged-batch.ts";
import { parse } from "../../src/json.ts";
import { decodeLtx } from "../../src/ltx/decoder.ts";
import { pageLeftOut } from "../../src/restore/page-runs.ts";
import { restore } from "../../src/restore/restore.ts";
import { verify } from "../../src/restore/verify.ts";
import { MANIFEST_MAX_BYTES, parseManifest } from "../../src/storage/manifest.ts";
import { parseWriterRecord } from "../../src/storage/writer-record.ts";
import { CorePool } from "../../src/wasm/core-pool.ts";
import { MemoryStorage } from "../helpers/memory-storage.ts";
import { writeLtx } from "../helpers/oracle/ltx.ts";
import { History } from "../helpers/restore/history.ts";
import { ImageMaker } from "../helpers/restore/images.ts";
import { tempFolder } from "../helpers/sqlite/temp-database.ts";

/*
 * What is small in the storage must not become large here: neither on the disk nor in memory nor in time. Limits on time are wide, and yet
 * far below what the work would take without the check.
 */

const cores = new CorePool();
const LARGEST = 2 ** 32 - 1;

function headerOf(minTxid: bigint, pageSizeBytes: number, commit: number, preApply = 0n) {
  return {
    ...{ flags: 0, pageSizeBytes, commit, minTxid, maxTxid: minTxid, timestampMs: 1, preApply },
    ...{ walOffset: 32n, walSize: 1n, walSalt1: 0, walSalt2: 0, nodeId: 1n, bodyChecksum: 0n },
  };
}

describe.each([512, 4096, 65536])("a file of a few hundred bytes, pages of %d", (pageSizeBytes) => {
  const page = (pgno: number) => ({ pgno, data: Buffer.alloc(pageSizeBytes, 7) });

  async function backup() {
    const storage = new MemoryStorage();
    const history = new History(storage, { pageSizeBytes });
    await history.snapshot(new ImageMaker(pageSizeBytes).next(3));
    return { storage, history };
  }

  test.each([
    ["one page at the end of 2^32 - 1", LARGEST, [LARGEST]],
    ["all but one page in between", 1_000_000, [4, 6, 1_000_000]],
    ["no page of them", LARGEST, [1]],
  ])(
    "an incremental with %s: refused before anything large is made",
    async (_what, commit, pgnos) => {
      const { storage, history } = await backup();
      const preApply = history.files[0]?.postApply ?? 0n;
      storage.poke(
        history.key(2n, 2n),
        writeLtx(headerOf(2n, pageSizeBytes, commit, preApply), pgnos.map(page), 1n << 63n),
      );
      const folder = tempFolder();
      const failure = await restore({ storage, cores }, "app", join(folder, "out.db")).catch(
        (error: unknown) => error,
      );
      expect(failure).toMatchObject({ exitCode: 5 });
      expect(String(failure)).toMatch(/without page \d+/);
      expect(readdirSync(folder)).toEqual([]);
    },
    10_000,
  );

  test("a snapshot that claims 2^32 - 1 pages", async () => {
    const storage = new MemoryStorage();
    const header = { ...headerOf(1n, pageSizeBytes, LARGEST), walOffset: 0n, walSize: 0n };
    storage.poke("app/00000001-00000001.ltx", writeLtx(header, [page(1)], 1n << 63n));
    const folder = tempFolder();
    await expect(restore({ storage, cores }, "app", join(folder, "out.db"))).rejects.toMatchObject({
      exitCode: 5,
    });
    expect(readdirSync(folder)).toEqual([]);
    const report = await verify({ storage, cores }, "app");
    expect(report.findings).not.toEqual([]);
  }, 10_000);

  test("for a replica the same", async () => {
    const folder = tempFolder();
    const paths = { batchImage: join(folder, "batch"), batchTable: join(folder, "batch-pages") };
    const at = { txid: 1n, postApply: 1n << 63n, pageSizeBytes, commitPages: 3, timestampMs: 0 };
    const batch = new StagedBatch(paths, { ...at, pageOne: undefined });
    const bytes = writeLtx(
      headerOf(2n, pageSizeBytes, LARGEST, 1n << 63n),
      [page(4), page(LARGEST)],
      1n << 63n,
    );
    const { core, release } = await cores.acquire();
    const source = (async function* () {
      yield bytes;
    })();
    const options = {
      objectName: "a",
      onHeader: (header: Parameters<typeof batch.begin>[0]) => batch.begin(header, "a"),
    };
    await expect(decodeLtx(core, source, options, (pages) => batch.apply(pages))).rejects.toMatchObject({
      code: "INTEGRITY_CHAIN",
    });
    release();
    batch.discard();
    expect(readdirSync(folder)).toEqual([]);
  }, 10_000);
});

test.each([
  [3, 4, undefined],
  [3, 2, undefined],
  [3, 5, 4],
  [0, 1, undefined],
  [0, 2, 1],
  [16_384, 16_386, undefined], // the lock page of 65536 lies between
  [16_384, 16_387, 16_386],
  [16_385, 16_386, undefined],
])("behind %d pages comes page %d: %s is left out", (pages, pgno, expected) => {
  expect(pageLeftOut(pages, pgno, 65536)).toBe(expected);
});

describe("documents", () => {
  const big: Record<string, string> = {};
  beforeAll(() => {
    const digits = "9".repeat(20_000_000); // as a bigint: some seconds
    big["a number of 20 million digits"] = `{"version":1,"current_txid":${digits}}`;
    big["a negative one"] = `{"version":-${digits}}`;
    big["a fraction"] = `{"version":1.${digits}}`;
    big["a deep nest"] = `${"[".repeat(1_000_000)}`;
    big["a deep nest of objects"] = '{"a":'.repeat(1_000_000);
    big["a key of a megabyte"] = `{"${"k".repeat(1_000_000)}":1}`;
  });

  test.each([
    "a number of 20 million digits",
    "a negative one",
    "a fraction",
    "a deep nest",
    "a deep nest of objects",
    "a key of a megabyte",
  ])("%s: a typed error, soon", (what) => {
    const bytes = Buffer.from(big[what] ?? "");
    const started = performance.now();
    expect(() => parseManifest(bytes, "app/manifest.json")).toThrow(expect.objectContaining({ exitCode: 5 }));
    expect(performance.now() - started).toBeLessThan(4000);
  });

  test("a manifest above the limit is not even parsed", () => {
    expect(() => parseManifest(new Uint8Array(MANIFEST_MAX_BYTES + 1), "m")).toThrow("larger than");
  });

  test("a name of JavaScript's own objects is a key as any other", () => {
    const text = '{"__proto__":{"polluted":true},"constructor":1,"version":1}';
    for (const read of [parseManifest, parseWriterRecord])
      expect(() => read(Buffer.from(text), "x")).toThrow(expect.objectContaining({ exitCode: 5 }));
    expect(({} as Record<string, unknown>)["polluted"]).toBeUndefined();
  });

  test.each([
    ["18446744073709551615", 2n ** 64n - 1n],
    ["9007199254740993", 9_007_199_254_740_993n],
    ["123", 123],
  ])("%s is what it was", (text, value) => {
    expect(parse(text)).toBe(value);
  });

  test("integers beyond 20 digits are not taken for TXIDs", () => {
    expect(parse("1".repeat(21))).toBe(Number("1".repeat(21)));
  });
});

test("an endless object, and one that is larger than it was listed, end in a typed error", async () => {
  const storage = new MemoryStorage();
  const history = new History(storage);
  await history.snapshot(new ImageMaker(512).next(3));
  let given = 0;
  storage.read = async function* () {
    for (;;) {
      given += 65536;
      yield new Uint8Array(65536).fill(0x4c);
    }
  };
  const failure = await restore({ storage, cores }, "app", join(tempFolder(), "out.db")).catch(
    (error: unknown) => error,
  );
  expect(isWalrustError(failure)).toBe(true);
  expect(given).toBeLessThan(64 * 1024 * 1024);
});
