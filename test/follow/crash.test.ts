import { execFileSync } from "node:child_process";
import type * as FileSystem from "node:fs";
import { cpSync, existsSync, readdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import Database from "better-sqlite3";
import { beforeEach, describe, expect, test, vi } from "vitest";
import { WalrustError } from "../../src/errors.ts";
import type * as DurableFile from "../../src/shadow/durable-file.ts";
import { expectReplica } from "../helpers/follow/expect-replica.ts";
import { aSource, type Following, following, type Source } from "../helpers/follow/source.ts";
import { tempFolder } from "../helpers/sqlite/temp-database.ts";

/** Called at every step that changes something on disk: what stands there then is what a crash would leave. */
const crash = vi.hoisted(() => ({ atStep: (_step: string) => {} }));

vi.mock("../../src/shadow/durable-file.ts", async (original) => {
  const real = await original<typeof DurableFile>();
  return {
    ...real,
    writeFully(fd: number, bytes: Uint8Array, position: number) {
      const half = bytes.length >> 1;
      real.writeFully(fd, bytes.subarray(0, half), position);
      crash.atStep("half a write");
      real.writeFully(fd, bytes.subarray(half), position + half);
      crash.atStep("write");
    },
    fsyncFolder(path: string) {
      crash.atStep("before fsync of the folder");
      real.fsyncFolder(path);
      crash.atStep("fsync of the folder");
    },
    async replaceFileDurably(path: string, bytes: Uint8Array) {
      crash.atStep("before the state");
      await real.replaceFileDurably(path, bytes);
      crash.atStep("state");
    },
  } satisfies typeof DurableFile;
});

vi.mock("node:fs", async (original) => {
  const real = await original<typeof FileSystem>();
  return {
    ...real,
    ftruncateSync(fd: number, length: number) {
      real.ftruncateSync(fd, length);
      crash.atStep("cut");
    },
  };
});

beforeEach(() => {
  crash.atStep = () => {};
});

/** What a crash at one moment leaves beside the replica. That it drops our locks does not matter: nobody else is there. */
function leftAt(path: string): string {
  const folder = tempFolder();
  cpSync(dirname(path), folder, { recursive: true });
  rmSync(join(folder, `.${basename(path)}-replica`, "lock.db"), { force: true }); // its owner is dead
  return join(folder, basename(path));
}

function isOneOf(path: string, images: readonly Uint8Array[]): number {
  const bytes = readFileSync(path);
  return images.findIndex((image) => {
    const [a, b] = [Buffer.from(bytes), Buffer.from(image)];
    for (const copy of [a, b])
      for (const [from, to] of [
        [18, 20],
        [24, 28],
        [92, 96],
      ])
        copy.fill(0, from, to);
    return a.equals(b);
  });
}

/** Lets any SQLite that may write look at it. */
const RECOVERIES = [
  [
    "better-sqlite3",
    (path: string) => {
      const db = new Database(path);
      expect(db.pragma("integrity_check", { simple: true })).toBe("ok");
      db.close();
    },
  ],
  [
    "Python",
    (path: string) => {
      const code =
        "import sqlite3, sys; print(sqlite3.connect(sys.argv[1]).execute('PRAGMA integrity_check').fetchone()[0])";
      expect(execFileSync("python3", ["-c", code, path]).toString()).toBe("ok\n");
    },
  ],
] as const;

/** Steps of one apply and what a crash at each of them leaves. */
async function crashesOf(replica: Following): Promise<readonly (readonly [step: string, path: string])[]> {
  const left: [string, string][] = [];
  crash.atStep = (step) => left.push([`${left.length}. ${step}`, leftAt(replica.path)]);
  await replica.follower.once();
  crash.atStep = () => {};
  replica.close();
  return left;
}

const APPLIES: readonly (readonly [name: string, work: (source: Source) => Promise<void>])[] = [
  ["an incremental", (source) => source.commit(3)],
  ["one that makes the database larger", (source) => source.commit(60)],
  [
    "one that makes it smaller",
    (source) => {
      source.exec("DELETE FROM a; VACUUM");
      return source.publish({ commits: 2 });
    },
  ],
  [
    "the whole database over the old one",
    async (source) => {
      await source.commit(60);
      await source.snapshot();
      source.storage.remove(source.history.key(2n, 2n));
    },
  ],
];

describe.each(APPLIES)("killed at any step of %s", (_, work) => {
  test("SQLite finds the state before or the one after, and so do we, who then go on without a copy", async () => {
    const source = await aSource();
    const replica = following(source.storage);
    await replica.follower.once();
    await work(source);
    const images = [source.history.image(1n), source.history.image()];
    const steps = await crashesOf(replica);
    expect(steps.length).toBeGreaterThan(8);
    const seen = new Set<number>();
    for (const [index, [step, path]] of steps.entries()) {
      const ours = leftAt(path);
      const [name, recover] = RECOVERIES[index % 4 === 1 ? 1 : 0];
      recover(path);
      const state = isOneOf(path, images);
      expect(state, `${step}, by ${name}`).toBeGreaterThanOrEqual(0);
      seen.add(state);
      const left = index % 2 === 0 ? path : ours;
      const next = following(source.storage, { path: left });
      await next.follower.once();
      expectReplica(left, images[1] ?? new Uint8Array());
      expect(next.types(), step).not.toContain("replica_diverged");
      next.close();
    }
    expect([...seen].sort()).toEqual([0, 1]);
  });
});

test("killed at any step of the first copy: there is none, or it is whole", async () => {
  const source = await aSource();
  const replica = following(source.storage);
  const steps = await crashesOf(replica);
  for (const [step, path] of steps) {
    if (existsSync(path)) expect(isOneOf(path, [source.history.image()]), step).toBe(0);
    const next = following(source.storage, { path });
    await next.follower.once();
    expectReplica(path, source.history.image());
    next.close();
    expect(readdirSync(join(dirname(path), `.${basename(path)}-replica`)), step).toEqual(["lock.db"]);
  }
});

describe("an apply that fails", () => {
  test("at any write: the replica is what it was, and goes on", async () => {
    const source = await aSource();
    const replica = following(source.storage);
    await replica.follower.once();
    for (let failing = 0, failed = true; failed; failing++) {
      await source.commit(3);
      const before = source.history.head - 1n;
      let step = 0;
      failed = false;
      crash.atStep = () => {
        if (step++ !== failing) return;
        failed = true;
        throw new WalrustError("LOCAL_DISK_FULL", "no space left");
      };
      const error = await replica.follower.once().catch((thrown: unknown) => thrown);
      crash.atStep = () => {};
      if (failed) {
        expect(error, `step ${failing}`).toMatchObject({ code: "LOCAL_DISK_FULL" });
        const left = leftAt(replica.path);
        expect(isOneOf(left, [source.history.image(before), source.history.image()])).toBeGreaterThanOrEqual(
          0,
        );
      }
      await replica.follower.once();
      expectReplica(replica.path, source.history.image());
    }
    expect(replica.types()).not.toContain("replica_diverged");
  });
});

test("a state of another time than the file: found out, and copied anew", async () => {
  const source = await aSource();
  const replica = following(source.storage);
  await replica.follower.once();
  const state = `${replica.path}-replica-state`;
  execFileSync("cp", [state, `${state}.old`]);
  await source.commit();
  await replica.follower.once();
  replica.close();
  renameSync(`${state}.old`, state);
  const next = following(source.storage, { path: replica.path });
  await expect(next.follower.once()).rejects.toMatchObject({ code: "INTEGRITY_CHECKSUM" });
  expectReplica(replica.path, source.history.image());
});
