import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { WalrustError } from "../../src/errors.ts";
import type { Finding } from "../../src/restore/findings.ts";
import { restore } from "../../src/restore/restore.ts";
import { type VerifyProgress, verify } from "../../src/restore/verify.ts";
import { CorePool } from "../../src/wasm/core-pool.ts";
import { MemoryStorage } from "../helpers/memory-storage.ts";
import { backup, COSTS, keyOf as key } from "../helpers/restore/backup.ts";
import { History } from "../helpers/restore/history.ts";
import { ImageMaker } from "../helpers/restore/images.ts";
import { tempFolder } from "../helpers/sqlite/temp-database.ts";

const cores = new CorePool();

const verifyApp = (storage: MemoryStorage) => verify({ storage, cores }, "app");
const ltxKeys = (storage: MemoryStorage) => storage.keys().filter((name) => name.endsWith(".ltx"));
const brief = ({ kind, object, lostTxids }: Finding) => ({ kind, object, lostTxids });

test("a whole backup has no findings", async () => {
  const { storage, history } = await backup();
  const seen: VerifyProgress[] = [];
  const report = await verify({ storage, cores }, "app", { onProgress: (progress) => seen.push(progress) });
  expect(report).toMatchObject({
    findings: [],
    restorableTxids: [1n, 2n, 5n, 6n, 7n, 9n],
    headTxid: 9n,
    manifest: "ok",
    checkedFiles: 7,
  });
  expect(report.soundFiles.map(({ file }) => file.key)).toEqual(ltxKeys(storage));
  expect(seen.at(-1)).toEqual({
    doneBytes: report.checkedBytes,
    totalBytes: report.checkedBytes,
    doneFiles: 7,
    totalFiles: 7,
  });
  expect(report.restorableTxids).toEqual(history.txids());
});

test("nothing changes, and every byte is read", async () => {
  const { storage } = await backup();
  const before = storage.keys().map((name) => [name, storage.peek(name)]);
  await verifyApp(storage);
  expect(storage.keys().map((name) => [name, storage.peek(name)])).toEqual(before);
  expect(new Set(storage.calls.map(({ operation }) => operation))).toEqual(new Set(["get", "list", "read"]));
});

describe("verifying nothing is a failure", () => {
  test("no object at all", async () => {
    await expect(verifyApp(new MemoryStorage())).rejects.toMatchObject({
      code: "RESTORE_NOTHING",
      exitCode: 6,
    });
  });

  test("objects of others only", async () => {
    const { storage } = await backup();
    await expect(verify({ storage, cores }, "ap")).rejects.toMatchObject({ code: "RESTORE_NOTHING" });
  });

  test("a manifest without its objects", async () => {
    const { storage } = await backup();
    for (const name of ltxKeys(storage)) storage.remove(name);
    const { findings, restorableTxids } = await verifyApp(storage);
    expect(findings).toHaveLength(7);
    expect(findings.every(({ kind }) => kind === "missing")).toBe(true);
    expect(restorableTxids).toEqual([]);
  });
});

describe.each(COSTS)("the object %s", (range, lostTxids) => {
  const object = key(range);
  const others = [1n, 2n, 5n, 6n, 7n, 9n].filter((txid) => !lostTxids.includes(txid));

  test("dropped", async () => {
    const { storage } = await backup();
    storage.remove(object);
    const report = await verifyApp(storage);
    expect(report.findings.map(brief)).toEqual([{ kind: "missing", object, lostTxids }]);
    expect(report.findings[0]?.code).toBe("INTEGRITY_MISSING");
    expect(report.restorableTxids).toEqual(others);
  });

  test("with a byte flipped, at every position", async () => {
    const { storage } = await backup();
    const good = storage.peek(object);
    for (let at = 0; at < good.length; at += 11) {
      const bad = good.slice();
      bad[at] = (bad[at] ?? 0) ^ 1;
      storage.poke(object, bad);
      const report = await verifyApp(storage);
      expect(report.findings.map(brief), `byte ${at}`).toEqual([{ kind: "damaged", object, lostTxids }]);
      expect(report.restorableTxids).toEqual(others);
    }
  });

  test("truncated", async () => {
    const { storage } = await backup();
    const good = storage.peek(object);
    for (const length of [0, 50, 100, good.length >> 1, good.length - 1]) {
      storage.poke(object, good.subarray(0, length));
      expect((await verifyApp(storage)).findings.map(brief), `${length} bytes`).toEqual([
        { kind: "damaged", object, lostTxids },
      ]);
    }
    storage.poke(object, Buffer.concat([good, Buffer.from([0])]));
    expect((await verifyApp(storage)).findings.map(brief)).toEqual([{ kind: "damaged", object, lostTxids }]);
  });

  test("duplicated under another name", async () => {
    const { storage } = await backup();
    storage.poke(key("10-10"), storage.peek(object));
    expect((await verifyApp(storage)).findings.map(brief)).toEqual([
      { kind: "damaged", object: key("10-10"), lostTxids: [10n] },
    ]);
  });

  test("swapped with another one", async () => {
    const { storage } = await backup();
    for (const other of ltxKeys(storage).filter((name) => name !== object)) {
      const [a, b] = [storage.peek(object), storage.peek(other)];
      storage.poke(object, b);
      storage.poke(other, a);
      const { findings } = await verifyApp(storage);
      expect(findings.map(({ object: name }) => name)).toEqual([object, other].sort());
      expect(findings.every(({ kind }) => kind === "damaged")).toBe(true);
      storage.poke(object, a);
      storage.poke(other, b);
    }
  });

  test("taken from another database, with and without a manifest", async () => {
    const { storage } = await backup();
    const { storage: theirs } = await backup(2);
    storage.poke(object, theirs.peek(object));
    expect((await verifyApp(storage)).findings.length).toBeGreaterThan(0);
    storage.remove("app/manifest.json");
    const { findings } = await verifyApp(storage);
    expect(findings.length).toBeGreaterThan(0);
    expect(findings.every(({ kind }) => kind === "chain")).toBe(true);
  });
});

test("what verify calls restorable is what restore restores, whatever is broken", async () => {
  const mischief = fc.record({
    which: fc.nat(6),
    what: fc.constantFrom("drop", "flip", "truncate", "foreign"),
  });
  const { storage: theirs } = await backup(2);
  const out = `${tempFolder()}/out.db`;
  await fc.assert(
    fc.asyncProperty(fc.array(mischief, { maxLength: 3 }), fc.boolean(), async (list, withManifest) => {
      const { storage, history } = await backup();
      if (!withManifest) storage.remove("app/manifest.json");
      const keys = ltxKeys(storage);
      for (const { which, what } of list) {
        const object = keys[which] ?? "";
        const foreign = theirs.peek(object);
        if (what === "drop") storage.remove(object);
        else if (what === "foreign") storage.poke(object, foreign);
        else if (what === "truncate") storage.poke(object, foreign.subarray(0, 90));
        else storage.poke(object, foreign.with(150, (foreign[150] ?? 0) ^ 2));
      }
      const { restorableTxids, findings } = await verifyApp(storage);
      for (const txid of history.txids()) {
        const options = { target: { kind: "txid", txid }, force: true, integrityCheck: "none" } as const;
        const restored = await restore({ storage, cores }, "app", out, options).then(
          () => true,
          () => false,
        );
        // Without a manifest a snapshot of another database is only told by the files beside it, which a
        // restore has no need to read.
        const isTold = withManifest || !findings.some(({ kind }) => kind === "chain");
        if (isTold) expect(restored, `TXID ${txid}`).toBe(restorableTxids.includes(txid));
      }
    }),
    // two of another database, which agree with one another
    {
      numRuns: 40,
      examples: [
        [
          [
            { which: 2, what: "foreign" },
            { which: 0, what: "foreign" },
          ],
          true,
        ],
      ],
    },
  );
});

describe("the manifest", () => {
  test("is no finding when it is absent, but the report says so", async () => {
    const { storage } = await backup();
    storage.remove("app/manifest.json");
    expect(await verifyApp(storage)).toMatchObject({ findings: [], manifest: "missing" });
  });

  test("that cannot be used is a finding, and the objects are still read", async () => {
    const { storage } = await backup();
    const good = storage.peek("app/manifest.json");
    storage.poke("app/manifest.json", good.subarray(0, 40));
    storage.remove(key("3-5"));
    expect((await verifyApp(storage)).findings.map(brief)).toEqual([
      { kind: "hole", object: key("6-6"), lostTxids: [5n] },
      { kind: "damaged", object: "app/manifest.json", lostTxids: [] },
    ]);
  });

  test.each<[string, (text: string) => string, string]>([
    ["name", (text) => text.replace('"app"', '"other"'), "app/manifest.json"],
    ["page_size", (text) => text.replace('"page_size":512', '"page_size":1024'), "app/manifest.json"],
    [
      "last_checksum",
      (text) => text.replace(/"last_checksum":"...../, '"last_checksum":"fffff'),
      "app/manifest.json",
    ],
    ["size", (text) => text.replace(/"size":\d+/, '"size":7'), key("1-1")],
    ["sha256", (text) => text.replace(/"sha256":"...../, '"sha256":"fffff'), key("1-1")],
    ["post_apply", (text) => text.replace(/"post_apply":"...../, '"post_apply":"fffff'), key("1-1")],
    ["timestamp", (text) => text.replace(/"timestamp":"1970/, '"timestamp":"1971'), key("1-1")],
    ["checksum", (text) => text.replace(/"checksum":"...../, '"checksum":"fffff'), key("1-1")],
  ])("with another %s than the objects", async (field, change, object) => {
    const { storage } = await backup();
    const text = Buffer.from(storage.peek("app/manifest.json")).toString();
    expect(change(text)).not.toBe(text);
    storage.poke("app/manifest.json", Buffer.from(change(text)));
    const { findings } = await verifyApp(storage);
    // that of another database says nothing of this one
    const kind = field === "name" ? "damaged" : "manifest";
    expect(findings.map(brief)).toEqual([{ kind, object, lostTxids: [] }]);
    expect(findings[0]?.message).toContain(field === "name" ? "other" : field);
  });

  test("may be older than the newest objects", async () => {
    const { storage, history } = await backup();
    await history.publish(new ImageMaker(512, 5).next(5, history.image()));
    expect((await verifyApp(storage)).findings).toEqual([]);
  });

  test("that does not name an older object", async () => {
    const { storage, history } = await backup();
    history.manifest(history.files.filter(({ minTxid }) => minTxid !== 7n));
    expect((await verifyApp(storage)).findings.map(brief)).toEqual([
      { kind: "manifest", object: key("7-7"), lostTxids: [] },
    ]);
  });

  test("that names what was merged, since the merge ended before it was named", async () => {
    const { storage, history } = await backup();
    const named = [...history.files];
    await history.merge(3n, 7n);
    history.manifest(named);
    const { findings, restorableTxids } = await verifyApp(storage);
    expect(findings).toEqual([]);
    expect(restorableTxids).toEqual(history.txids());
  });

  test("that names a part of what was merged", async () => {
    const { storage, history } = await backup();
    const named = history.files.filter(({ minTxid }) => minTxid !== 6n);
    await history.merge(3n, 7n);
    history.manifest(named);
    expect((await verifyApp(storage)).findings.map(({ object }) => object)).toEqual([key("3-7")]);
  });

  test("that knows a TXID which is in no object", async () => {
    const { storage } = await backup();
    const text = Buffer.from(storage.peek("app/manifest.json")).toString();
    storage.poke("app/manifest.json", Buffer.from(text.replace('"current_txid":9', '"current_txid":12')));
    expect((await verifyApp(storage)).findings.map(brief)).toEqual([
      { kind: "hole", object: "app/manifest.json", lostTxids: [12n] },
    ]);
  });
});

describe("holes", () => {
  test("without a manifest the objects behind one show it", async () => {
    const { storage } = await backup();
    for (const name of ["app/manifest.json", key("1-6"), key("3-5"), key("6-6")]) storage.remove(name);
    const { findings, restorableTxids } = await verifyApp(storage);
    expect(findings).toEqual([
      {
        kind: "hole",
        code: "INTEGRITY_MISSING",
        object: key("7-7"),
        message: "TXIDs 3 to 6 before it are in no object",
        lostTxids: [6n, 7n, 9n],
      },
    ]);
    expect(restorableTxids).toEqual([1n, 2n]);
  });

  test("between snapshots that pruning left are none", async () => {
    const { storage, history } = await backup();
    for (const range of ["2-2", "3-5", "6-6"]) storage.remove(key(range));
    history.manifest(history.files.filter(({ minTxid, maxTxid }) => minTxid === 1n || maxTxid > 6n));
    expect(await verifyApp(storage)).toMatchObject({ findings: [], restorableTxids: [1n, 6n, 7n, 9n] });
  });

  test("what an interrupted prune left over is none", async () => {
    const { storage, history } = await backup();
    for (const range of ["1-1", "2-2"]) storage.remove(key(range));
    history.manifest(
      history.files
        .filter(({ maxTxid }) => maxTxid > 6n || maxTxid === 6n)
        .filter(({ minTxid }) => minTxid !== 6n),
    );
    expect(ltxKeys(storage)).toContain(key("3-5"));
    expect((await verifyApp(storage)).findings).toEqual([]);
  });
});

test("two files that end at one TXID with different databases", async () => {
  const { storage } = await backup();
  const elsewhere = new MemoryStorage();
  await new History(elsewhere).snapshot(new ImageMaker(512, 9).next(5), { commits: 9 });
  storage.remove("app/manifest.json");
  storage.poke(key("1-9"), elsewhere.peek(key("1-9")));
  expect((await verifyApp(storage)).findings.map(brief)).toEqual([
    { kind: "chain", object: key("8-9"), lostTxids: [9n] },
  ]);
});

describe("storage", () => {
  test.each(["STORAGE_NETWORK", "STORAGE_AUTH", "STORAGE_UNAVAILABLE"] as const)(
    "%s at any call is thrown, and is no finding",
    async (code) => {
      const { storage } = await backup();
      await verifyApp(storage);
      const calls = storage.calls.length;
      const error = new WalrustError(code, "no");
      for (let failing = 0; failing < calls; failing++) {
        storage.calls.length = 0;
        storage.fault = ({ index }) => (index === failing ? { kind: "before", error } : undefined);
        await expect(verifyApp(storage)).rejects.toBe(error);
      }
    },
  );

  test("a merge meanwhile: everything is looked at once more", async () => {
    const { storage, history } = await backup();
    await history.merge(2n, 6n);
    const merged = storage.peek(key("2-6"));
    storage.remove(key("2-6"));
    storage.fault = ({ operation, key: name }) => {
      if (operation === "read" && name === key("3-5")) {
        storage.poke(key("2-6"), merged);
        history.manifest(
          history.files.filter(
            ({ minTxid, maxTxid }) => !(minTxid > 1n && maxTxid <= 6n) || minTxid + 4n === maxTxid,
          ),
        );
        for (const range of ["2-2", "3-5", "6-6"]) storage.remove(key(range));
      }
      return undefined;
    };
    expect(await verifyApp(storage)).toMatchObject({ findings: [], restorableTxids: [1n, 6n, 7n, 9n] });
  });

  test("an abort is thrown", async () => {
    const { storage } = await backup();
    const stop = new AbortController();
    storage.fault = ({ operation }) => {
      if (operation === "read") stop.abort(new Error("enough"));
      return undefined;
    };
    await expect(verify({ storage, cores }, "app", { signal: stop.signal })).rejects.toThrow("enough");
  });
});
