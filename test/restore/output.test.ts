import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { afterEach, describe, expect, test, vi } from "vitest";
import { restore } from "../../src/restore/restore.ts";
import { CorePool } from "../../src/wasm/core-pool.ts";
import { MemoryStorage } from "../helpers/memory-storage.ts";
import { History } from "../helpers/restore/history.ts";
import { ImageMaker } from "../helpers/restore/images.ts";
import { tempFolder } from "../helpers/sqlite/temp-database.ts";

/** Every call that changes the disk passes here; the one whose turn it is fails. */
const disk = vi.hoisted(() => ({ failAt: -1, calls: [] as string[], errno: "ENOSPC" }));

vi.mock("node:fs", async (importOriginal) => {
  const real = await importOriginal<typeof import("node:fs")>();
  const failing = (name: string) => {
    const turn = disk.calls.push(name) - 1;
    return turn === disk.failAt
      ? Object.assign(new Error(`${disk.errno}: ${name}`), { code: disk.errno })
      : undefined;
  };
  const sync =
    <A extends unknown[], R>(name: string, call: (...args: A) => R) =>
    (...args: A): R => {
      const error = failing(name);
      if (error) throw error;
      return call(...args);
    };
  return {
    ...real,
    openSync: sync("open", real.openSync),
    writeSync: sync("write", real.writeSync as (...args: unknown[]) => number),
    ftruncateSync: sync("ftruncate", real.ftruncateSync),
    fsyncSync: sync("fsync", real.fsyncSync),
    chmodSync: sync("chmod", real.chmodSync),
    mkdtempSync: sync("mkdtemp", real.mkdtempSync as (...args: unknown[]) => string),
    linkSync: sync("link", real.linkSync),
    renameSync: sync("rename", real.renameSync),
    fsync: (fd: number, done: (error: Error | null) => void) => {
      const error = failing("fsync");
      if (error) queueMicrotask(() => done(error));
      else real.fsync(fd, done);
    },
  };
});

const cores = new CorePool();

afterEach(() => {
  disk.failAt = -1;
  disk.calls.length = 0;
});

async function backup(): Promise<{ storage: MemoryStorage; history: History }> {
  const storage = new MemoryStorage();
  const history = new History(storage);
  const maker = new ImageMaker(512);
  await history.snapshot(maker.next(8));
  await history.publish(maker.next(600, history.image()));
  await history.publish(maker.next(5, history.image()));
  return { storage, history };
}

describe.each([
  ["ENOSPC", "LOCAL_DISK_FULL", 1],
  ["EDQUOT", "LOCAL_DISK_FULL", 1],
  ["EIO", "LOCAL_IO", 1],
] as const)("%s at any step", (errno, code, exitCode) => {
  const options = { integrityCheck: "none", force: true } as const;

  test.each([
    ["a new output", {}],
    ["an output that is replaced", { "out.db": "old" }],
    ["an output with a log", { "out.db": "old", "out.db-journal": "journal", "out.db-wal": "log" }],
  ])("%s: all or nothing", async (_what, before) => {
    const { storage, history } = await backup();
    let failed = 0;
    for (let failAt = 0; ; failAt++) {
      const out = join(tempFolder(), "out.db");
      for (const [file, text] of Object.entries(before)) writeFileSync(join(dirname(out), file), text);
      Object.assign(disk, { failAt, errno });
      disk.calls.length = 0;
      const error = await restore({ storage, cores }, "app", out, options).then(
        () => undefined,
        (thrown: unknown) => thrown,
      );
      disk.failAt = -1;
      const step = `${failAt}: ${disk.calls[failAt]}`;
      if (disk.calls.length <= failAt) break;
      failed += 1;
      const files = readdirSync(dirname(out));
      if (error === undefined) {
        expect(disk.calls[failAt], step).toBe("link");
        expect(files, step).toEqual(["out.db"]);
        expect(readFileSync(out).equals(history.image()), step).toBe(true);
        continue;
      }
      expect(error, step).toMatchObject({ code, exitCode });
      const placed = disk.calls.findLastIndex((call) => call === "rename" || call === "link");
      if (failAt > placed && placed >= 0) {
        // The new file stands already, and only its name may not be durable yet.
        expect(readFileSync(out).equals(history.image()), step).toBe(true);
        continue;
      }
      expect(files, step).toEqual(Object.keys(before));
      for (const [file, text] of Object.entries(before)) {
        expect(readFileSync(join(dirname(out), file), "utf8"), step).toBe(text);
      }
    }
    expect(failed).toBeGreaterThan(8);
  });
});

test("where hard links are not to be had, a new output still comes whole", async () => {
  const { storage, history } = await backup();
  const folder = tempFolder();
  mkdirSync(join(folder, "a"));
  const out = join(folder, "a", "out.db");
  disk.calls.length = 0;
  await restore({ storage, cores }, "app", join(folder, "first.db"), { integrityCheck: "none" });
  Object.assign(disk, { failAt: disk.calls.indexOf("link"), errno: "EPERM" });
  disk.calls.length = 0;
  await restore({ storage, cores }, "app", out, { integrityCheck: "none" });
  expect(disk.calls).toContain("rename");
  expect(readFileSync(out).equals(history.image())).toBe(true);
  expect(readdirSync(dirname(out))).toEqual(["out.db"]);
});
