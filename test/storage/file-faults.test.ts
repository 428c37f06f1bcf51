import type { FileHandle } from "node:fs/promises";
import * as real from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { ErrorCode } from "../../src/errors.ts";
import { openStorage } from "../../src/storage/open.ts";
import type { Storage } from "../../src/storage/storage.ts";
import { bytesOf, keysOf, refusal, type SkippingClock, settingsFor, skippingClock } from "./support.ts";

/** Every file operation of the storage goes through here: its name is noted, and one of them can be made to fail. */
const disk = vi.hoisted(() => ({
  log: [] as string[],
  fail: undefined as
    | { readonly at: number; readonly errno: string }
    | { readonly name: string; readonly errno: string }
    | undefined,
  step(name: string) {
    const { fail, log } = disk;
    log.push(name);
    if (fail === undefined) return;
    if ("at" in fail ? log.length - 1 === fail.at : fail.name === name) {
      throw Object.assign(new Error(`${fail.errno}: told to`), { code: fail.errno });
    }
  },
}));

vi.mock("node:fs/promises", async (importOriginal) => {
  const original = await importOriginal<typeof real>();
  const noted = <A extends unknown[], R>(name: string, call: (...args: A) => Promise<R>) => {
    return async (...args: A) => {
      disk.step(name);
      return call(...args);
    };
  };
  const open = async (...args: Parameters<typeof original.open>) => {
    disk.step("open");
    const handle: FileHandle = await original.open(...args);
    handle.sync = noted("sync", handle.sync.bind(handle));
    handle.utimes = noted("utimes", handle.utimes.bind(handle));
    handle.read = noted("read", handle.read.bind(handle) as never) as never;
    handle.write = noted("write", handle.write.bind(handle) as never) as never;
    return handle;
  };
  const { link, rename, unlink, mkdir } = original;
  return {
    ...original,
    open,
    link: noted("link", link),
    rename: noted("rename", rename),
    unlink: noted("unlink", unlink),
    mkdir: noted("mkdir", mkdir as never),
  };
});

let root: string;
let storage: Storage;
let clock: SkippingClock;
beforeEach(async () => {
  root = await real.mkdtemp(join(tmpdir(), "walrust-faults-"));
  clock = skippingClock();
  storage = await openStorage(settingsFor(pathToFileURL(root).href), { clock });
  disk.log.length = 0;
  disk.fail = undefined;
});
afterEach(async () => {
  disk.fail = undefined;
  await real.rm(root, { recursive: true });
});

const filesLeft = async () =>
  (await real.readdir(root, { recursive: true })).filter((name) => name !== "db").sort();

const WRITES: Record<string, () => Promise<unknown>> = {
  put: () => storage.put("db/a", bytesOf(1000, 1)),
  "put if absent": () =>
    storage.put("db/a", bytesOf(1000, 1), { condition: { kind: "absent" }, timestampMs: 1 }),
  upload: async () => {
    const upload = storage.upload("db/a", { headSizeBytes: 10, expectedSizeBytes: 1, timestampMs: 1 });
    try {
      await upload.write(bytesOf(2_500_000, 1));
      await upload.complete(bytesOf(10, 1));
    } finally {
      await upload.abort();
    }
  },
};

describe.each(Object.entries(WRITES))("%s", (_name, write) => {
  it.each<[string, ErrorCode]>([
    ["ENOSPC", "STORAGE_FULL"],
    ["EDQUOT", "STORAGE_FULL"],
    ["EACCES", "STORAGE_AUTH"],
    ["EROFS", "STORAGE_AUTH"],
    ["EIO", "STORAGE_UNAVAILABLE"],
    ["EMFILE", "STORAGE_UNAVAILABLE"],
  ])(
    "that meets %s at any step says so, leaves nothing partial, and can be tried again",
    async (errno, code) => {
      await write();
      const steps = [...disk.log];
      expect(steps).toContain("sync");
      for (const [at, step] of steps.entries()) {
        await real.rm(root, { recursive: true });
        await real.mkdir(root);
        storage = await openStorage(settingsFor(pathToFileURL(root).href), { clock });
        disk.log.length = 0;
        disk.fail = { at, errno };
        const end = await refusal(write());
        disk.fail = undefined;
        expect(end, `${step}, step ${at}`).toBe(code);
        const left = await filesLeft();
        const whole = left.filter((name) => name === "db/a");
        // Visible only with the last step, the fsync of the folder, or when a leftover could not be removed.
        if (whole.length > 0)
          expect(steps.slice(at).filter((name) => name !== "unlink").length).toBeLessThanOrEqual(2);
        if (step !== "unlink") expect(left).toEqual(whole);
        expect(await keysOf(storage.list(""))).toEqual(whole);
        const again = await refusal(write());
        expect(again).toBe(whole.length > 0 && _name === "put if absent" ? "STORAGE_CONFLICT" : undefined);
        expect(await keysOf(storage.list(""))).toEqual(["db/a"]);
      }
    },
  );
});

describe("the order of steps", () => {
  it("makes new folders, the file and its name durable before it says so", async () => {
    await storage.put("new/er/a", bytesOf(10, 1));
    expect(disk.log).toEqual([
      "mkdir", // new
      "open",
      "sync", // root
      "mkdir", // new/er
      "open",
      "sync", // new
      "open", // the temporary file
      "write",
      "sync",
      "rename",
      "open",
      "sync", // new/er
      "unlink", // of the temporary name, which the rename has taken
    ]);
    disk.log.length = 0;
    await storage.put("new/er/b", bytesOf(10, 1), { condition: { kind: "absent" }, timestampMs: 5 });
    expect(disk.log).toEqual(["open", "write", "utimes", "sync", "link", "open", "sync", "unlink"]);
  });

  it("makes deletions durable", async () => {
    await storage.put("db/a", bytesOf(10, 1));
    disk.log.length = 0;
    await storage.delete(["db/a", "db/none"]);
    expect(disk.log).toEqual(["unlink", "unlink", "open", "sync"]);
  });
});

describe("a file system without hard links", () => {
  it.each(["EPERM", "ENOTSUP", "ENOSYS"])("that answers %s puts if absent all the same", async (errno) => {
    disk.fail = { name: "link", errno };
    const put = (seed: number) =>
      refusal(storage.put("db/a", bytesOf(10, seed), { condition: { kind: "absent" } }));
    expect((await Promise.all([1, 2, 3, 4].map(put))).filter((end) => end === undefined)).toHaveLength(1);
    expect(await put(5)).toBe("STORAGE_CONFLICT");
    expect(await filesLeft()).toEqual(["db/a"]);
  });
});

describe("a folder that cannot be synced by itself", () => {
  it.each(["EINVAL", "ENOTSUP"])("answers %s and is good enough", async (errno) => {
    await storage.put("db/a", bytesOf(10, 1));
    const before = disk.log.length;
    // Step 5 of a put is the folder's fsync.
    disk.fail = { at: before + 5, errno };
    await storage.put("db/a", bytesOf(11, 1));
    expect(disk.log[before + 5]).toBe("sync");
  });
});

describe("reading", () => {
  it.each<[string, ErrorCode]>([
    ["EIO", "STORAGE_UNAVAILABLE"],
    ["EACCES", "STORAGE_AUTH"],
  ])("that meets %s never says that nothing is there", async (errno, code) => {
    await storage.put("db/00000001-00000001.ltx", bytesOf(1000, 1));
    for (const name of ["open", "read"]) {
      disk.fail = { name, errno };
      expect(await refusal(storage.get("db/00000001-00000001.ltx", { maxBytes: 1000 }))).toBe(code);
      expect(await refusal(storage.head("db/00000001-00000001.ltx"))).toBe(code);
      expect(await refusal(keysOf(storage.read("db/00000001-00000001.ltx") as never))).toBe(code);
    }
  });
});
