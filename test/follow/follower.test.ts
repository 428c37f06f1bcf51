import { chmodSync, copyFileSync, existsSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import Database from "better-sqlite3";
import { describe, expect, test } from "vitest";
import { WalrustError } from "../../src/errors.ts";
import { counterIn, expectReplica } from "../helpers/follow/expect-replica.ts";
import { aSource, type Following, following, type Source } from "../helpers/follow/source.ts";
import { MemoryStorage } from "../helpers/memory-storage.ts";
import { History } from "../helpers/restore/history.ts";
import { tempFolder } from "../helpers/sqlite/temp-database.ts";

async function failureOf(work: Promise<unknown>): Promise<WalrustError> {
  const error = await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(WalrustError);
  return error as WalrustError;
}

/** A source with a replica that has its first state. */
async function copied(
  options: Parameters<typeof aSource>[0] = {},
): Promise<{ source: Source; replica: Following }> {
  const source = await aSource(options);
  const replica = following(source.storage);
  await replica.follower.once();
  return { source, replica };
}

/** Another process of the same file, after the first one ended. */
function again({ path, close }: Following, storage: MemoryStorage): Following {
  close();
  return following(storage, { path });
}

const operations = (storage: MemoryStorage) =>
  storage.calls.map(({ operation, key }) => `${operation} ${key}`);

/** What somebody with the right to do so writes into the replica. */
function writeLocally(path: string, sql = "INSERT INTO a(v) VALUES ('intruder')"): void {
  const db = new Database(path);
  db.exec(sql);
  db.close();
}

describe("bootstrap", () => {
  test.each([512, 4096, 65536])("a copy of the source at its head, page size %d", async (pageSize) => {
    const source = await aSource({ pageSize });
    await source.commit(30);
    const replica = following(source.storage);
    await replica.follower.once();
    expectReplica(replica.path, source.history.image());
    expect(replica.events).toEqual([
      {
        ...{
          database: "app",
          type: "replica_applied",
          path: replica.path,
          txid: 2n,
          how: "bootstrap",
          files: 2,
        },
        lagMs: 1_000_000 - 2000,
      },
    ]);
    expect(replica.follower.status).toEqual({
      ...{
        path: replica.path,
        txid: 2n,
        headTxid: 2n,
        timestampMs: 2000,
        lagMs: 998_000,
        lastError: undefined,
      },
    });
  });

  test("a file that is no replica is refused, and nothing is made beside it", async () => {
    const source = await aSource();
    const path = join(tempFolder(), "precious.db");
    writeFileSync(path, "precious");
    expect(() => following(source.storage, { path })).toThrow(
      expect.objectContaining({ code: "OUTPUT_EXISTS", exitCode: 2 }),
    );
    expect(readFileSync(path, "utf8")).toBe("precious");
    expect(existsSync(join(path, "..", ".precious.db-replica"))).toBe(false);
  });

  test("a file that comes while the first copy is made is not replaced, then or later", async () => {
    const source = await aSource();
    const replica = following(source.storage);
    source.storage.fault = ({ operation, key }) => {
      if (operation === "read" && key.endsWith(".ltx")) writeFileSync(replica.path, "precious");
      return undefined;
    };
    expect(await failureOf(replica.follower.once())).toMatchObject({ code: "OUTPUT_EXISTS" });
    source.storage.fault = () => undefined;
    expect(await failureOf(again(replica, source.storage).follower.once())).toMatchObject({
      code: "OUTPUT_EXISTS",
    });
    expect(readFileSync(replica.path, "utf8")).toBe("precious");
  });

  test("a file follows one source alone", async () => {
    const { source, replica } = await copied();
    replica.close();
    expect(() => following(source.storage, { path: replica.path, name: "other" })).toThrow(
      expect.objectContaining({
        code: "USAGE",
        message: expect.stringContaining("/app, not memory://test/other"),
      }),
    );
  });

  test("one process at a time", async () => {
    const { source, replica } = await copied();
    expect(() => following(source.storage, { path: replica.path })).toThrow(
      expect.objectContaining({ code: "DATABASE_IN_USE" }),
    );
  });

  test("a state that cannot be read is no reason to overwrite anything", async () => {
    const { source, replica } = await copied();
    replica.close();
    writeFileSync(`${replica.path}-replica-state`, "{}\n");
    expect(() => following(source.storage, { path: replica.path })).toThrow(
      expect.objectContaining({ code: "OUTPUT_EXISTS", hint: expect.stringContaining("Remove both") }),
    );
  });
});

describe("following", () => {
  test.each([512, 4096, 65536])(
    "growth, VACUUM, new tables, batches of several files, page size %d",
    async (pageSize) => {
      const { source, replica } = await copied({ pageSize });
      const steps: (() => Promise<void>)[] = [
        () => source.commit(),
        async () => {
          await source.commit(50);
          await source.commit(1);
          await source.commit(80);
        },
        () => {
          source.exec("DELETE FROM a WHERE id % 3 = 0; VACUUM");
          return source.publish({ commits: 2 });
        },
        async () => {
          await source.commit(200);
          source.exec("DELETE FROM a; DELETE FROM b; VACUUM");
          await source.publish({ commits: 2 });
          await source.commit(60);
        },
        () => {
          source.exec("CREATE TABLE c(x); CREATE INDEX ci ON c(x)");
          return source.publish({ commits: 2, isRepair: true });
        },
      ];
      for (const step of steps) {
        const before = counterIn(replica.path);
        await step();
        await replica.follower.once();
        expectReplica(replica.path, source.history.image());
        expect(counterIn(replica.path), "readers must notice").not.toBe(before);
      }
      expect(replica.types()).toEqual(new Array(6).fill("replica_applied"));
      expect(replica.events.slice(1).every((event) => "how" in event && event.how === "incremental")).toBe(
        true,
      );
    },
  );

  test("an incremental without page 1 is seen by open connections", async () => {
    const { source, replica } = await copied();
    const reader = new Database(replica.path, { readonly: true });
    const count = () => reader.prepare("SELECT count(*) FROM a").pluck().get();
    expect(count()).toBe(20);
    source.exec("UPDATE a SET v = 'changed' WHERE id = 3"); // in place: page 1 stays as it is
    await source.publish();
    await source.commit(3);
    await replica.follower.once();
    expect(count()).toBe(23);
    expect(reader.prepare("SELECT v FROM a WHERE id = 3").pluck().get()).toBe("changed");
    reader.close();
  });

  test("a look that finds nothing new is one list, and changes nothing", async () => {
    const { source, replica } = await copied();
    await replica.follower.once();
    const before = statSync(replica.path);
    source.storage.calls.length = 0;
    await replica.follower.once();
    await replica.follower.once();
    expect(operations(source.storage)).toEqual(["list app/", "list app/"]);
    expect(statSync(replica.path)).toMatchObject({ mtimeMs: before.mtimeMs, ino: before.ino });
    expect(replica.types()).toEqual(["replica_applied"]);
  });

  test("what is new costs one list and the new files", async () => {
    const { source, replica } = await copied();
    source.storage.calls.length = 0;
    await source.commit();
    await source.commit();
    await replica.follower.once();
    const [, second, third] = source.history.files;
    const keys = [second, third].map((file) => file && source.history.key(file.minTxid, file.maxTxid));
    // The list may be looked at for files that end where the replica was: there is one, and it is asked once.
    expect(operations(source.storage).filter((call) => !call.includes("00000001-00000001"))).toEqual([
      "list app/",
      ...keys.map((key) => `read ${key}`),
    ]);
  });

  test("stops and goes on where it was, without a copy", async () => {
    const { source, replica } = await copied();
    await source.commit();
    await replica.follower.once();
    await source.commit(40);
    source.storage.calls.length = 0;
    const next = again(replica, source.storage);
    await next.follower.once();
    expectReplica(next.path, source.history.image());
    expect(next.events).toMatchObject([{ type: "replica_applied", how: "incremental", files: 1 }]);
    expect(operations(source.storage).filter((call) => call.includes("/00000001-"))).toEqual([]);
  });

  test("of files without checksums: they are applied, and that nothing is proved is said once", async () => {
    const { source, replica } = await copied({ noChecksum: true });
    await source.commit();
    await replica.follower.once();
    await source.commit(40);
    await replica.follower.once();
    expectReplica(replica.path, source.history.image());
    expect(replica.warnings).toEqual([expect.stringContaining("without database checksums")]);
    const next = again(replica, source.storage);
    await next.follower.once();
    expect(next.types()).toEqual([]);
  });

  test("a database that is emptied, and filled again", async () => {
    const image = (await aSource({ pageSize: 512 })).history.image();
    const storage = new MemoryStorage();
    const history = new History(storage);
    await history.snapshot(image);
    const replica = following(storage);
    await replica.follower.once();
    await history.publish(new Uint8Array());
    await replica.follower.once();
    expectReplica(replica.path, new Uint8Array());
    await history.publish(image);
    await replica.follower.once();
    expectReplica(replica.path, image);
    expect(replica.events).toMatchObject([
      { how: "bootstrap" },
      { how: "incremental" },
      { how: "bootstrap" },
    ]);
  });
});

describe("gaps (pitfall 45)", () => {
  test("pruned behind it: the whole database, in place, seen by open connections", async () => {
    const { source, replica } = await copied();
    const reader = new Database(replica.path, { readonly: true });
    const { ino } = statSync(replica.path);
    const early = source.storage.keys();
    for (let i = 0; i < 5; i++) await source.commit(10);
    await source.snapshot();
    for (const key of source.storage
      .keys()
      .filter((name) => !early.includes(name) && !name.includes("/00000001-"))) {
      source.storage.remove(key);
    }
    for (const key of early) source.storage.remove(key);
    await replica.follower.once();
    expect(reader.prepare("SELECT count(*) FROM a").pluck().get()).toBe(70);
    reader.close();
    expect(statSync(replica.path).ino).toBe(ino);
    expectReplica(replica.path, source.history.image());
    expect(replica.events.at(-1)).toMatchObject({ type: "replica_applied", how: "bootstrap", txid: 7n });
    expect(replica.types()).not.toContain("replica_diverged");
  });

  test("merged over its position", async () => {
    const { source, replica } = await copied();
    await source.commit();
    await replica.follower.once();
    await source.commit();
    await source.history.merge(2n, 3n);
    for (const txid of [2n, 3n]) source.storage.remove(source.history.key(txid, txid));
    await replica.follower.once();
    expectReplica(replica.path, source.history.image());
  });

  test("pruned between the list and the read", async () => {
    const { source, replica } = await copied();
    await source.commit();
    await source.commit();
    source.storage.fault = ({ operation, key }) => {
      if (operation !== "read" || !key.endsWith("/00000002-00000002.ltx")) return undefined;
      source.storage.remove(key);
      source.storage.fault = () => undefined;
      return undefined;
    };
    await source.snapshot();
    await replica.follower.once();
    expectReplica(replica.path, source.history.image());
  });

  test("a damaged incremental is gone around by a newer snapshot, and is an error without one", async () => {
    const { source, replica } = await copied();
    await source.commit();
    const key = source.history.key(2n, 2n);
    const bytes = source.storage.peek(key);
    bytes[bytes.length - 40] = (bytes[bytes.length - 40] ?? 0) ^ 1;
    source.storage.poke(key, bytes);
    const image = readFileSync(replica.path);
    expect(await failureOf(replica.follower.once())).toMatchObject({ exitCode: 5 });
    expect(readFileSync(replica.path).equals(image), "nothing was touched").toBe(true);
    await source.snapshot();
    await replica.follower.once();
    expectReplica(replica.path, source.history.image());
    expect(replica.types()).not.toContain("replica_diverged");
  });

  test("another page size: a new file, and that is said", async () => {
    const { source, replica } = await copied();
    source.exec("PRAGMA journal_mode=DELETE; PRAGMA page_size=1024; VACUUM; PRAGMA journal_mode=WAL");
    const other = new History(source.storage, { pageSizeBytes: 1024 });
    await other.snapshot(source.image(), { commits: 2 });
    await replica.follower.once();
    expectReplica(replica.path, other.image());
    expect(replica.warnings).toEqual([expect.stringContaining("is a new file")]);
    await again(replica, source.storage).follower.once();
  });
});

describe("a source that was reset", () => {
  /** Another database under the same name, at this TXID. */
  async function begunAnew(storage: MemoryStorage, txid: number): Promise<Source> {
    for (const key of storage.keys()) storage.remove(key);
    const other = await aSource({ storage });
    for (let i = 1; i < txid; i++) await other.commit(5);
    return other;
  }

  test("behind the replica: an error, and the replica stays", async () => {
    const { source, replica } = await copied();
    await source.commit();
    await source.commit();
    await replica.follower.once();
    const image = source.history.image();
    await begunAnew(source.storage, 2);
    expect(await failureOf(replica.follower.once())).toMatchObject({
      code: "INTEGRITY_CHAIN",
      exitCode: 5,
      message: expect.stringContaining("ends at TXID 2, behind the replica at 3"),
    });
    expectReplica(replica.path, image);
    expect((await failureOf(again(replica, source.storage).follower.once())).message).toContain("behind");
    expectReplica(replica.path, image);
  });

  test.each([
    ["at the replica's TXID", 3],
    ["beyond it", 5],
  ])("%s: diverged, copied anew, exit 5", async (_, txid) => {
    const { source, replica } = await copied();
    await source.commit();
    await source.commit();
    await replica.follower.once();
    const other = await begunAnew(source.storage, txid);
    expect(await failureOf(replica.follower.once())).toMatchObject({ code: "INTEGRITY_CHAIN", exitCode: 5 });
    expectReplica(replica.path, other.history.image());
    expect(replica.types().slice(-2)).toEqual(["replica_diverged", "replica_applied"]);
    await replica.follower.once();
    await other.commit();
    await replica.follower.once();
    expectReplica(replica.path, other.history.image());
  });

  test("incrementals of another database that fit by number (pitfall 54)", async () => {
    const { source, replica } = await copied();
    const other = await aSource();
    await other.commit(7);
    source.storage.poke("app/00000002-00000002.ltx", other.storage.peek("app/00000002-00000002.ltx"));
    const before = readFileSync(replica.path);
    expect(await failureOf(replica.follower.once())).toMatchObject({ exitCode: 5 });
    expect(readFileSync(replica.path).equals(before)).toBe(true);
  });

  test("gone altogether", async () => {
    const { source, replica } = await copied();
    for (const key of source.storage.keys()) source.storage.remove(key);
    expect(await failureOf(replica.follower.once())).toMatchObject({ exitCode: 5 });
    expectReplica(replica.path, source.history.image());
  });
});

describe("a local write", () => {
  const INTRUSIONS: readonly (readonly [what: string, intrude: (path: string) => void])[] = [
    ["a row", writeLocally],
    ["a table", (path) => writeLocally(path, "CREATE TABLE intruder(x)")],
    ["VACUUM", (path) => writeLocally(path, "DELETE FROM a; VACUUM")],
    ["WAL mode", (path) => writeLocally(path, "PRAGMA journal_mode=WAL; INSERT INTO a(v) VALUES (1)")],
    ["another page size", (path) => writeLocally(path, "PRAGMA page_size=1024; VACUUM")],
    ["bytes of page 1", (path) => overwrite(path, 60, [1, 2, 3, 4])],
    ["no database any more", (path) => overwrite(path, 0, new Array(4096).fill(7))],
    ["half a page more", (path) => overwrite(path, statSync(path).size, [1, 2, 3])],
    ["cut", (path) => writeFileSync(path, readFileSync(path).subarray(0, 4096))],
    ["removed", (path) => rmSync(path)],
    [
      "replaced by another file",
      (path) => {
        copyFileSync(path, `${path}.copy`);
        rmSync(path);
        copyFileSync(`${path}.copy`, path);
        rmSync(`${path}.copy`);
        writeLocally(path);
      },
    ],
  ];

  function overwrite(path: string, at: number, bytes: readonly number[]): void {
    const all = readFileSync(path);
    const grown = Buffer.alloc(Math.max(all.length, at + bytes.length));
    all.copy(grown);
    grown.set(bytes, at);
    writeFileSync(path, grown);
  }

  test.each(INTRUSIONS)("%s: told, undone, exit 5, though the source is idle", async (_, intrude) => {
    const { source, replica } = await copied();
    intrude(replica.path);
    const error = await failureOf(replica.follower.once());
    expect(error).toMatchObject({ code: "INTEGRITY_CHECKSUM", exitCode: 5 });
    expect(replica.types()).toEqual(["replica_applied", "replica_diverged", "replica_applied"]);
    expectReplica(replica.path, source.history.image());
    await replica.follower.once();
    expect(replica.types()).toHaveLength(3);
  });

  test.each(INTRUSIONS)("%s while nobody followed", async (what, intrude) => {
    const { source, replica } = await copied();
    await source.commit(3);
    replica.close();
    intrude(replica.path);
    const next = following(source.storage, { path: replica.path });
    if (what === "removed") await next.follower.once();
    else
      expect(await failureOf(next.follower.once())).toMatchObject({
        code: "INTEGRITY_CHECKSUM",
        exitCode: 5,
      });
    expectReplica(replica.path, source.history.image());
  });

  test("into a page that the next batch changes, past SQLite: the batch is not applied over it", async () => {
    const { source, replica } = await copied();
    await source.commit();
    const changed = changedPages(readFileSync(replica.path), source.history.image());
    overwrite(replica.path, (changed.at(-1) ?? 0) * 4096 + 100, [0xde, 0xad]);
    expect(await failureOf(replica.follower.once())).toMatchObject({ code: "INTEGRITY_CHECKSUM" });
    expectReplica(replica.path, source.history.image());
    expect(replica.events.at(-1)).toMatchObject({ how: "bootstrap" });
  });

  /** Indexes of pages but the first. */
  function changedPages(before: Uint8Array, after: Uint8Array): number[] {
    const pages = Array.from({ length: Math.min(before.length, after.length) / 4096 }, (_, i) => i).slice(1);
    const page = (bytes: Uint8Array, i: number) => Buffer.from(bytes.subarray(i * 4096, (i + 1) * 4096));
    return pages.filter((i) => !page(before, i).equals(page(after, i)));
  }

  test("the right to write is taken away again", async () => {
    const { source, replica } = await copied();
    chmodSync(replica.path, 0o666);
    await replica.follower.once();
    expectReplica(replica.path, source.history.image());
  });

  test("while storage is away: told once, undone when it is back", async () => {
    const { source, replica } = await copied();
    writeLocally(replica.path);
    const error = new WalrustError("STORAGE_NETWORK", "no route");
    source.storage.fault = () => ({ kind: "before", error });
    expect(await failureOf(replica.follower.once())).toBe(error);
    expect(await failureOf(replica.follower.once())).toBe(error);
    expect(replica.types()).toEqual(["replica_applied", "replica_diverged"]);
    source.storage.fault = () => undefined;
    await failureOf(replica.follower.once());
    expectReplica(replica.path, source.history.image());
  });
});

describe("follow", () => {
  test("looks every interval until it is stopped", async () => {
    const source = await aSource();
    const replica = following(source.storage, { intervalMs: 5000 });
    const running = replica.follower.follow();
    await replica.clock.advanceUntil(() => replica.events.length === 1, 1000);
    source.storage.calls.length = 0;
    await replica.clock.advance(50_000);
    expect(operations(source.storage).filter((call) => call === "list app/")).toHaveLength(10);
    await source.commit();
    await replica.clock.advance(5000);
    expectReplica(replica.path, source.history.image());
    replica.stop.abort();
    await running;
  });

  test("storage that fails is told once, asked more often than the interval, and its return is told", async () => {
    const { source, replica } = await copied();
    const running = replica.follower.follow();
    await replica.clock.advance(5000);
    const error = new WalrustError("STORAGE_NETWORK", "no route");
    source.storage.fault = () => ({ kind: "before", error });
    await replica.clock.advance(60_000);
    expect(replica.events.slice(1)).toEqual([{ database: "app", type: "sync_failed", error, attempts: 1 }]);
    expect(replica.follower.status.lastError).toBe(error);
    source.storage.fault = () => undefined;
    await source.commit();
    await replica.clock.advance(5000);
    expect(replica.types().slice(1)).toEqual(["sync_failed", "replica_applied", "recovered"]);
    expect(replica.follower.status.lastError).toBeUndefined();
    replica.stop.abort();
    await running;
  });

  test("a local write and a source behind do not end it", async () => {
    const { source, replica } = await copied();
    const running = replica.follower.follow();
    writeLocally(replica.path);
    await replica.clock.advance(5000);
    expectReplica(replica.path, source.history.image());
    for (const key of source.storage.keys()) source.storage.remove(key);
    await replica.clock.advance(60_000);
    expect(replica.types().filter((type) => type === "sync_failed")).toHaveLength(1);
    replica.stop.abort();
    await running;
  });

  test("a name that nothing is published under ends it, as long as there is no copy", async () => {
    const replica = following(new MemoryStorage());
    expect(await failureOf(replica.follower.follow())).toMatchObject({
      code: "RESTORE_NOTHING",
      exitCode: 6,
    });
  });
});
