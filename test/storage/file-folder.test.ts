import { execFileSync, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { link, mkdir, mkdtemp, readdir, rename, rm, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { ownMark } from "../../src/process-identity.ts";
import { openStorage } from "../../src/storage/open.ts";
import type { Storage } from "../../src/storage/storage.ts";
import {
  bytesOf,
  collect,
  keysOf,
  readAll,
  refusal,
  type SkippingClock,
  settingsFor,
  skippingClock,
} from "./support.ts";

const DAY_MS = 24 * 60 * 60 * 1000;

let parent: string;
let root: string;
let clock: SkippingClock;
let storage: Storage;
const open = () => openStorage(settingsFor(pathToFileURL(root).href), { clock });
beforeEach(async () => {
  parent = await mkdtemp(join(tmpdir(), "walrust-folder-"));
  root = join(parent, "root");
  await mkdir(root);
  clock = skippingClock();
  storage = await open();
});
afterEach(() => rm(parent, { recursive: true }));

describe("a root that is missing", () => {
  const calls: Record<string, (storage: Storage) => Promise<unknown>> = {
    check: () => storage.check(),
    put: () => storage.put("db/a", bytesOf(1, 1)),
    upload: () =>
      storage.upload("db/a", { headSizeBytes: 0, expectedSizeBytes: 0 }).complete(new Uint8Array()),
    get: () => storage.get("db/a", { maxBytes: 1 }),
    head: () => storage.head("db/a"),
    read: () => collect(storage.read("db/a")),
    list: () => collect(storage.list("")),
    "list of a database": () => collect(storage.list("db/")),
    delete: () => storage.delete(["db/a"]),
  };

  it.each(Object.entries(calls))("fails a %s, and is never made", async (_name, call) => {
    await rm(root, { recursive: true });
    expect(await refusal(call(storage))).toBe("STORAGE_BUCKET_NOT_FOUND");
    await writeFile(root, "a file");
    expect(await refusal(call(storage))).toBe("STORAGE_BUCKET_NOT_FOUND");
  });

  it("fails a put also when it goes missing later", async () => {
    await storage.put("db/a", bytesOf(1, 1));
    await rename(root, `${root}-unmounted`);
    expect(await refusal(storage.put("db/b", bytesOf(1, 1)))).toBe("STORAGE_BUCKET_NOT_FOUND");
    expect(await readdir(parent)).toEqual(["root-unmounted"]);
    await rename(`${root}-unmounted`, root);
    await storage.put("db/b", bytesOf(1, 1));
  });
});

describe("what crashes leave", () => {
  const temps = async () =>
    (await readdir(join(root, "db"))).filter((name) => name.startsWith(".walrust-tmp-"));

  it("is not listed, and removed a day later by the first write", async () => {
    await mkdir(join(root, "db"));
    await writeFile(join(root, "db/.walrust-tmp-abc"), "half");
    expect(await keysOf(storage.list(""))).toEqual([]);
    await storage.put("db/a", bytesOf(1, 1));
    expect(await temps()).toHaveLength(1);
    clock.advance(2 * DAY_MS);
    await (await open()).put("db/b", bytesOf(1, 1));
    expect(await temps()).toHaveLength(0);
  });

  it("of a process of this machine that is dead is removed at once", async () => {
    await mkdir(join(root, "db"));
    const [host, , started] = ownMark().split("-");
    const dead = `${host}-${spawnSync("true").pid}-1`;
    const another = "00000000-1-1";
    const names = [dead, `${host}-${process.pid}-${started}1`, another, ownMark()].map(
      (mark) => `.walrust-tmp-${mark}.abc`,
    );
    for (const name of names) await writeFile(join(root, "db", name), "half");
    await storage.put("db/a", bytesOf(1, 1));
    expect((await temps()).sort()).toEqual(names.slice(2).sort());
  });

  it("of a claim goes with the first write to its folder", async () => {
    await mkdir(join(root, "db"));
    const mark = createHash("sha256").update("gone").digest("hex").slice(0, 32);
    const [host] = ownMark().split("-");
    await symlink(`${host}-${spawnSync("true").pid}-1`, join(root, `db/.walrust-tmp-claim-${mark}`));
    await storage.put("db/a", bytesOf(1, 1));
    expect(await temps()).toEqual([]);
  });

  it("is not confused with the temporary file of a long upload", async () => {
    const upload = storage.upload("db/a", { headSizeBytes: 0, expectedSizeBytes: 0, timestampMs: 1 });
    await upload.write(bytesOf(3_000_000, 1));
    await (await open()).put("db/b", bytesOf(1, 1));
    await upload.complete(new Uint8Array());
    expect(await keysOf(storage.list("db/"))).toEqual(["db/a", "db/b"]);
  });

  it("a claim, holds nobody longer than a minute", async () => {
    const { etag } = await storage.put("db/a", bytesOf(1, 1));
    const mark = createHash("sha256").update("a").digest("hex").slice(0, 32);
    await writeFile(join(root, `db/.walrust-tmp-claim-${mark}`), "");
    const before = clock.now();
    await storage.put("db/a", bytesOf(2, 1), { condition: { kind: "match", etag } });
    expect(clock.now() - before).toBeGreaterThan(59_000);
    expect(await temps()).toHaveLength(0);
  });
});

describe("a claim", () => {
  const [host = ""] = ownMark().split("-");

  /** Of a put with a condition that runs into a claim that says this of its holder: how long it waits. */
  async function waitedFor(
    holder: string,
    how: (holder: string, path: string) => Promise<void>,
  ): Promise<number> {
    const { etag } = await storage.put("db/a", bytesOf(1, 1));
    const mark = createHash("sha256").update("a").digest("hex").slice(0, 32);
    await how(holder, join(root, `db/.walrust-tmp-claim-${mark}`));
    const before = clock.now();
    await storage.put("db/a", bytesOf(2, 1), { condition: { kind: "match", etag } });
    return clock.now() - before;
  }

  const asLink = (holder: string, path: string) => symlink(holder, path);
  const asFile = (holder: string, path: string) => writeFile(path, holder);

  it.each([
    ["a link", asLink],
    ["a file", asFile],
  ])("of a process of this machine that is dead holds nobody: %s", async (_, how) => {
    expect(await waitedFor(`${host}-${spawnSync("true").pid}-1`, how)).toBe(0);
  });

  it.each([
    ["of a living one", () => ownMark(), asLink],
    ["of another machine, with a pid that is free here", () => `00000000-${spawnSync("true").pid}-1`, asLink],
    ["in a file that is not whole", () => `${host}-1`, asFile],
  ])("%s is respected for a minute", async (_, holder, how) => {
    expect(await waitedFor(holder(), how)).toBeGreaterThan(59_000);
  });
});

describe("files and folders", () => {
  it("are for their owner alone", async () => {
    await storage.put("db/a", bytesOf(1, 1));
    expect((await stat(join(root, "db"))).mode & 0o777).toBe(0o700);
    expect((await stat(join(root, "db/a"))).mode & 0o777).toBe(0o600);
  });

  it("are made again when somebody removed them", async () => {
    await storage.put("db/a", bytesOf(1, 1));
    await rm(join(root, "db"), { recursive: true });
    await storage.put("db/b", bytesOf(1, 1));
    expect(await keysOf(storage.list(""))).toEqual(["db/b"]);
  });

  it("are no obstacle to each other but where one name would be both", async () => {
    await storage.put("db/a", bytesOf(1, 1));
    expect(await refusal(storage.put("db/a/b", bytesOf(1, 1)))).toBe("STORAGE_REJECTED");
    expect(await refusal(storage.put("db", bytesOf(1, 1)))).toBe("STORAGE_REJECTED");
    expect(await refusal(storage.get("db", { maxBytes: 1 }))).toBe("STORAGE_NOT_FOUND");
    expect(await refusal(storage.get("db/a/b", { maxBytes: 1 }))).toBe("STORAGE_NOT_FOUND");
    await storage.delete(["db"]);
    expect(await keysOf(storage.list(""))).toEqual(["db/a"]);
  });

  it("keep an etag that hard links of backup programs don't change", async () => {
    const { etag } = await storage.put("db/a", bytesOf(1, 1));
    await link(join(root, "db/a"), join(parent, "elsewhere"));
    expect((await storage.head("db/a")).etag).toBe(etag);
  });

  it("never have one etag for two contents, however fast they follow", async () => {
    let { etag } = await storage.put("db/a", bytesOf(5, 0));
    const seen = new Set([etag]);
    for (let i = 1; i < 50; i++) {
      ({ etag } = await storage.put("db/a", bytesOf(5, i), { condition: { kind: "match", etag } }));
      seen.add(etag);
    }
    expect(seen.size).toBe(50);
  });
});

describe("what is no plain file", () => {
  beforeEach(() => storage.put("db/a", bytesOf(10, 1)));

  it("a symbolic link in place of an object, is not followed", async () => {
    await writeFile(join(parent, "secret"), "secret");
    await symlink(join(parent, "secret"), join(root, "db/link"));
    expect(await refusal(storage.get("db/link", { maxBytes: 100 }))).toBe("STORAGE_REJECTED");
    expect(await refusal(readAll(storage.read("db/link")))).toBe("STORAGE_REJECTED");
    expect(await refusal(storage.head("db/link"))).toBe("STORAGE_REJECTED");
    expect(await keysOf(storage.list("db/"))).toEqual(["db/a"]);
    expect(await refusal(storage.put("db/link", bytesOf(1, 1), { condition: { kind: "absent" } }))).toBe(
      "STORAGE_CONFLICT",
    );
    await storage.put("db/link", bytesOf(1, 1));
    expect((await stat(join(parent, "secret"))).size).toBe(6);
    expect(await keysOf(storage.list("db/"))).toEqual(["db/a", "db/link"]);
  });

  it("a symbolic link to a folder, is listed like it can be read", async () => {
    await mkdir(join(parent, "other-disk"));
    await symlink(join(parent, "other-disk"), join(root, "moved"));
    await storage.put("moved/a", bytesOf(1, 1));
    await symlink("/nowhere", join(root, "dangling"));
    expect(await keysOf(storage.list(""))).toEqual(["db/a", "moved/a"]);
  });

  it("a symbolic link that leads back up, is walked once", async () => {
    await symlink(root, join(root, "db/up"));
    expect(await keysOf(storage.list(""))).toEqual(["db/a"]);
  });

  it("a FIFO, holds nobody", async () => {
    execFileSync("python3", ["-c", "import os, sys; os.mkfifo(sys.argv[1])", join(root, "db/fifo")]);
    expect(await refusal(storage.get("db/fifo", { maxBytes: 1 }))).toBe("STORAGE_REJECTED");
    expect(await keysOf(storage.list("db/"))).toEqual(["db/a"]);
  });
});
