import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { WalrustError } from "../../src/errors.ts";
import { restore } from "../../src/restore/restore.ts";
import type { CompactProgress } from "../../src/retention/compact.ts";
import { parseManifest } from "../../src/storage/manifest.ts";
import { CorePool } from "../../src/wasm/core-pool.ts";
import { DyingStorage } from "../helpers/replication/dying-storage.ts";
import { expectSame } from "../helpers/replication/stage.ts";
import { Backup } from "../helpers/retention/backup.ts";
import { HOUR, MINUTE, outline, policyOf, SECOND } from "../helpers/retention/files.ts";
import { tempFolder } from "../helpers/sqlite/temp-database.ts";

const hourly = policyOf({ hourly: 24 });

/**
 * A snapshot at 8:59:40, commits every 20 s from 9:00:00 on, a snapshot of 9:03:40, six more commits; two hours
 * later a commit with a snapshot, and two more.
 */
async function aBackup(): Promise<Backup> {
  const backup = new Backup(Date.UTC(2026, 0, 31, 8, 59, 40));
  await backup.commit(0);
  await backup.commits(12, 20 * SECOND);
  await backup.snapshot();
  await backup.commits(6, 20 * SECOND);
  await backup.commit(2 * HOUR);
  await backup.snapshot();
  await backup.commits(2, 20 * SECOND);
  backup.manifest();
  return backup;
}

const AFTER = {
  snapshots: ["1-1", "1-13", "1-20"],
  merged: ["2-4", "5-7", "8-10", "11-13", "14-16", "17-19"],
  young: ["20-20", "21-21", "22-22"],
};
const ALL_AFTER = [...AFTER.snapshots, ...AFTER.merged, ...AFTER.young].sort();
const POINTS = [1n, 4n, 7n, 10n, 13n, 16n, 19n, 20n, 21n, 22n];

describe("a compaction", () => {
  test("merges old incrementals, and every point that stays is restored bit for bit (pitfalls 21, 43)", async () => {
    const backup = await aBackup();
    const { plan } = await backup.compact(hourly);
    expect(outline(plan)).toMatchObject({
      snapshots: ["20: newest hourly", "13: hourly", "1: hourly"],
      merges: AFTER.merged.map((range) => `${range} of 3`),
    });
    expect(backup.files().sort()).toEqual(ALL_AFTER);
    await backup.expectSound();
    expect(await backup.points()).toEqual(POINTS);
    await backup.expectRestores(POINTS);
  });

  test("deletes what no tier keeps, and the incrementals behind it", async () => {
    const backup = await aBackup();
    await backup.compact(policyOf({ daily: 5 }));
    expect(backup.files().sort()).toEqual(["1-20", "21-21", "22-22"]);
    await backup.expectSound();
    await backup.expectRestores([20n, 21n, 22n]);
  });

  test("a dry run says the same, and changes nothing", async () => {
    const backup = await aBackup();
    const before = new Map(backup.storage.keys().map((key) => [key, backup.storage.peek(key)]));
    const calls = backup.storage.calls.length;
    const planned = await backup.compact(hourly, { force: false });
    expect(backup.storage.calls.slice(calls).map(({ operation }) => operation)).toEqual(["get", "list"]);
    expect(new Map(backup.storage.keys().map((key) => [key, backup.storage.peek(key)]))).toEqual(before);
    const done = await backup.compact(hourly);
    expect(outline(done.plan)).toEqual(outline(planned.plan));
    expect(done).toMatchObject({ isDone: true, sizeBytesBefore: planned.sizeBytesBefore });
    expect(planned.isDone).toBe(false);
    expect(done.sizeBytesAfter).toBeLessThanOrEqual(planned.sizeBytesAfter);
    const stored = backup.storage.keys().filter((key) => key.endsWith(".ltx"));
    expect(done.sizeBytesAfter).toBe(stored.reduce((sum, key) => sum + backup.storage.peek(key).length, 0));
  });

  test("a second one finds nothing to do, and writes nothing", async () => {
    const backup = await aBackup();
    await backup.compact(hourly);
    const calls = backup.storage.calls.length;
    const { plan } = await backup.compact(hourly);
    expect(outline(plan)).toMatchObject({ merges: [], expired: [], superseded: [], forgotten: [] });
    expect(backup.storage.calls.slice(calls).map(({ operation }) => operation)).toEqual(["get", "list"]);
  });

  test("new objects come first, the manifest next, deletions last, from the newest (pitfall 30)", async () => {
    const backup = await aBackup();
    const calls = backup.storage.calls.length;
    await backup.compact(hourly);
    const changes = backup.storage.calls
      .slice(calls)
      .filter(({ operation }) => ["put", "upload", "delete"].includes(operation));
    const order = changes.map(({ operation }) => operation);
    const [uploads, deletions] = ["upload", "delete"].map((operation) =>
      order.filter((one) => one === operation),
    );
    expect(uploads?.length).toBeGreaterThan(0);
    expect(order).toEqual([...(uploads ?? []), "put", ...(deletions ?? [])]);
    const deleted = changes.filter(({ operation }) => operation === "delete").map(({ key }) => key);
    const lastTxid = (key: string) => Number(/-(\d+)\.ltx$/.exec(key)?.[1]);
    expect(deleted.map(lastTxid)).toEqual(deleted.map(lastTxid).toSorted((a, b) => b - a));
  });

  test("what another writer adds to the manifest meanwhile stays in it", async () => {
    const backup = await aBackup();
    backup.storage.fault = ({ operation }) => {
      if (operation !== "put") return undefined;
      backup.storage.fault = () => undefined;
      const { files } = parseManifest(backup.storage.peek("app/manifest.json"), "manifest");
      const [last] = files.slice(-1);
      if (last) backup.history.manifest([...files, { ...last, minTxid: 22n, maxTxid: 22n }]);
      return undefined;
    };
    await backup.commit(SECOND);
    await backup.compact(hourly);
    expect(backup.named()).toContain("22-22");
  });
});

describe("killed at any request, a second one finishes it", () => {
  const after = { "all hourly": ALL_AFTER, "only the newest": ["1-20", "21-21", "22-22"] };
  const policies = { "all hourly": hourly, "only the newest": policyOf({ monthly: 1 }) };

  test.each([
    ["before", "all hourly"],
    ["after", "all hourly"],
    ["before", "only the newest"],
    ["after", "only the newest"],
  ] as const)("%s it takes effect, %s (pitfalls 28, 30)", async (effect, what) => {
    const points = what === "all hourly" ? POINTS : [20n, 21n, 22n];
    for (let at = 0; ; at += 1) {
      const backup = await aBackup();
      const storage = new DyingStorage(backup.storage, at, effect);
      const outcome = await Promise.race([backup.compact(policies[what], { storage }), storage.death]);
      const { findings, restorableTxids } = await backup.verify();
      expect(restorableTxids).toEqual(expect.arrayContaining(points));
      expect(findings, "leftovers are no finding").toEqual([]);
      await backup.expectRestores([points[at % points.length] ?? 0n]);
      await backup.compact(policies[what]);
      expect(backup.files().sort(), `killed at request ${at}`).toEqual(after[what]);
      await backup.expectSound();
      await backup.expectRestores([points[(at + 1) % points.length] ?? 0n]);
      if (outcome !== "died") {
        expect(at).toBeGreaterThan(3);
        return;
      }
    }
  });

  test("sources that were not deleted yet are no finding, also behind the newest snapshot", async () => {
    const backup = new Backup(Date.UTC(2026, 0, 31, 8, 59, 40));
    await backup.commit(0);
    await backup.commits(12, 20 * SECOND);
    await backup.commit(2 * HOUR);
    backup.manifest();
    const error = new WalrustError("STORAGE_UNAVAILABLE", "503");
    backup.storage.fault = ({ operation }) =>
      operation === "delete" ? { kind: "before", error } : undefined;
    await expect(backup.compact(hourly)).rejects.toBe(error);
    expect(backup.files()).toEqual(expect.arrayContaining(["2-4", "2-2", "3-3", "4-4"]));
    expect((await backup.verify()).findings).toEqual([]);
  });

  test("again and again, with other settings each time", async () => {
    const backup = await aBackup();
    const others = [
      hourly,
      policyOf({ hourly: 24 }, { stepMs: 5 * MINUTE }),
      policyOf({ hourly: 24 }, { fineWindowMs: 24 * HOUR }),
    ];
    for (let at = 0; at < 30; at += 1) {
      const storage = new DyingStorage(backup.storage, at, at % 2 ? "after" : "before");
      const policy = others[at % 3] ?? hourly;
      await Promise.race([backup.compact(policy, { storage }), storage.death]);
      await backup.expectNothingLost();
      await backup.expectRestores([1n, 13n, 19n, 20n, 22n]);
    }
    await backup.compact(hourly);
    await backup.expectSound();
  });
});

describe("beside others", () => {
  test("a restore that runs while its files are merged away plans anew (pitfall 35)", async () => {
    const backup = await aBackup();
    const merged = await mergedFiles();
    let compacted = false;
    const path = join(tempFolder(), "out.db");
    const restoring = restore({ storage: backup.storage, cores: new CorePool() }, "app", path, {
      target: { kind: "txid", txid: 19n },
      integrityCheck: "none",
      parallel: 1,
      onProgress: ({ phase, doneFiles }) => {
        if (phase !== "applying" || doneFiles === 0 || compacted) return;
        compacted = true;
        // All of a sudden: what the plan still needs is gone.
        for (const range of ["15-15", "16-16", "17-17", "18-18", "19-19"]) backup.remove(range);
        for (const { key, bytes } of merged) backup.storage.poke(key, bytes);
      },
    });
    await restoring;
    expect(compacted).toBe(true);
    expectSame(readFileSync(path), Buffer.from(backup.history.image(19n)), "TXID 19");
  });

  test("a restore that runs beside a whole compaction gives what was asked for", async () => {
    for (const txid of [1n, 4n, 13n, 19n, 22n]) {
      const backup = await aBackup();
      const path = join(tempFolder(), "out.db");
      const [, restored] = await Promise.all([
        backup.compact(hourly),
        restore({ storage: backup.storage, cores: new CorePool() }, "app", path, {
          target: { kind: "txid", txid },
          integrityCheck: "none",
        }),
      ]);
      expect(restored.point.txid).toBe(txid);
      expectSame(readFileSync(path), Buffer.from(backup.history.image(txid)), `TXID ${txid}`);
    }
  });

  test("a daemon publishes meanwhile: its new files and their names stay", async () => {
    const backup = await aBackup();
    let published = false;
    backup.storage.fault = ({ operation }) => {
      if (operation === "put" && !published) {
        published = true;
        const { files } = backup.history;
        void backup.commit(SECOND);
        void files;
      }
      return undefined;
    };
    await backup.compact(hourly);
    expect(backup.files()).toContain("23-23");
    await backup.expectRestores([23n, ...POINTS]);
  });

  test("what the daemon has not named yet is not touched, whatever the retention says", async () => {
    const backup = await aBackup();
    await backup.commits(3, SECOND);
    await backup.snapshot();
    await backup.compact(policyOf({ daily: 1 }));
    // they hang on the newest snapshot that it has named
    const all = ["1-20", "1-25", "21-21", "22-22", "23-23", "24-24", "25-25"];
    expect(backup.files().sort()).toEqual(all);
    expect((await backup.verify()).findings).toEqual([]);
    backup.manifest(all);
    await backup.compact(policyOf({ daily: 1 }));
    expect(backup.files()).toEqual(["1-25"]);
    await backup.expectRestores([25n]);
  });

  test("another compaction was faster: this one plans anew", async () => {
    const backup = await aBackup();
    const wide = policyOf({ hourly: 24 }, { stepMs: 5 * MINUTE });
    const [first, second] = await Promise.all([backup.compact(hourly), backup.compact(wide)]);
    expect([first.isDone, second.isDone]).toEqual([true, true]);
    await backup.compact(wide);
    await backup.expectSound();
    await backup.expectRestores([1n, 13n, 19n, 20n, 21n, 22n]);
  });

  test("one whose plan rests on what the other has taken away gives nothing up for it", async () => {
    const backup = await aBackup();
    let raced = false;
    backup.storage.fault = ({ operation }) => {
      if (operation !== "upload" || raced) return undefined;
      raced = true;
      // Somebody else prunes everything behind the newest snapshot, manifest first.
      backup.history.manifest(backup.history.files.filter(({ maxTxid }) => maxTxid >= 20n));
      return undefined;
    };
    const { plan } = await backup.compact(hourly);
    expect(outline(plan).merges).toEqual([]);
    await backup.expectRestores([20n, 21n, 22n]);
  });
});

describe("what is wrong with a backup", () => {
  test("a missing manifest: all files are read, and it is made again", async () => {
    const backup = await aBackup();
    backup.storage.remove("app/manifest.json");
    await backup.compact(hourly);
    expect(backup.files().sort()).toEqual(ALL_AFTER);
    await backup.expectSound();
    await backup.expectRestores(POINTS);
  });

  test("a damaged manifest is as good as none", async () => {
    const backup = await aBackup();
    backup.storage.poke("app/manifest.json", Buffer.from("{"));
    await backup.compact(hourly);
    await backup.expectSound();
    await backup.expectRestores(POINTS);
  });

  test("a manifest of a newer walrust is not touched, nor is anything else", async () => {
    const backup = await aBackup();
    const text = Buffer.from(backup.storage.peek("app/manifest.json")).toString();
    backup.storage.poke("app/manifest.json", Buffer.from(text.replace('"version":1', '"version":2')));
    const keys = backup.storage.keys();
    await expect(backup.compact(hourly)).rejects.toMatchObject({ code: "INTEGRITY_VERSION" });
    expect(backup.storage.keys()).toEqual(keys);
  });

  test("a damaged incremental: its minute is left alone and told, all others are done", async () => {
    const backup = await aBackup();
    const key = backup.history.key(6n, 6n);
    const bytes = backup.storage.peek(key);
    bytes[150] = (bytes[150] ?? 0) ^ 1;
    backup.storage.poke(key, bytes);
    await expect(backup.compact(hourly)).rejects.toMatchObject({ exitCode: 5, details: { object: key } });
    const expected = [...ALL_AFTER.filter((range) => range !== "5-7"), "5-5", "6-6", "7-7"].sort();
    expect(backup.files().sort()).toEqual(expected);
    expect(backup.named()).toEqual(expected);
    await backup.expectRestores([4n, 13n, 16n, 22n]);
  });

  test("an object that is gone: what leads over it stays as it is, and goes on being missed", async () => {
    const backup = await aBackup();
    backup.remove("16-16");
    await backup.compact(hourly);
    expect(backup.files()).toEqual(expect.arrayContaining(["17-17", "18-18", "19-19", "14-15"]));
    expect((await backup.verify()).findings.map(({ object }) => object)).toContain(
      "app/00000016-00000016.ltx",
    );
  });

  test.each([
    ["a garbage merge of an unknown crash", (bytes: Uint8Array) => bytes.fill(7, 200)],
    ["one that was cut off", (bytes: Uint8Array) => bytes.subarray(0, 200)],
  ])("%s is neither used nor deleted", async (_, damage) => {
    const backup = await aBackup();
    await backup.history.merge(2n, 4n);
    const key = backup.history.key(2n, 4n);
    backup.storage.poke(key, damage(backup.storage.peek(key)));
    await backup.compact(hourly);
    expect(backup.files()).toEqual(expect.arrayContaining(["2-4", "2-2", "3-3", "4-4"]));
    expect(backup.named()).not.toContain("2-4");
    await backup.expectRestores(POINTS);
  });

  test("nothing there, and a replica of Litestream", async () => {
    const backup = new Backup();
    await expect(backup.compact(hourly)).rejects.toMatchObject({ code: "RESTORE_NOTHING" });
    const source = await aBackup();
    backup.storage.poke(
      "app/0000/0000000000000001-0000000000000001.ltx",
      source.storage.peek(source.history.key(1n, 1n)),
    );
    await expect(backup.compact(hourly)).rejects.toMatchObject({ code: "USAGE" });
  });

  test("storage that does not answer is no answer", async () => {
    const backup = await aBackup();
    const error = new WalrustError("STORAGE_UNAVAILABLE", "503");
    for (const operation of ["get", "list", "read", "upload", "put", "delete"] as const) {
      backup.storage.fault = (call) => (call.operation === operation ? { kind: "before", error } : undefined);
      await expect(backup.compact(hourly)).rejects.toBe(error);
      backup.storage.fault = () => undefined;
      await backup.expectNothingLost();
    }
    await backup.expectRestores(POINTS);
  });
});

test("a stop ends it, with nothing lost", async () => {
  const backup = await aBackup();
  const stop = new AbortController();
  const onProgress = () => stop.abort(new Error("enough"));
  await expect(backup.compact(hourly, { signal: stop.signal, onProgress })).rejects.toThrow("enough");
  await backup.expectNothingLost();
  await backup.expectRestores(POINTS);
});

test("progress counts the bytes to merge, to the end", async () => {
  const backup = await aBackup();
  const seen: number[] = [];
  let total = 0;
  const onProgress = ({ doneBytes, totalBytes }: CompactProgress) => {
    seen.push(doneBytes);
    total = totalBytes;
  };
  await backup.compact(hourly, { onProgress });
  expect(seen.at(-1)).toBe(total);
  expect(seen).toEqual(seen.toSorted((a, b) => a - b));
});

/** What a compaction of another backup that is just the same makes of 14 to 19. */
async function mergedFiles() {
  const backup = await aBackup();
  await backup.compact(hourly);
  return [
    [14n, 16n],
    [17n, 19n],
  ].map(([min = 0n, max = 0n]) => {
    const key = backup.history.key(min, max);
    return { key, bytes: backup.storage.peek(key) };
  });
}
