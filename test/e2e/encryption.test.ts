import { randomBytes } from "node:crypto";
import { existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import Database from "better-sqlite3";
import { describe, expect, test } from "vitest";
import { addNotes, contentOf, expectRestored, openApplication } from "../helpers/e2e/application.ts";
import { s3Storage } from "../helpers/e2e/s3-storage.ts";
import { type Scene, scene } from "../helpers/e2e/scene.ts";
import { restore, runWalrust, startWatch, syncOnce } from "../helpers/e2e/walrust.ts";

const NAME = "ledger-of-4711";
const MARK = "a sentence that nobody else may read";

/** A key as the documentation makes it, and a configuration that names it. */
function withKey(at: Scene, file = "backup.key"): Scene {
  writeFileSync(at.path(file), `${randomBytes(32).toString("hex")}\n`, { mode: 0o600 });
  writeFileSync(at.path("walrust.toml"), `[encryption]\nkey_file = "${file}"\n`);
  return at;
}

/** An encrypted copy of a snapshot and some incrementals; returns what the database holds. */
async function encryptedCopy(at: Scene): Promise<Buffer> {
  const app = openApplication(at.path(`${NAME}.db`));
  app.prepare("INSERT INTO notes (body) VALUES (?)").run(MARK.repeat(20));
  addNotes(app, 30, 5000); // beyond one chunk
  await syncOnce(at, { databases: [`${NAME}.db`] });
  for (let i = 0; i < 2; i += 1) {
    addNotes(app, 5, 500);
    await syncOnce(at, { databases: [`${NAME}.db`] });
  }
  return contentOf(app);
}

function filesIn(folder: string): readonly string[] {
  const all = readdirSync(folder, { recursive: true, encoding: "utf8" }).sort();
  return all.filter((file) => statSync(join(folder, file)).isFile());
}

function ltxIn(at: Scene): string {
  const file = filesIn(at.storage).find((name) => name.endsWith(".ltx") && !name.includes("00000001-"));
  if (file === undefined) throw new Error("an encrypted copy has incrementals");
  return join(at.storage, file);
}

const COMMANDS = (at: Scene): readonly (readonly string[])[] => [
  ["watch", `${NAME}.db`, "--once"],
  ["snapshot", `${NAME}.db`],
  ["restore", NAME, "-o", at.path("out.db")],
  ["restore", NAME, "-o", at.path("out.db"), "--dry-run"],
  ["list"],
  ["list", NAME],
  ["verify", NAME],
  ["verify", "--all"],
  ["verify", NAME, "--fix"],
  ["compact", NAME, "--force"],
  ["replicate", NAME, "--local", at.path("replica.db"), "--once"],
];

async function expectAll(at: Scene, exitCode: number, message: RegExp): Promise<void> {
  const before = filesIn(at.storage);
  for (const args of COMMANDS(at)) {
    const exit = await runWalrust(at, [...args, "--bucket", at.address]);
    expect(exit.code, `${args.join(" ")}: ${exit.stderr}`).toBe(exitCode);
    expect(exit.stderr, args.join(" ")).toMatch(message);
    expect(exit.stdout).toBe("");
    expect(existsSync(at.path("out.db"))).toBe(false);
  }
  expect(filesIn(at.storage)).toEqual(before);
}

test("watch, list, verify and restore, and nothing in storage tells what or whose it is", async () => {
  const at = withKey(scene());
  const app = openApplication(at.path(`${NAME}.db`));
  app.prepare("INSERT INTO notes (body) VALUES (?)").run(MARK.repeat(20));
  const watch = startWatch(at, { databases: [`${NAME}.db`] });
  await watch.untilEvent("snapshot");
  addNotes(app, 20, 5000);
  await watch.untilEvent("published");
  await watch.drain();

  const files = filesIn(at.storage);
  expect(files).toContain("walrust-encryption.json");
  expect(files.filter((file) => file.endsWith(".ltx")).length).toBeGreaterThan(1);
  for (const file of files) {
    expect(file).not.toContain("ledger");
    const bytes = readFileSync(join(at.storage, file));
    for (const plain of [MARK.slice(0, 8), "ledger", "4711", "SQLite", "CREATE", "LTX1", "page_size"])
      expect(bytes.includes(plain), `${file}: ${plain}`).toBe(false);
  }

  const list = await runWalrust(at, ["list", "--bucket", at.address, "--json"]);
  expect(JSON.parse(list.stdout).databases).toMatchObject([{ name: NAME }]);
  const verify = await runWalrust(at, ["verify", NAME, "--restore", "--bucket", at.address]);
  expect(verify.code, verify.stdout + verify.stderr).toBe(0);
  const flags = ["--bucket", at.address];
  for (const args of [
    ["replicate", NAME, "--local", at.path("replica.db"), "--once", ...flags],
    ["compact", NAME, "--force", ...flags],
    ["restore", NAME, "-o", at.path("out.db"), ...flags],
  ]) {
    const exit = await runWalrust(at, args);
    expect(exit.code, exit.stderr).toBe(0);
  }
  expectRestored(at.path("out.db"), contentOf(app));
  const replica = new Database(at.path("replica.db"), { readonly: true });
  const rows = "SELECT * FROM notes";
  expect(replica.prepare(rows).all()).toEqual(app.prepare(rows).all());
  replica.close();
});

test("an S3 server sees no name and no content either, in no request", async () => {
  const at = withKey(scene());
  const { server, address, args, env } = await s3Storage();
  const app = openApplication(at.path(`${NAME}.db`));
  app.prepare("INSERT INTO notes (body) VALUES (?)").run(MARK.repeat(20));
  addNotes(app, 100, 10_000); // several ranges
  await syncOnce(at, { databases: [`${NAME}.db`], address, args, env });
  const flags = ["--bucket", address, ...args];
  const verify = await runWalrust(at, ["verify", NAME, ...flags], { env });
  expect(verify.code, verify.stdout + verify.stderr).toBe(0);
  const exit = await runWalrust(at, ["restore", NAME, "-o", at.path("out.db"), ...flags], { env });
  expect(exit.code, exit.stderr).toBe(0);
  expectRestored(at.path("out.db"), contentOf(app));
  for (const [key, { body }] of server.objects) {
    expect(key).not.toContain("ledger");
    expect(Buffer.from(body).includes(MARK.slice(0, 8))).toBe(false);
  }
  const requests = JSON.stringify(server.requests);
  expect(requests).toContain("manifest.json");
  expect(requests).not.toContain("ledger");
});

describe("exit 2 and a clear word", () => {
  test("for a wrong key", async () => {
    const at = withKey(scene());
    await encryptedCopy(at);
    withKey(at, "other.key");
    await expectAll(at, 2, /^error: the encryption key does not fit file:\/\//m);
  });

  test("without a key", async () => {
    const at = withKey(scene());
    await encryptedCopy(at);
    rmSync(at.path("walrust.toml"));
    await expectAll(at, 2, /is encrypted, and no key is given/);
  });

  test("for a key file that is gone, and one that holds none", async () => {
    const at = withKey(scene());
    await encryptedCopy(at);
    rmSync(at.path("backup.key"));
    await expectAll(at, 2, /the key file .*backup\.key cannot be read: it does not exist/);
    writeFileSync(at.path("backup.key"), "swordfish", { mode: 0o600 });
    await expectAll(at, 2, /the key file .*backup\.key holds no encryption key/);
  });

  test("for a variable that is not set", async () => {
    const at = scene();
    addNotes(openApplication(at.path(`${NAME}.db`)), 1);
    writeFileSync(at.path("walrust.toml"), '[encryption]\nkey_env = "BACKUP_KEY"\n');
    await expectAll(at, 2, /the environment variable BACKUP_KEY .* is not set/);
  });
});

test.each([
  ["flipped", (bytes: Buffer) => bytes.fill((bytes[200] ?? 0) ^ 1, 200, 201)],
  ["cut", (bytes: Buffer) => bytes.subarray(0, 180)],
  ["emptied", () => Buffer.alloc(0)],
])("an object that was %s: exit 5, and no output", async (_what, damage) => {
  const at = withKey(scene());
  await encryptedCopy(at);
  writeFileSync(ltxIn(at), damage(readFileSync(ltxIn(at))));
  const out = at.path("out.db");
  const [restoring, verify] = await Promise.all([
    restore(at, NAME, out),
    runWalrust(at, ["verify", NAME, "--bucket", at.address]),
  ]);
  expect(restoring.code, restoring.stderr).toBe(5);
  expect(restoring.stderr).toContain(`${NAME}/`);
  expect(existsSync(out)).toBe(false);
  expect(verify.code, verify.stdout).toBe(5);
});

test("a manifest that cannot be decrypted: verify says so, and the next watch makes it again", async () => {
  const at = withKey(scene());
  const before = await encryptedCopy(at);
  const manifest = filesIn(at.storage).find((file) => file.endsWith("/manifest.json")) ?? "";
  const path = join(at.storage, manifest);
  writeFileSync(path, readFileSync(path).fill(7, 60, 70));
  expect((await runWalrust(at, ["verify", NAME, "--bucket", at.address])).code).toBe(5);
  const app = openApplication(at.path(`${NAME}.db`));
  addNotes(app, 1);
  await syncOnce(at, { databases: [`${NAME}.db`] });
  const verify = await runWalrust(at, ["verify", NAME, "--bucket", at.address]);
  expect(verify.code, verify.stdout + verify.stderr).toBe(0);
  const out = at.path("out.db");
  expect((await restore(at, NAME, out)).code).toBe(0);
  expectRestored(out, contentOf(app));
  expect(contentOf(app).equals(before)).toBe(false);
});

test("copies from before the encryption stay, and restore without the key", async () => {
  const at = scene();
  const app = openApplication(at.path(`${NAME}.db`));
  addNotes(app, 3);
  await syncOnce(at, { databases: [`${NAME}.db`] });
  const before = contentOf(app);
  withKey(at);
  const sync = await syncOnce(at, { databases: [`${NAME}.db`] });
  expect(sync.stderr).toContain("also holds copies that are not encrypted");
  rmSync(at.path("walrust.toml"));
  const out = at.path("out.db");
  const exit = await restore(at, NAME, out);
  expect(exit.code, exit.stderr).toBe(0);
  expectRestored(out, before);
});
