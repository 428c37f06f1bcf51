import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { decodeHeader } from "../../src/ltx/header.ts";
import { listDatabases, listRestorePoints } from "../../src/restore/list.ts";
import { prepareRestore } from "../../src/restore/prepare.ts";
import { restore } from "../../src/restore/restore.ts";
import { verify } from "../../src/restore/verify.ts";
import { CorePool } from "../../src/wasm/core-pool.ts";
import { MemoryStorage } from "../helpers/memory-storage.ts";
import {
  NEWEST_TXID,
  RESTORED_BY_LITESTREAM,
  replicaKey,
  storageWithReplica,
} from "../helpers/restore/litestream-replica.ts";
import { tempFolder } from "../helpers/sqlite/temp-database.ts";

const cores = new CorePool();

async function restored(storage: MemoryStorage, target: Parameters<typeof restore>[3]) {
  const path = join(tempFolder(), "restored.db");
  const result = await restore({ storage, cores }, "app", path, { integrityCheck: "full", ...target });
  return { result, sha256: createHash("sha256").update(readFileSync(path)).digest("hex") };
}

describe.each(["folder", "bucket"] as const)("a replica that Litestream wrote to a %s", (where) => {
  test("every TXID that it can restore itself is restored to the same bytes, and no other", async () => {
    const storage = storageWithReplica(where);
    const { points } = await listRestorePoints(storage, "app");
    expect(points.map(({ txid }) => txid)).toEqual([...RESTORED_BY_LITESTREAM.keys()]);
    for (const [txid, sha256] of RESTORED_BY_LITESTREAM) {
      expect(await restored(storage, { target: { kind: "txid", txid } }), `TXID ${txid}`).toMatchObject({
        sha256,
      });
    }
  });

  test("the latest state, and what was not proved of it", async () => {
    const { result, sha256 } = await restored(storageWithReplica(where), {});
    expect(sha256).toBe(RESTORED_BY_LITESTREAM.get(NEWEST_TXID));
    expect(result.point.txid).toBe(NEWEST_TXID);
    expect(result.manifest).toBe("none");
    expect(result.unprovenFiles).toBe(result.files);
    expect(result.filesWithoutBodyChecksum).toBe(result.files);
  });

  test("a time is that of the headers", async () => {
    const storage = storageWithReplica(where);
    const key = replicaKey(where, "app", 0, `${NEWEST_TXID - 1n}-${NEWEST_TXID - 1n}`);
    const { timestampMs } = decodeHeader(storage.peek(key));
    for (const aheadMs of [0, 1]) {
      const { sha256 } = await restored(storage, {
        target: { kind: "time", timestampMs: timestampMs + aheadMs },
      });
      expect(sha256).toBe(RESTORED_BY_LITESTREAM.get(NEWEST_TXID - 1n));
    }
  });

  test("merged files are preferred to single ones", async () => {
    const { plan } = await prepareRestore(storageWithReplica(where), "app", { kind: "latest" });
    const levels = plan.files.map(({ level }) => level);
    expect(levels[0]).toBe(9);
    expect(levels).toContain(1);
    expect(plan.files.length).toBeLessThan(8);
  });

  test("verify reads all of it and finds nothing: what was pruned is in other levels, or behind the oldest snapshot", async () => {
    const storage = storageWithReplica(where);
    const report = await verify({ storage, cores }, "app");
    expect(report.findings).toEqual([]);
    expect(report.manifest).toBe("none");
    expect(report.restorableTxids).toEqual([...RESTORED_BY_LITESTREAM.keys()]);
  });

  test("a file that was damaged is gone around where another level has the same", async () => {
    const storage = storageWithReplica(where);
    const key = replicaKey(where, "app", 1, "53-59");
    const bytes = Buffer.from(storage.peek(key));
    bytes[300] = (bytes[300] ?? 0) ^ 1;
    storage.poke(key, bytes);
    const { result, sha256 } = await restored(storage, {});
    expect(sha256).toBe(RESTORED_BY_LITESTREAM.get(NEWEST_TXID));
    expect(result.damaged).toEqual([key]);
    const { findings } = await verify({ storage, cores }, "app");
    expect(findings).toMatchObject([{ kind: "damaged", object: key, lostTxids: [] }]);
  });

  test("single files may go once another level has them", async () => {
    const storage = storageWithReplica(where);
    for (const range of ["53-53", "54-54"]) storage.remove(replicaKey(where, "app", 0, range));
    const { findings, restorableTxids } = await verify({ storage, cores }, "app");
    expect(findings).toEqual([]);
    expect(restorableTxids).toEqual([33n, 39n, 46n, 52n, 59n, 60n, 61n, 62n]);
    expect(await restored(storage, {})).toMatchObject({ sha256: RESTORED_BY_LITESTREAM.get(NEWEST_TXID) });
  });

  test("TXIDs that are in no level any more are a hole", async () => {
    const storage = storageWithReplica(where);
    storage.remove(replicaKey(where, "app", 0, "60-60"));
    const { findings } = await verify({ storage, cores }, "app");
    expect(findings).toMatchObject([
      { kind: "hole", object: replicaKey(where, "app", 0, "61-61"), lostTxids: [60n, 61n, 62n] },
    ]);
    await expect(restored(storage, {})).rejects.toMatchObject({ code: "INTEGRITY_MISSING" });
  });

  test("it is listed, beside ours", async () => {
    const storage = storageWithReplica(where, "tenants/app");
    storage.poke("other/00000001-00000001.ltx", Buffer.alloc(10));
    expect(await listDatabases(storage)).toMatchObject([
      { name: "other", layout: "walrust", txid: 1n },
      { name: "tenants/app", layout: "litestream", txid: NEWEST_TXID, snapshotTxid: 52n, files: 23 },
    ]);
  });
});

test("where both layouts lie under one name, ours counts", async () => {
  const storage = storageWithReplica("bucket");
  storage.poke("app/00000001-00000003.ltx", Buffer.alloc(10));
  expect(await listDatabases(storage)).toMatchObject([
    { name: "app", layout: "walrust", txid: 3n, files: 1 },
  ]);
});

test("what Litestream 0.3 wrote is named, not taken for nothing", async () => {
  const storage = new MemoryStorage();
  storage.poke("app/generations/0123456789abcdef/snapshots/00000000.snapshot.lz4", Buffer.alloc(10));
  await expect(restored(storage, {})).rejects.toMatchObject({
    code: "RESTORE_NOTHING",
    message: expect.stringContaining("Litestream 0.3"),
    hint: expect.stringContaining("litestream restore"),
  });
  await expect(verify({ storage, cores }, "app")).rejects.toMatchObject({ code: "RESTORE_NOTHING" });
});
