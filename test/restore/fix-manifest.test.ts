import { describe, expect, test } from "vitest";
import { WalrustError } from "../../src/errors.ts";
import { verifyAndFix } from "../../src/restore/fix-manifest.ts";
import { verify } from "../../src/restore/verify.ts";
import { databaseKeys } from "../../src/storage/keys.ts";
import { formatManifest, type Manifest, parseManifest } from "../../src/storage/manifest.ts";
import { CorePool } from "../../src/wasm/core-pool.ts";
import { ManualClock } from "../helpers/manual-clock.ts";
import type { MemoryStorage } from "../helpers/memory-storage.ts";
import { type Backup, backup, COSTS, keyOf, restoredImage } from "../helpers/restore/backup.ts";
import { ImageMaker } from "../helpers/restore/images.ts";

const cores = new CorePool();
const clock = new ManualClock();
const MANIFEST = databaseKeys("app").manifest();

const fix = (storage: MemoryStorage) => verifyAndFix({ storage, cores, clock }, "app");
const verifyApp = (storage: MemoryStorage) => verify({ storage, cores }, "app");
const manifestIn = (storage: MemoryStorage) => parseManifest(storage.peek(MANIFEST), MANIFEST);
const names = ({ files }: Manifest) => files.map(({ minTxid, maxTxid }) => `${minTxid}-${maxTxid}`);
const withoutTimes = ({ files, ...rest }: Manifest) => ({
  ...rest,
  updatedAtMs: 0,
  files: files.map((file) => ({ ...file, createdAtMs: 0 })),
});
const ALL = ["1-1", "2-2", "3-5", "1-6", "6-6", "7-7", "8-9"];
const OBJECTS = ALL.map(keyOf).sort();

/** Not toEqual: its report of two databases that differ is endless. */
function isImage(restored: Uint8Array | WalrustError, image: Uint8Array): boolean {
  return restored instanceof Uint8Array && Buffer.compare(restored, image) === 0;
}

/** A snapshot of what is in the database now, as an application's next commit and `walrust snapshot` make it. */
async function snapshotAfterwards({ storage, history }: Backup): Promise<void> {
  await history.snapshot(new ImageMaker(512, 77).next(7, history.image()));
  const { report } = await fix(storage);
  expect(report.restorableTxids.at(-1)).toBe(10n);
}

describe("a manifest that is gone, damaged or wrong is made again", () => {
  const document = (edit: (manifest: Record<string, unknown>) => void) => (bytes: Uint8Array) => {
    const parsed = JSON.parse(Buffer.from(bytes).toString());
    edit(parsed);
    return Buffer.from(JSON.stringify(parsed));
  };
  const entry = (field: string, value: unknown) =>
    document(({ files }) => {
      const [, , third] = files as Record<string, unknown>[];
      if (third) third[field] = value;
    });
  const ofFiles = (edit: (files: Record<string, unknown>[]) => unknown) =>
    document((manifest) => {
      manifest["files"] = edit(manifest["files"] as Record<string, unknown>[]);
    });
  const hex = (digit: string) => digit.repeat(16);

  test.each<[string, (bytes: Uint8Array) => Uint8Array | undefined]>([
    ["gone", () => undefined],
    ["empty", () => new Uint8Array()],
    ["cut", (bytes) => bytes.subarray(0, bytes.length >> 1)],
    ["a list", () => Buffer.from("[]")],
    ["of another database", document((manifest) => (manifest["name"] = "other"))],
    ["with a file twice", ofFiles((files) => [...files, files[0]])],
    ["with a head behind its files", document((manifest) => (manifest["current_txid"] = 3))],
    ["without its files", ofFiles(() => [])],
    ["without one of them", ofFiles((files) => files.slice(0, -1))],
    ["with an older head", document((d) => Object.assign(d, { files: [], current_txid: 0 }))],
    ["wrong about the page size", document((manifest) => (manifest["page_size"] = 1024))],
    ["wrong about the last checksum", document((d) => (d["last_checksum"] = hex("f")))],
    ["wrong about a size", entry("size", 7)],
    ["wrong about a SHA-256", entry("sha256", "ab".repeat(32))],
    ["wrong about a checksum", entry("checksum", hex("e"))],
    ["wrong about a time", entry("timestamp", "1971-01-01T00:00:00.000Z")],
    ["wrong about what is before a file", entry("pre_apply", hex("d"))],
    ["wrong about what is behind a file", entry("post_apply", hex("c"))],
    ["wrong about a repair", entry("is_repair", true)],
  ])("%s", async (_, damage) => {
    const { storage, history } = await backup();
    const before = manifestIn(storage);
    const damaged = damage(storage.peek(MANIFEST));
    if (damaged === undefined) storage.remove(MANIFEST);
    else storage.poke(MANIFEST, damaged);

    const { fix: done } = await fix(storage);
    expect(done).toEqual({ kind: "written", named: 7, forgotten: [] });
    expect(withoutTimes(manifestIn(storage))).toEqual(withoutTimes(before));
    expect(manifestIn(storage).updatedAtMs).toBe(clock.now());
    expect(storage.keys().filter((key) => key.endsWith(".ltx"))).toEqual(OBJECTS);

    const again = await fix(storage);
    expect(again).toMatchObject({
      report: { findings: [], manifest: "ok" },
      fix: { kind: "unchanged", named: 7 },
    });
    expect(isImage(await restoredImage(storage), history.image())).toBe(true);
  });

  test("naming files that were never there, beyond the head: they are forgotten, the head is not", async () => {
    const { storage } = await backup();
    const manifest = manifestIn(storage);
    const [file] = manifest.files;
    if (file === undefined) throw new Error("a manifest with files");
    const invented = { ...file, minTxid: 10n, maxTxid: 12n };
    storage.poke(
      MANIFEST,
      formatManifest({ ...manifest, currentTxid: 12n, files: [...manifest.files, invented] }),
    );
    expect((await fix(storage)).fix).toMatchObject({ kind: "written", forgotten: [keyOf("10-12")] });
    expect(manifestIn(storage).currentTxid).toBe(12n);
    expect((await verifyApp(storage)).findings).toMatchObject([
      {
        kind: "hole",
        object: MANIFEST,
        message: "it names TXID 12, but TXIDs 10 to 12 are in no object",
        lostTxids: [12n],
      },
    ]);
    expect(await restoredImage(storage)).toMatchObject({ code: "INTEGRITY_MISSING" });
  });
});

describe.each(COSTS)("the object %s, and the manifest made again", (range, lost) => {
  const object = keyOf(range);
  const flip = (bytes: Uint8Array) => bytes.with(bytes.length >> 1, (bytes[bytes.length >> 1] ?? 0) ^ 4);
  const damages: ReadonlyArray<[string, (storage: MemoryStorage, theirs: MemoryStorage) => void]> = [
    ["dropped", (storage) => storage.remove(object)],
    ["flipped", (storage) => storage.poke(object, flip(storage.peek(object)))],
    ["cut", (storage) => storage.poke(object, storage.peek(object).subarray(0, 150))],
    ["emptied", (storage) => storage.poke(object, new Uint8Array())],
    [
      "under another name",
      (storage) => {
        storage.poke(keyOf("11-12"), storage.peek(object));
        storage.remove(object);
      },
    ],
    ["duplicated", (storage) => storage.poke(keyOf("11-12"), storage.peek(object))],
    [
      "swapped",
      (storage) => {
        const [mine, other] = [storage.peek(object), storage.peek(keyOf(range === "8-9" ? "7-7" : "8-9"))];
        storage.poke(keyOf(range === "8-9" ? "7-7" : "8-9"), mine);
        storage.poke(object, other);
      },
    ],
    ["of another database", (storage, theirs) => storage.poke(object, theirs.peek(object))],
  ];

  test.each(
    damages.flatMap(([what, damage]) => [true, false].map((named) => [what, named, damage] as const)),
  )(
    "%s (with a manifest: %s): what is said to be restorable is, the rest fails, and stays told",
    async (what, named, damage) => {
      const whole = await backup();
      const { storage, history } = whole;
      const { storage: theirs } = await backup(2);
      damage(storage, theirs);
      if (!named) storage.remove(MANIFEST);
      const objects = storage.keys().filter((key) => key.endsWith(".ltx"));

      const { report, fix: done } = await fix(storage);
      expect(report.findings.length > 0 || (!named && what === "dropped")).toBe(true);
      expect(done.kind).not.toBe("impossible");
      const isHeadForgotten = range === "8-9" && what === "dropped" && !named; // nothing tells of it
      expect(manifestIn(storage).currentTxid).toBe(isHeadForgotten ? 7n : 9n);
      if (["dropped", "flipped", "cut", "emptied"].includes(what) && named) {
        expect(done).toMatchObject({ kind: "written", forgotten: expect.arrayContaining([object]) });
        expect(report.findings.map(({ object }) => object)).toEqual([object]);
        expect(report.findings.flatMap(({ lostTxids }) => lostTxids)).toEqual(lost);
      }
      expect(
        storage.keys().filter((key) => key.endsWith(".ltx")),
        "no object is touched",
      ).toEqual(objects);

      const after = await verifyApp(storage);
      expect(after.restorableTxids).toEqual(report.restorableTxids);
      expect(after.headTxid).toBe(report.headTxid);
      for (const txid of history.txids()) {
        const restored = await restoredImage(storage, txid);
        if (!isProvable(what, named)) continue;
        if (after.restorableTxids.includes(txid))
          expect(isImage(restored, history.image(txid)), `TXID ${txid} of ${what}: ${restored}`).toBe(true);
        else expect([5, 6], `TXID ${txid}`).toContain((restored as WalrustError).exitCode);
      }
      if (!after.restorableTxids.includes(after.headTxid)) {
        expect(after.findings.length, "a lost head stays told").toBeGreaterThan(0);
      }

      storage.remove(keyOf("11-12")); // it was never ours
      if (what === "dropped") {
        await snapshotAfterwards(whole);
        expect((await verifyApp(storage)).findings, "a newer snapshot covers it").toEqual([]);
        expect(isImage(await restoredImage(storage), history.image(10n))).toBe(true);
      }
    },
  );
});

/** A snapshot of another database is only told by the files beside it, which a restore has no need to read. */
function isProvable(what: string, named: boolean): boolean {
  return named || what !== "of another database";
}

describe("what is lost", () => {
  test("the head, that only the manifest knows of: it is not forgotten until a newer snapshot", async () => {
    const whole = await backup();
    const { storage } = whole;
    storage.remove(keyOf("8-9"));
    expect((await fix(storage)).fix).toEqual({ kind: "written", named: 6, forgotten: [keyOf("8-9")] });
    expect(manifestIn(storage)).toMatchObject({
      currentTxid: 9n,
      lastChecksum: whole.history.files.at(-1)?.postApply,
    });
    for (const _ of [1, 2]) {
      const { report } = await fix(storage);
      expect(report.findings).toMatchObject([{ kind: "hole", object: MANIFEST, lostTxids: [9n] }]);
    }
    expect(await restoredImage(storage)).toMatchObject({ code: "INTEGRITY_MISSING", exitCode: 5 });
    await snapshotAfterwards(whole);
    expect((await verifyApp(storage)).findings).toEqual([]);
  });

  test("without a manifest a damaged newest object still says how far it went", async () => {
    const { storage } = await backup();
    storage.remove(MANIFEST);
    storage.poke(keyOf("8-9"), storage.peek(keyOf("8-9")).subarray(0, 80));
    await fix(storage);
    expect(manifestIn(storage)).toMatchObject({ currentTxid: 9n, lastChecksum: 0n });
    storage.remove(keyOf("8-9"));
    expect(await restoredImage(storage)).toMatchObject({ code: "INTEGRITY_MISSING" });
  });

  test("a copy by hand does not: its name means nothing", async () => {
    const { storage, history } = await backup();
    storage.remove(MANIFEST);
    storage.poke(keyOf("20-20"), storage.peek(keyOf("2-2")));
    await fix(storage);
    expect(manifestIn(storage).currentTxid).toBe(9n);
    storage.remove(keyOf("20-20"));
    expect(isImage(await restoredImage(storage), history.image())).toBe(true);
  });

  test("what leads nowhere is not named, and told until a snapshot covers it", async () => {
    const { storage } = await backup();
    storage.remove(keyOf("7-7"));
    await fix(storage);
    expect(names(manifestIn(storage))).toEqual(["1-1", "2-2", "3-5", "1-6", "6-6"]);
    expect((await verifyApp(storage)).findings).toMatchObject([
      {
        kind: "hole",
        object: keyOf("8-9"),
        message: "TXIDs 7 to 7 before it are in no object",
        lostTxids: [7n, 9n],
      },
    ]);
  });

  test("everything: a sound manifest goes on naming the head", async () => {
    const { storage } = await backup();
    for (const key of OBJECTS) storage.remove(key);
    expect((await fix(storage)).fix).toMatchObject({ kind: "written", named: 0, forgotten: ALL.map(keyOf) });
    expect(manifestIn(storage)).toMatchObject({ currentTxid: 9n, pageSizeBytes: 512, files: [] });
  });

  test("everything, and the manifest: none can be made, and nothing is written", async () => {
    const { storage } = await backup();
    for (const key of OBJECTS) storage.poke(key, Buffer.from("x"));
    storage.poke(MANIFEST, Buffer.from("x"));
    expect((await fix(storage)).fix).toEqual({ kind: "impossible" });
    expect(Buffer.from(storage.peek(MANIFEST)).toString()).toBe("x");
  });
});

describe("what a prune left over", () => {
  test.each([
    ["all of it", []],
    ["some of it, which leads nowhere", ["1-1"]],
  ])("is not named again: %s", async (_, deleted) => {
    const { storage, history } = await backup();
    const kept = history.files.filter(
      ({ minTxid, maxTxid }) => maxTxid > 6n || (minTxid === 1n && maxTxid === 6n),
    );
    history.manifest(kept);
    for (const range of deleted) storage.remove(keyOf(range));
    const { report, fix: done } = await fix(storage);
    expect({ findings: report.findings, done }).toEqual({
      findings: [],
      done: { kind: "unchanged", named: 3 },
    });
  });

  test("is all there is when the snapshot that replaced it is gone: then it counts", async () => {
    const { storage, history } = await backup();
    const kept = history.files.filter(
      ({ maxTxid, minTxid }) => maxTxid > 6n || (minTxid === 1n && maxTxid === 6n),
    );
    history.manifest(kept);
    storage.remove(keyOf("1-6"));
    await fix(storage);
    expect(names(manifestIn(storage))).toEqual(["1-1", "2-2", "3-5", "6-6", "7-7", "8-9"]);
    expect(isImage(await restoredImage(storage), history.image())).toBe(true);
  });
});

describe("others who write meanwhile", () => {
  /** Does something at the moment when the last object is read. */
  function meanwhile(storage: MemoryStorage, act: () => void): void {
    storage.fault = ({ operation, key }) => {
      if (operation === "read" && key === keyOf("8-9")) {
        storage.fault = () => undefined;
        act();
      }
      return undefined;
    };
  }

  test("a file that a daemon published and named is kept as it named it", async () => {
    const { storage, history } = await backup();
    storage.remove(keyOf("6-6"));
    const maker = new ImageMaker(512, 5);
    await history.publish(maker.next(6, history.image()));
    const published = storage.peek(keyOf("10-10"));
    storage.remove(keyOf("10-10"));
    meanwhile(storage, () => {
      storage.poke(keyOf("10-10"), published);
      history.manifest();
    });
    expect((await fix(storage)).fix).toEqual({ kind: "written", named: 7, forgotten: [keyOf("6-6")] });
    expect(names(manifestIn(storage))).toEqual(["1-1", "2-2", "3-5", "1-6", "7-7", "8-9", "10-10"]);
    expect(manifestIn(storage)).toMatchObject({
      currentTxid: 10n,
      lastChecksum: history.files.at(-1)?.postApply,
    });
  });

  test("what a merge or a prune names no more is not named again, though it is still there", async () => {
    const { storage, history } = await backup();
    await history.merge(7n, 9n);
    const merged = storage.peek(keyOf("7-9"));
    storage.remove(keyOf("7-9"));
    meanwhile(storage, () => {
      storage.poke(keyOf("7-9"), merged);
      history.manifest(
        history.files.filter(({ minTxid, maxTxid }) => maxTxid === 6n || minTxid + 2n === maxTxid),
      );
    });
    expect((await fix(storage)).fix).toEqual({ kind: "unchanged", named: 4 });
    expect(names(manifestIn(storage))).toEqual(["3-5", "1-6", "6-6", "7-9"]);
  });

  test("what was deleted after it was read is not named", async () => {
    const { storage } = await backup();
    storage.remove(MANIFEST);
    storage.fault = ({ operation, index }) => {
      if (operation === "list" && index > 9) storage.remove(keyOf("6-6"));
      return undefined;
    };
    await fix(storage);
    expect(names(manifestIn(storage))).toEqual(ALL.filter((name) => name !== "6-6"));
  });

  test("a manifest that is deleted at the last moment: the head that it knew is not forgotten", async () => {
    const { storage } = await backup();
    storage.remove(keyOf("8-9"));
    const { storage: elsewhere } = await backup();
    elsewhere.remove(keyOf("8-9"));
    await fix(elsewhere);
    const looks = elsewhere.calls.filter(({ operation }) => operation === "get").length;
    let gets = 0;
    storage.fault = ({ operation }) => {
      if (operation === "get" && ++gets === looks) storage.remove(MANIFEST);
      return undefined;
    };
    await fix(storage);
    expect(manifestIn(storage).currentTxid).toBe(9n);
  });

  test("a write between the look and ours is not overwritten", async () => {
    const { storage, history } = await backup();
    storage.remove(MANIFEST);
    storage.fault = ({ operation }) => {
      if (operation !== "put") return undefined;
      storage.fault = () => undefined;
      history.manifest(history.files.slice(0, 3));
      return undefined;
    };
    expect((await fix(storage)).fix).toMatchObject({ kind: "written", named: 7 });
    expect(names(manifestIn(storage))).toEqual(ALL);
  });

  test("a newer walrust that wrote it is left alone", async () => {
    const { storage } = await backup();
    const newer = Buffer.from('{"version":2}');
    meanwhile(storage, () => storage.poke(MANIFEST, newer));
    storage.remove(keyOf("6-6"));
    await expect(fix(storage)).rejects.toMatchObject({ code: "INTEGRITY_VERSION", exitCode: 5 });
    expect(storage.peek(MANIFEST)).toEqual(new Uint8Array(newer));
  });
});

test.each(["get", "list", "read", "put"] as const)(
  "storage that fails at a %s: thrown, nothing is written",
  async (operation) => {
    const { storage } = await backup();
    storage.poke(MANIFEST, Buffer.from("{"));
    const error = new WalrustError("STORAGE_UNAVAILABLE", "no");
    storage.fault = (call) => (call.operation === operation ? { kind: "before", error } : undefined);
    await expect(fix(storage)).rejects.toBe(error);
    expect(Buffer.from(storage.peek(MANIFEST)).toString()).toBe("{");
  },
);
