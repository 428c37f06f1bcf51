import { mkdirSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { printable } from "../../src/printable.ts";
import { listDatabases } from "../../src/restore/list.ts";
import { keyProblem } from "../../src/storage/key-rules.ts";
import { databaseKeys, parseKey } from "../../src/storage/keys.ts";
import { parseLitestreamKey } from "../../src/storage/litestream-keys.ts";
import type { Storage, StoredObject } from "../../src/storage/storage.ts";
import { addNotes, openApplication } from "../helpers/e2e/application.ts";
import { scene } from "../helpers/e2e/scene.ts";
import { runWalrust, syncOnce } from "../helpers/e2e/walrust.ts";
import { startS3Server } from "../helpers/s3-server/server.ts";

/** Names that lead out of a folder, cannot be files, give a terminal orders, or are ours. */
const REFUSED = [
  "..",
  "../app",
  "a/../../etc",
  "./app",
  "/etc/passwd",
  "//app",
  "app/",
  "a//b",
  "a\u0000b",
  "a\\..\\b",
  "a\u001b[31m",
  "a\nb",
  "a\u007fb",
  "a\u009bb",
  "a\ufffeb",
  "a\ud800b",
  ".walrust-tmp-1",
  "a/.walrust-tmp-claim-1",
  "x".repeat(201),
  "é".repeat(101),
  `${"a/".repeat(400)}b`,
] as const;
/** Look dangerous and are names as any other: nobody decodes, normalizes or expands them. */
const HARMLESS = [
  "..a",
  "a..",
  "%2e%2e",
  "%2Fetc",
  "~",
  "$HOME",
  "`id`",
  "-rf",
  "con",
  "e\u0301",
  "é",
  "a b",
  "*",
];
const FILES = [
  "00000001-00000001.ltx",
  "0000/0000000000000001-0000000000000001.ltx",
  "ltx/0/0000000000000001-0000000000000001.ltx",
];

describe("a name that cannot be a key", () => {
  test.each(titled(REFUSED))(
    "%s is refused from the configuration, and passed over in a storage",
    async (_title, name) => {
      expect(keyProblem(name)).toBeDefined();
      expect(() => databaseKeys(name)).toThrow(expect.objectContaining({ code: "CONFIG_INVALID" }));
      const keys = FILES.map((file) => `${name}/${file}`);
      expect(keys.map(parseKey)).toEqual([undefined, undefined, undefined]);
      expect(keys.map(parseLitestreamKey)).toEqual([undefined, undefined, undefined]);
      expect(await listDatabases(storageOf([...keys, "app/00000001-00000001.ltx"]))).toMatchObject([
        { name: "app" },
      ]);
    },
  );

  test.each(titled(HARMLESS))("%s is taken as it stands", async (_title, name) => {
    for (const file of FILES) {
      const listed = await listDatabases(storageOf([`${name}/${file}`]));
      expect(listed).toMatchObject([{ name }]);
    }
  });
});

function titled(names: readonly string[]): readonly (readonly [string, string])[] {
  return names.map((name) => [printable(JSON.stringify(name)).slice(0, 40), name]);
}

function storageOf(keys: readonly string[]): Storage {
  const list = async function* (): AsyncGenerator<StoredObject> {
    for (const key of keys) yield { key, sizeBytes: 1, lastModifiedMs: 0 };
  };
  return { list } as unknown as Storage;
}

/** What must never reach a terminal. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are the characters that must not come out
const ORDERS = /\u001b|\u009b|\u0007|\u202e/;

test("a folder full of hostile names: every command does its work, and prints none of them as they are", async () => {
  const at = scene();
  addNotes(openApplication(at.path("app.db")));
  await syncOnce(at, { databases: ["app.db"] });
  mkdirSync(at.path("outside"));
  for (const name of ["x\u001b[2J", "x\nx", "x\\..", "\u202egpj", "%2e%2e", "-rf", "e\u0301"]) {
    for (const file of FILES) {
      const path = join(at.storage, name, file);
      mkdirSync(join(path, ".."), { recursive: true });
      writeFileSync(path, "x".repeat(200));
    }
  }
  const before = tree(at.folder);
  const lines = [
    ["list"],
    ["list", "--json"],
    ["list", "app", "--files"],
    ["verify", "--all"],
    ["verify", "--all", "--json"],
    ["compact", "app", "--force"],
    ["restore", "\u202egpj", "-o", at.path("bad.db")],
    ["restore", "../outside", "-o", at.path("bad.db")],
    ["verify", "x\u001b[2J"],
  ];
  for (const line of lines) {
    const { stdout, stderr } = await runWalrust(at, [...line, "-b", at.address]);
    expect(ORDERS.exec(stdout + stderr), `${JSON.stringify(line)}: ${stdout}${stderr}`).toBeNull();
    expect(stderr, JSON.stringify(line)).not.toContain("unexpected:");
  }
  const list = await runWalrust(at, ["list", "-b", at.address]);
  expect(list.code, list.stderr).toBe(0);
  for (const name of ["app", "\\u202egpj", "%2e%2e", "-rf", "e\u0301"]) expect(list.stdout).toContain(name);
  expect(tree(at.folder)).toEqual(before);
  const replica = ["replicate", "../outside", "--local", at.path("bad.db"), "--once", "-b", at.address];
  expect((await runWalrust(at, replica)).code).toBe(2);
  expect(readdirSync(at.path("outside"))).toEqual([]);
  const { code, stderr } = await runWalrust(at, [
    "restore",
    "app",
    "-b",
    at.address,
    "-o",
    at.path("out.db"),
  ]);
  expect(code, stderr).toBe(0);
}, 120_000);

test("a bucket full of hostile names", async () => {
  const at = scene();
  const bucket = "backups";
  const env = { AWS_ACCESS_KEY_ID: "someone", AWS_SECRET_ACCESS_KEY: "a secret" };
  const server = await startS3Server({
    bucket,
    accessKeyId: env.AWS_ACCESS_KEY_ID,
    secretAccessKey: env.AWS_SECRET_ACCESS_KEY,
  });
  try {
    const run = (...args: string[]) =>
      runWalrust(at, [...args, "-b", bucket, "--endpoint", server.endpoint], { env });
    addNotes(openApplication(at.path("app.db")));
    const first = await run("watch", "app.db", "--once");
    expect(first.code, first.stderr).toBe(0);
    const object = [...server.objects.values()][0];
    if (object === undefined) throw new Error("nothing was published");
    for (const name of ["..", "../../tmp/x", "/etc", "x\u009b31m", "\u202egpj", "a/../b"])
      for (const file of FILES) (server.objects as Map<string, typeof object>).set(`${name}/${file}`, object);
    for (const line of [["list"], ["list", "--json"], ["verify", "--all"]]) {
      const { stdout, stderr } = await run(...line);
      expect(ORDERS.exec(stdout + stderr), `${line}: ${stdout}${stderr}`).toBeNull();
      expect(stdout).toContain("app");
      expect(stdout).not.toContain("..");
    }
  } finally {
    await server.close();
  }
}, 60_000);

test("databases on the disk with hostile names are refused or copied, and printed harmlessly", async () => {
  const at = scene();
  mkdirSync(at.path("data"));
  for (const name of ["good.db", "bad\u001b[2J.db", "bad\nname.db", "\u202egpj.db", "..db"])
    addNotes(openApplication(at.path(`data/${name}`)));
  const { stdout, stderr, code } = await runWalrust(at, ["watch", "data/*.db", "-b", at.address, "--once"]);
  expect(ORDERS.exec(stdout + stderr), stdout + stderr).toBeNull();
  expect(code, stderr).not.toBe(0);
  const explained = await runWalrust(at, ["explain", "data/*.db", "-b", at.address]);
  expect(ORDERS.exec(explained.stdout + explained.stderr)).toBeNull();
  const storage = readdirSync(at.storage);
  expect(storage.filter((name) => keyProblem(name) !== undefined)).toEqual([]);
}, 60_000);

/** Every file and folder below, with its size. */
function tree(folder: string): readonly string[] {
  return readdirSync(folder, { recursive: true, encoding: "utf8" })
    .sort()
    .map((name) => `${name} ${statSync(join(folder, name)).size}`);
}
