import { createHash } from "node:crypto";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, test } from "vitest";
import { WalrustError } from "../../src/errors.ts";
import { listRestorePoints } from "../../src/restore/list.ts";
import type { RestoreTarget } from "../../src/restore/plan.ts";
import { prepareRestore } from "../../src/restore/prepare.ts";
import { type RestoreOptions, type RestoreProgress, restore } from "../../src/restore/restore.ts";
import { verify } from "../../src/restore/verify.ts";
import type { ManifestFile } from "../../src/storage/manifest.ts";
import { CorePool } from "../../src/wasm/core-pool.ts";
import { goldenBytes, goldenChains } from "../helpers/ltx/golden.ts";
import { MemoryStorage } from "../helpers/memory-storage.ts";
import { backup, keyOf, restoredImage } from "../helpers/restore/backup.ts";
import { History } from "../helpers/restore/history.ts";
import { ImageMaker, sqliteImages } from "../helpers/restore/images.ts";
import { openApp, tempFolder } from "../helpers/sqlite/temp-database.ts";

const cores = new CorePool();
const unchecked = { integrityCheck: "none" } as const;

function restoreTo(storage: MemoryStorage, out: string, options: RestoreOptions = unchecked) {
  return restore({ storage, cores }, "app", out, options);
}

async function failureOf(work: Promise<unknown>): Promise<WalrustError> {
  const error = await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(WalrustError);
  return error as WalrustError;
}

const txid = (value: bigint): RestoreTarget => ({ kind: "txid", txid: value });
const newOut = () => join(tempFolder(), "out.db");
const leftBeside = (out: string) => readdirSync(dirname(out)).sort();
const same = (out: string, image: Uint8Array) => readFileSync(out).equals(image);

/** Growth, a shrink, an emptied database, growth again, with a second snapshot and a repair in between. */
async function eventfulHistory(storage: MemoryStorage, pageSizeBytes = 512): Promise<History> {
  const history = new History(storage, { pageSizeBytes });
  const maker = new ImageMaker(pageSizeBytes);
  await history.snapshot(maker.next(9));
  await history.publish(maker.next(9, history.image()));
  await history.publish(maker.next(700, history.image()), { commits: 5 });
  await history.publish(maker.next(4, history.image()));
  await history.publish(maker.next(6, history.image()), { commits: 3, isRepair: true });
  await history.snapshot();
  await history.publish(new Uint8Array());
  await history.publish(maker.next(3));
  await history.publish(maker.next(520, history.image()));
  return history;
}

describe("every restore point", () => {
  test.each([512, 4096, 65536])("is restored bit for bit, page size %d", async (pageSizeBytes) => {
    const storage = new MemoryStorage({ pieceSizeBytes: 10_000 });
    const history = await eventfulHistory(storage, pageSizeBytes);
    const out = newOut();
    for (const point of history.txids()) {
      const result = await restoreTo(storage, out, { ...unchecked, target: txid(point), force: true });
      expect(same(out, history.image(point)), `TXID ${point}`).toBe(true);
      expect(result).toMatchObject({
        point: { txid: point },
        headTxid: history.head,
        unprovenFiles: 0,
        filesWithoutBodyChecksum: 0,
      });
    }
    expect(leftBeside(out)).toEqual(["out.db"]);
  });

  test("by its time, and the latest, with a manifest that is whole, old or absent", async () => {
    for (const indexed of [0, 4, 9]) {
      const storage = new MemoryStorage();
      const history = await eventfulHistory(storage);
      if (indexed > 0) pokeManifest(storage, history, history.files.slice(0, indexed));
      const out = newOut();
      for (const point of history.txids()) {
        const timestampMs = Number(point) * 1000;
        await restoreTo(storage, out, { ...unchecked, target: { kind: "time", timestampMs }, force: true });
        expect(same(out, history.image(point)), `TXID ${point}, ${indexed} files in the manifest`).toBe(true);
      }
      const result = await restoreTo(storage, out, { ...unchecked, force: true });
      expect(same(out, history.image())).toBe(true);
      expect(result.point).toEqual({ txid: history.head, timestampMs: Number(history.head) * 1000 });
    }
  });

  test.each(goldenChains)("of a chain that the Go library wrote, page size $page_size", async ({ steps }) => {
    const storage = new MemoryStorage();
    for (const { file } of steps) {
      const [, min = 0, max = 0] = /(\d+)-(\d+)\.ltx$/.exec(file)?.map(Number) ?? [];
      const name = [min, max].map((value) => String(value).padStart(8, "0")).join("-");
      storage.poke(`app/${name}.ltx`, goldenBytes(file));
    }
    const out = newOut();
    for (const { file, db_sha256, db_checksum } of steps) {
      const point = BigInt(/(\d+)\.ltx$/.exec(file)?.[1] ?? 0);
      const result = await restoreTo(storage, out, { ...unchecked, target: txid(point), force: true });
      expect(createHash("sha256").update(readFileSync(out)).digest("hex")).toBe(db_sha256);
      expect(result.databaseChecksum.toString(16)).toBe(db_checksum);
      expect(result.filesWithoutBodyChecksum).toBe(result.files);
    }
  });
});

function pokeManifest(storage: MemoryStorage, history: History, files: History["files"]): void {
  history.manifest(files);
  // A manifest that was written earlier: its head is the last file that it names.
  const head = files.at(-1)?.maxTxid ?? 0n;
  const text = Buffer.from(storage.peek("app/manifest.json")).toString();
  storage.poke(
    "app/manifest.json",
    Buffer.from(text.replace(/"current_txid":\d+/, `"current_txid":${head}`)),
  );
}

describe("a real database", () => {
  const statements = [
    "CREATE TABLE u(a INTEGER PRIMARY KEY, b TEXT); CREATE INDEX ub ON u(b)",
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000) INSERT INTO u SELECT i, 'row ' || i FROM n",
    "UPDATE u SET b = 'changed' WHERE a % 50 = 0",
    "DELETE FROM u WHERE a > 100; VACUUM",
    "INSERT INTO u VALUES (5000, 'last')",
  ];

  test.each(["none", "quick", "full"] as const)(
    "comes back as it was and is left as it is, integrity check %s",
    async (integrityCheck) => {
      const [first, ...rest] = sqliteImages(statements);
      const storage = new MemoryStorage();
      const history = new History(storage, { pageSizeBytes: 4096 });
      await history.snapshot(first);
      for (const image of rest) await history.publish(image);
      const out = newOut();
      for (const point of history.txids()) {
        await restoreTo(storage, out, { target: txid(point), force: true, integrityCheck });
        expect(same(out, history.image(point))).toBe(true);
        expect(leftBeside(out)).toEqual(["out.db"]);
      }
      const app = openApp(out);
      expect(app.prepare("SELECT b FROM u WHERE a = 5000").pluck().get()).toBe("last");
      expect(app.pragma("journal_mode", { simple: true })).toBe("wal");
    },
  );

  test.each(["quick", "full"] as const)(
    "that is damaged is not given out, integrity check %s",
    async (integrityCheck) => {
      const image = sqliteImages(statements).at(1) ?? new Uint8Array();
      image.fill(0xff, 2 * 4096, 2 * 4096 + 300);
      const storage = new MemoryStorage();
      await new History(storage, { pageSizeBytes: 4096 }).snapshot(image);
      const out = newOut();
      expect(await failureOf(restoreTo(storage, out, { integrityCheck }))).toMatchObject({
        code: "INTEGRITY_DATABASE",
        exitCode: 5,
      });
      expect(leftBeside(out)).toEqual([]);
    },
  );
});

describe("the output", () => {
  async function smallBackup(): Promise<{ storage: MemoryStorage; image: Uint8Array }> {
    const storage = new MemoryStorage();
    const [image = new Uint8Array()] = sqliteImages(["CREATE TABLE restored(a)"]);
    await new History(storage, { pageSizeBytes: 4096 }).snapshot(image);
    return { storage, image };
  }

  test("is not replaced without force, and nothing is asked of storage", async () => {
    const { storage } = await smallBackup();
    const out = newOut();
    writeFileSync(out, "precious");
    expect(await failureOf(restoreTo(storage, out))).toMatchObject({ code: "OUTPUT_EXISTS", exitCode: 2 });
    expect(readFileSync(out, "utf8")).toBe("precious");
    expect(storage.calls).toEqual([]);
  });

  test("that appears meanwhile is not replaced either", async () => {
    const { storage } = await smallBackup();
    const out = newOut();
    storage.fault = ({ operation }) => {
      if (operation === "read") writeFileSync(out, "precious");
      return undefined;
    };
    expect((await failureOf(restoreTo(storage, out))).code).toBe("OUTPUT_EXISTS");
    expect(readFileSync(out, "utf8")).toBe("precious");
    expect(leftBeside(out)).toEqual(["out.db"]);
  });

  test("keeps its permissions when it is replaced, and is for its owner alone when it is new", async () => {
    const { storage, image } = await smallBackup();
    const out = newOut();
    await restoreTo(storage, out);
    expect(statSync(out).mode & 0o777).toBe(0o600);
    chmodSync(out, 0o640);
    await restoreTo(storage, out, { ...unchecked, force: true });
    expect(statSync(out).mode & 0o777).toBe(0o640);
    expect(same(out, image)).toBe(true);
  });

  test("a symbolic link to a database: the database is replaced, the link stays", async () => {
    const { storage, image } = await smallBackup();
    const folder = tempFolder();
    mkdirSync(join(folder, "data"));
    writeFileSync(join(folder, "data", "real.db"), "old");
    writeFileSync(join(folder, "data", "real.db-wal"), "stale");
    symlinkSync(join("data", "real.db"), join(folder, "link.db"));
    const result = await restoreTo(storage, join(folder, "link.db"), { ...unchecked, force: true });
    expect(result.path).toMatch(/data\/real\.db$/);
    expect(same(join(folder, "data", "real.db"), image)).toBe(true);
    expect(readdirSync(join(folder, "data"))).toEqual(["real.db"]);
    expect(readdirSync(folder)).toEqual(["data", "link.db"]);
  });

  test.each([
    ["a folder", (path: string) => mkdirSync(path)],
    ["in no folder", undefined],
  ])("%s is a mistake of the user", async (_what, make) => {
    const { storage } = await smallBackup();
    const out = make ? newOut() : join(tempFolder(), "none", "out.db");
    make?.(out);
    expect(await failureOf(restoreTo(storage, out, { force: true }))).toMatchObject({
      code: "USAGE",
      exitCode: 2,
    });
  });

  test.each([true, false])(
    "a stale log beside it is not replayed (the database still there: %s)",
    async (there) => {
      const { storage, image } = await smallBackup();
      const out = newOut();
      // A database whose only content is in its log, as after a crash of its application.
      const app = openApp(join(tempFolder(), "old.db"));
      app.pragma("journal_mode=WAL");
      app.exec("CREATE TABLE old(a); INSERT INTO old VALUES (1)");
      for (const suffix of ["", "-wal", "-shm"]) writeFileSync(out + suffix, readFileSync(app.name + suffix));
      if (!there) rmSync(out);
      expect(statSync(`${out}-wal`).size).toBeGreaterThan(0);
      writeFileSync(`${out}-journal`, "a journal");
      await restoreTo(storage, out, { force: there });
      expect(leftBeside(out)).toEqual(["out.db"]);
      expect(same(out, image)).toBe(true);
      expect(openApp(out).prepare("SELECT name FROM sqlite_master").pluck().all()).toEqual(["t", "restored"]);
    },
  );
});

describe("whatever goes wrong", () => {
  test("an existing database, its log and its folder stay as they were", async () => {
    const storage = new MemoryStorage();
    const history = await eventfulHistory(storage);
    history.manifest();
    const out = newOut();
    const before = { "out.db": "old", "out.db-shm": "index", "out.db-wal": "log" };
    for (const [file, text] of Object.entries(before)) writeFileSync(join(dirname(out), file), text);
    const errors = (["STORAGE_NETWORK", "STORAGE_AUTH", "STORAGE_UNAVAILABLE"] as const).map(
      (code) => new WalrustError(code, "no"),
    );

    await restoreTo(storage, newOut());
    const calls = storage.calls.length;
    expect(calls).toBeGreaterThan(5);
    for (let failing = 0; failing < calls; failing++) {
      for (const error of errors) {
        for (const kind of ["before", "after"] as const) {
          storage.calls.length = 0;
          storage.fault = ({ index }) => (index === failing ? { kind, error, units: 3 } : undefined);
          expect(await failureOf(restoreTo(storage, out, { ...unchecked, force: true }))).toBe(error);
          for (const [file, text] of Object.entries(before))
            expect(readFileSync(join(dirname(out), file), "utf8")).toBe(text);
          expect(leftBeside(out)).toEqual(Object.keys(before));
        }
      }
    }
  });

  test.each([true, false])(
    "a byte changed anywhere in a file is found (with a manifest: %s)",
    async (withManifest) => {
      const storage = new MemoryStorage();
      const history = new History(storage);
      const maker = new ImageMaker(512);
      await history.snapshot(maker.next(2));
      await history.publish(maker.next(2, history.image(), 1));
      if (withManifest) history.manifest();
      const out = newOut();
      for (const key of storage.keys().filter((name) => name.endsWith(".ltx"))) {
        const good = storage.peek(key);
        for (let at = 0; at < good.length; at += 3) {
          const bad = good.slice();
          bad[at] = (bad[at] ?? 0) ^ 0x10;
          storage.poke(key, bad);
          // The file's time is nobody's to prove but its own checksum's.
          const { exitCode, message } = await failureOf(restoreTo(storage, out));
          expect(exitCode, `${key}, byte ${at}: ${message}`).toBe(5);
          expect(message).toContain(key);
        }
        storage.poke(key, good);
      }
      expect(leftBeside(out)).toEqual([]);
      await restoreTo(storage, out);
    },
  );

  test("a file cut anywhere is found", async () => {
    const storage = new MemoryStorage();
    const history = new History(storage);
    await history.snapshot(new ImageMaker(512).next(3));
    const out = newOut();
    const [key = ""] = storage.keys();
    const good = storage.peek(key);
    for (let length = 0; length < good.length; length += 7) {
      storage.poke(key, good.subarray(0, length));
      expect((await failureOf(restoreTo(storage, out))).code).toBe("INTEGRITY_FORMAT");
    }
    expect(leftBeside(out)).toEqual([]);
  });

  test.each(["another database", "another life of the same"])(
    "an incremental made for %s is refused",
    async () => {
      const build = async (seed: number) => {
        const storage = new MemoryStorage();
        const history = new History(storage);
        const maker = new ImageMaker(512, seed);
        await history.snapshot(maker.next(6));
        for (let i = 0; i < 3; i++) await history.publish(maker.next(6, history.image()));
        return storage;
      };
      const [ours, theirs] = [await build(1), await build(2)];
      for (const key of ours.keys().slice(1)) {
        const good = ours.peek(key);
        ours.poke(key, theirs.peek(key));
        const out = newOut();
        expect(await failureOf(restoreTo(ours, out))).toMatchObject({
          code: "INTEGRITY_CHAIN",
          details: { object: key },
        });
        expect(existsSync(out)).toBe(false);
        ours.poke(key, good);
      }
    },
  );

  test("a file under another's name is refused", async () => {
    const storage = new MemoryStorage();
    const history = await eventfulHistory(storage);
    storage.poke(history.key(2n, 2n), storage.peek(history.key(8n, 8n)));
    expect(await failureOf(restoreTo(storage, newOut(), { ...unchecked, target: txid(2n) }))).toMatchObject({
      code: "INTEGRITY_FORMAT",
      details: { object: "app/00000002-00000002.ltx" },
    });
  });

  test("a file that is not the one in the manifest is refused, though it fits", async () => {
    const storage = new MemoryStorage();
    const history = new History(storage);
    const maker = new ImageMaker(512);
    await history.snapshot(maker.next(4));
    await history.publish(maker.next(4, history.image()));
    const [snapshot, file] = history.files;
    if (snapshot === undefined || file === undefined) throw new Error("two files were published");
    history.manifest([snapshot, { ...file, sha256: "0".repeat(64) }]);
    expect(await failureOf(restoreTo(storage, newOut()))).toMatchObject({ code: "INTEGRITY_CHECKSUM" });
  });

  test("a manifest of a newer walrust is refused, since it may tell what we would overlook", async () => {
    const storage = new MemoryStorage();
    const history = await eventfulHistory(storage);
    history.manifest();
    storage.poke("app/manifest.json", Buffer.from('{"version":2}'));
    const error = await failureOf(restoreTo(storage, newOut()));
    expect(error).toMatchObject({ code: "INTEGRITY_VERSION", exitCode: 5, hint: "Update walrust." });
  });

  test("an abort at any moment leaves nothing", async () => {
    const storage = new MemoryStorage({ pieceSizeBytes: 1000 });
    await eventfulHistory(storage, 4096);
    await restoreTo(storage, newOut());
    const calls = storage.calls.length;
    for (let at = 0; at < calls; at++) {
      const stop = new AbortController();
      const reason = new Error("enough");
      storage.calls.length = 0;
      storage.fault = ({ index }) => {
        if (index === at) stop.abort(reason);
        return undefined;
      };
      const out = newOut();
      await expect(restoreTo(storage, out, { ...unchecked, signal: stop.signal })).rejects.toBe(reason);
      expect(leftBeside(out)).toEqual([]);
    }
    const late = new AbortController();
    const out = newOut();
    storage.fault = () => undefined;
    const onProgress = ({ phase }: RestoreProgress) => {
      if (phase === "checking") late.abort(new Error("too late?"));
    };
    await expect(restoreTo(storage, out, { ...unchecked, signal: late.signal, onProgress })).rejects.toThrow(
      "too late?",
    );
    expect(leftBeside(out)).toEqual([]);
  });
});

describe("files that disappear while they are read", () => {
  test("after a merge there is another way", async () => {
    const storage = new MemoryStorage();
    const history = new History(storage);
    const maker = new ImageMaker(512);
    await history.snapshot(maker.next(5));
    for (let i = 0; i < 6; i++) await history.publish(maker.next(5, history.image()));
    history.manifest();
    await history.merge(2n, 7n);
    const mergedKey = history.key(2n, 7n);
    const merged = storage.peek(mergedKey);
    storage.remove(mergedKey);
    storage.fault = ({ operation, key }) => {
      if (operation === "read" && key === history.key(4n, 4n)) {
        // As a merge does it: the new file, the manifest, then the old files go. This read comes too late.
        storage.poke(mergedKey, merged);
        history.manifest(history.files.filter(({ minTxid, maxTxid }) => minTxid === 1n || minTxid < maxTxid));
        for (let i = 2n; i <= 7n; i++) storage.remove(history.key(i, i));
      }
      return undefined;
    };
    const out = newOut();
    const result = await restoreTo(storage, out);
    expect(result.files).toBe(2);
    expect(same(out, history.image())).toBe(true);
    expect(leftBeside(out)).toEqual(["out.db"]);
  });

  test("without another way it says what is missing", async () => {
    const storage = new MemoryStorage();
    const history = await eventfulHistory(storage);
    storage.fault = ({ operation, key }) => {
      if (operation === "read" && key === history.key(12n, 12n)) storage.remove(key);
      return undefined;
    };
    const out = newOut();
    expect(await failureOf(restoreTo(storage, out))).toMatchObject({
      code: "INTEGRITY_MISSING",
      details: { first_txid: "12" },
    });
    expect(leftBeside(out)).toEqual([]);
  });

  test("an object that is listed and never there ends in an error, not in a loop", async () => {
    const storage = new MemoryStorage();
    await eventfulHistory(storage);
    const error = new WalrustError("STORAGE_NOT_FOUND", "not there");
    storage.fault = ({ operation }) => (operation === "read" ? { kind: "before", error } : undefined);
    expect((await failureOf(restoreTo(storage, newOut()))).code).toBe("INTEGRITY_MISSING");
    expect(storage.calls.length).toBeLessThan(100);
  });
});

test("progress goes from nothing to everything", async () => {
  const storage = new MemoryStorage();
  await eventfulHistory(storage);
  const seen: RestoreProgress[] = [];
  const result = await restoreTo(storage, newOut(), {
    ...unchecked,
    onProgress: (progress) => seen.push(progress),
  });
  expect([...new Set(seen.map(({ phase }) => phase))]).toEqual([
    "planning",
    "applying",
    "checking",
    "finishing",
  ]);
  const bytes = seen.map(({ doneBytes }) => doneBytes);
  expect(bytes).toEqual(bytes.toSorted((a, b) => a - b));
  expect(seen.at(-1)).toMatchObject({ doneFiles: result.files, totalFiles: result.files });
  expect(seen.at(-1)?.doneBytes).toBe(seen.at(-1)?.totalBytes);
});

describe("files without database checksums", () => {
  test("are restored, and it is said that they prove nothing", async () => {
    const storage = new MemoryStorage();
    const history = new History(storage, { noChecksum: true });
    const maker = new ImageMaker(512);
    await history.snapshot(maker.next(5));
    await history.publish(maker.next(9, history.image()));
    await history.publish(maker.next(2, history.image()));
    const out = newOut();
    const result = await restoreTo(storage, out);
    expect(result).toMatchObject({ files: 3, unprovenFiles: 3 });
    expect(same(out, history.image())).toBe(true);
  });

  test("a new page that is in no file is found without them", async () => {
    const backupOf = async (sizes: readonly number[]) => {
      const storage = new MemoryStorage();
      const history = new History(storage, { noChecksum: true });
      const maker = new ImageMaker(512);
      await history.snapshot(maker.next(sizes[0] ?? 0));
      for (const pages of sizes.slice(1)) await history.publish(maker.next(pages, history.image()));
      return storage;
    };
    const [small, large] = [await backupOf([5]), await backupOf([9, 12])];
    small.poke("app/00000002-00000002.ltx", large.peek("app/00000002-00000002.ltx"));
    expect(await failureOf(restoreTo(small, newOut()))).toMatchObject({
      code: "INTEGRITY_CHAIN",
      message: expect.stringMatching(/without page [678]/),
    });
  });
});

describe("a damaged file", () => {
  const damaged = (storage: MemoryStorage, key: string) =>
    storage.poke(key, storage.peek(key).with(300, (storage.peek(key)[300] ?? 0) ^ 1));

  test("is gone around where others lead to the same state, and told", async () => {
    const { storage, history } = await backup();
    damaged(storage, keyOf("1-6"));
    const out = newOut();
    const target = txid(9n);
    const result = await restoreTo(storage, out, { ...unchecked, target });
    expect(result).toMatchObject({ files: 6, damaged: [keyOf("1-6")] });
    expect(same(out, history.image(9n))).toBe(true);
    damaged(storage, keyOf("3-5"));
    const error = await failureOf(restoreTo(storage, newOut(), { ...unchecked, target }));
    expect(error).toMatchObject({ code: "INTEGRITY_CHECKSUM", details: { object: keyOf("1-6") } });
  });

  test("that no other stands in for is the error, and not that something is missing", async () => {
    const { storage } = await backup();
    damaged(storage, keyOf("7-7"));
    for (const target of [txid(7n), txid(9n), { kind: "latest" } as const]) {
      const error = await failureOf(restoreTo(storage, newOut(), { ...unchecked, target }));
      expect(error).toMatchObject({ details: { object: keyOf("7-7") }, exitCode: 5 });
    }
  });

  test("of another database, sound in itself and without a manifest to tell: by the way that fits", async () => {
    const { storage, history } = await backup();
    const { storage: theirs } = await backup(2);
    storage.remove("app/manifest.json");
    storage.poke(keyOf("2-2"), theirs.peek(keyOf("2-2")));
    const out = newOut();
    await restoreTo(storage, out, { ...unchecked, target: txid(6n) });
    expect(same(out, history.image(6n))).toBe(true);
    expect(await failureOf(restoreTo(storage, newOut(), { ...unchecked, target: txid(5n) }))).toMatchObject({
      code: "INTEGRITY_CHAIN",
    });

    // the shortest way begins with it, and the next file does not fit
    storage.poke(keyOf("2-2"), (await backup()).storage.peek(keyOf("2-2")));
    storage.poke(keyOf("1-6"), theirs.peek(keyOf("1-6")));
    const latest = newOut();
    expect(await restoreTo(storage, latest)).toMatchObject({ files: 6, damaged: [] });
    expect(same(latest, history.image(9n))).toBe(true);
  });

  test("makes a hole of the time that it covers, and no older state in its place", async () => {
    const { storage, history } = await backup();
    storage.remove("app/manifest.json");
    storage.poke(keyOf("3-5"), new Uint8Array(50)); // not even its time is known
    const at = (timestampMs: number): RestoreTarget => ({ kind: "time", timestampMs });
    const restoring = (timestampMs: number) =>
      restoreTo(storage, newOut(), { ...unchecked, target: at(timestampMs) });
    expect((await restoring(2000)).point.txid).toBe(2n);
    expect((await failureOf(restoring(5500))).exitCode).toBeGreaterThanOrEqual(5);
    expect((await restoring(6500)).point.txid).toBe(6n);
    expect(history.head).toBe(9n);
  });
});

test("a chain across eight digits (pitfall 32)", async () => {
  const storage = new MemoryStorage();
  const history = new History(storage);
  const maker = new ImageMaker(512);
  await history.snapshot(maker.next(4), { commits: 99_999_997 });
  for (let i = 0; i < 4; i++) await history.publish(maker.next(5, history.image()));
  await history.snapshot();
  await history.publish(maker.next(5, history.image()));
  expect(history.head).toBe(100_000_002n);
  for (const withManifest of [false, true]) {
    if (withManifest) history.manifest();
    for (const point of history.txids()) {
      const out = newOut();
      await restoreTo(storage, out, { ...unchecked, target: txid(point) });
      expect(same(out, history.image(point)), `TXID ${point}`).toBe(true);
    }
    const latest = newOut();
    expect(await restoreTo(storage, latest)).toMatchObject({ point: { txid: 100_000_002n } });
    const report = await verify({ storage, cores }, "app");
    expect(report).toMatchObject({ findings: [], restorableTxids: history.txids() });
  }
});

describe("without a sound manifest", () => {
  test.each([
    ["ok", () => undefined],
    ["missing", (storage: MemoryStorage) => storage.remove("app/manifest.json")],
    ["damaged", (storage: MemoryStorage) => storage.poke("app/manifest.json", Buffer.from("{}"))],
  ] as const)("%s: every point is restored, and the result says so", async (state, damage) => {
    const { storage, history } = await backup();
    damage(storage);
    for (const point of history.txids()) {
      const out = newOut();
      const result = await restoreTo(storage, out, { ...unchecked, target: txid(point) });
      expect(result).toMatchObject({ manifest: state, damaged: [], headTxid: 9n });
      expect(same(out, history.image(point))).toBe(true);
    }
  });

  test.each<[string, boolean, Partial<ManifestFile>]>([
    ["a size", true, { sizeBytes: 7 }],
    ["a time", true, { timestampMs: 1 }],
    ["a repair", true, { isRepair: true }],
    ["the checksum of a body", true, { bodyChecksum: 1n << 63n }],
    ["a SHA-256", false, { sha256: "ab".repeat(32) }],
    ["what is before a file", true, { preApply: 1n << 63n }],
    ["what is behind a file", true, { postApply: 1n << 63n }],
  ])("one that is wrong about %s: the right state (always: %s), or exit 5", async (_, always, wrong) => {
    const { storage, history } = await backup();
    for (const [index, file] of history.files.entries()) {
      history.manifest(history.files.with(index, { ...file, ...wrong }));
      for (const point of history.txids()) {
        const restored = await restoredImage(storage, point);
        if (restored instanceof WalrustError)
          expect([always, restored.exitCode], restored.message).toEqual([false, 5]);
        else expect(Buffer.compare(restored, history.image(point))).toBe(0);
      }
      expect((await listRestorePoints(storage, "app")).headTxid).toBe(9n);
    }
  });

  test("one that is wrong about times: the headers around the time that is asked for decide", async () => {
    const { storage, history } = await backup();
    const shifts = [-9_000_000, -3000, 3000, 9_000_000];
    for (const [index, file] of history.files.entries()) {
      for (const shift of shifts) {
        const timestampMs = Math.max(0, file.timestampMs + shift);
        history.manifest(history.files.with(index, { ...file, timestampMs }));
        for (const [asked, expected] of [
          [1500, 1n],
          [2500, 2n],
          [5500, 5n],
          [6500, 6n],
          [7500, 7n],
          [9000, 9n],
        ] as const) {
          const target: RestoreTarget = { kind: "time", timestampMs: asked };
          const { plan } = await prepareRestore(storage, "app", target);
          expect(plan.point.txid, `file ${index} by ${shift}, asked for ${asked}`).toBe(expected);
        }
      }
    }
  });
});
