import {
  chmodSync,
  chownSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  writeFileSync,
} from "node:fs";
import { join, relative } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import Database from "better-sqlite3";
import { describe, expect, onTestFinished, test } from "vitest";
import { until } from "../../src/bench/until.ts";
import { addNotes, openApplication } from "../helpers/e2e/application.ts";
import { type Scene, scene } from "../helpers/e2e/scene.ts";
import { runWalrust, startWatch } from "../helpers/e2e/walrust.ts";

/*
 * Whatever walrust makes is for its user alone, from the first moment on and under every umask: local state, the storage folder's objects,
 * restored files, temporary files, sockets. Exceptions are what the user asked to be public: a replica (0444), the SQL of `pragma`.
 */

const PRELOAD = pathToFileURL(fileURLToPath(new URL("./record-creations.mjs", import.meta.url))).href;
/** The application's own files, which are as it made them. */
const NOT_OURS = /^(app\.db|app\.db-wal|app\.db-shm|creations|storage|replica\.db|pragmas\.sql)$/;

interface Creation {
  readonly call: string;
  readonly path: string;
  readonly mode: number;
}

function under(umask: string): readonly string[] {
  return ["sh", "-c", `umask ${umask}; exec "$@"`, "sh"];
}

/** All that lies below, with its permissions in octal. */
function modes(at: Scene): Readonly<Record<string, string>> {
  const names = readdirSync(at.folder, { recursive: true, encoding: "utf8" });
  const found = names
    .filter((name) => !NOT_OURS.test(name))
    // What was there a moment ago may be gone: a daemon is at work.
    .flatMap((name) => {
      const stat = lstatSync(at.path(name), { throwIfNoEntry: false });
      return stat === undefined ? [] : [[name, (stat.mode & 0o777).toString(8).padStart(3, "0")] as const];
    });
  return Object.fromEntries(found);
}

function expectPrivate(at: Scene, where: string): void {
  const open = Object.entries(modes(at)).filter(([, mode]) => !mode.endsWith("00"));
  expect(open, where).toEqual([]);
}

function creations(at: Scene): readonly Creation[] {
  const lines = readFileSync(at.path("creations"), "utf8").trim().split("\n");
  return lines.map((line) => JSON.parse(line) as Creation);
}

describe.each(["000", "022", "077"])("umask %s", (umask) => {
  test("everything that is made is for its user alone, at every moment", async () => {
    const at = scene();
    const env = { NODE_OPTIONS: `--import=${PRELOAD}`, CREATIONS: at.path("creations") };
    const options = { env, under: under(umask) };
    const run = async (...args: string[]) => {
      const { code, stderr } = await runWalrust(at, args, options);
      expect(code, `${args.join(" ")}: ${stderr}`).toBe(0);
      expectPrivate(at, args.join(" "));
    };
    const app = openApplication(at.path("app.db"));
    addNotes(app, 200, 1000);
    const watch = startWatch(at, { databases: ["app.db"], ...options });
    await watch.untilPublished("app");
    addNotes(app, 200, 1000);
    await watch.untilPublished("app", 1n);
    await until("the socket", () => socketsOf(at).length === 1);
    expectPrivate(at, "a running daemon");
    expect(lstatSync(socketsOf(at)[0] ?? "").mode & 0o777).toBe(0o600);
    await run("snapshot", "app.db", "-b", at.address);
    await watch.drain();
    expectPrivate(at, "a daemon that ended");

    await run("compact", "app", "-b", at.address, "--force", "--hourly", "1");
    await run("verify", "app", "-b", at.address, "--restore", "--fix");
    await run("restore", "app", "-b", at.address, "-o", at.path("out.db"));
    await run("restore", "app", "-b", at.address, "-o", at.path("out.db"), "--force");
    await run("replicate", `${at.address}/app`, "--local", at.path("replica.db"), "--once");
    addNotes(app, 20, 1000);
    await run("watch", "app.db", "-b", at.address, "--once");
    await run("replicate", `${at.address}/app`, "--local", at.path("replica.db"), "--once");
    await run("pragma", "-o", at.path("pragmas.sql"));

    const isPublic = ({ path }: Creation) => /(pragmas\.sql\.\d+\.tmp|replica\.db-journal)$/.test(path);
    const made = creations(at).filter(({ path }) => path.startsWith(at.folder));
    expect(made.length).toBeGreaterThan(30);
    const readable = made.filter((one) => !isPublic(one) && (one.mode & 0o077) !== 0);
    expect(
      readable.map(({ call, path, mode }) => `${call} ${relative(at.folder, path)} ${mode.toString(8)}`),
    ).toEqual([]);
    expect(lstatSync(at.path("replica.db")).mode & 0o777).toBe(0o444 & ~Number.parseInt(umask, 8));
    // What SQLite makes beside a restored file has its permissions.
    const restored = new Database(at.path("out.db"));
    onTestFinished(() => void restored.close());
    restored.exec("INSERT INTO notes (body) VALUES ('x')");
    expect(existsSync(at.path("out.db-wal"))).toBe(true);
    expectPrivate(at, "the restored database in use");
  }, 120_000);
});

test("a restored file that replaces one has that one's permissions, and is whose it was if root restores", async () => {
  const at = scene();
  addNotes(openApplication(at.path("app.db")));
  const watch = startWatch(at, { databases: ["app.db"] });
  await watch.untilPublished("app");
  await watch.drain();
  for (const mode of [0o600, 0o640, 0o664]) {
    const out = at.path(`out-${mode}.db`);
    writeFileSync(out, "old", { mode });
    const isRoot = process.getuid?.() === 0;
    if (isRoot) chownSync(out, 4242, 4343);
    chmodSync(out, mode);
    const { code, stderr } = await runWalrust(at, ["restore", "app", "-b", at.address, "-o", out, "--force"]);
    expect(code, stderr).toBe(0);
    const { mode: after, uid, gid } = lstatSync(out);
    expect(after & 0o777).toBe(mode);
    if (isRoot) expect([uid, gid]).toEqual([4242, 4343]);
    expect(readFileSync(out).subarray(0, 15).toString()).toBe("SQLite format 3");
  }
}, 60_000);

/** State of an older version, or of a hand: it is closed to others when it is used again. */
test("a folder of ours that is open to others is closed", async () => {
  const at = scene();
  addNotes(openApplication(at.path("app.db")));
  mkdirSync(at.path(".app.db-walrust/segments"), { recursive: true, mode: 0o777 });
  chmodSync(at.path(".app.db-walrust"), 0o777);
  const watch = startWatch(at, { databases: ["app.db"] });
  await watch.untilPublished("app");
  expectPrivate(at, "the folder");
  await watch.drain();
}, 60_000);

function socketsOf(at: Scene): readonly string[] {
  const folder = at.path(`walrust-${process.getuid?.()}`);
  if (!existsSync(folder)) return [];
  return readdirSync(folder).map((name) => join(folder, name));
}
