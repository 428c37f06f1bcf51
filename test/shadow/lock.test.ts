import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, renameSync, rmdirSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import Database from "better-sqlite3";
import { build } from "esbuild";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import { ownIdentity, type ProcessIdentity } from "../../src/process-identity.ts";
import { DatabaseLock } from "../../src/shadow/lock.ts";
import { tempFolder } from "../helpers/sqlite/temp-database.ts";

const DATABASE = "/data/app.db";
const newLock = () => join(tempFolder(), "lock.db");

/** What a process left behind that did not end well. */
function leaveOwner(path: string, owner: ProcessIdentity): void {
  DatabaseLock.acquire(path, DATABASE).release();
  const file = new Database(path);
  file.prepare("INSERT INTO owner VALUES (@host, @pid, @started, '')").run(owner);
  file.close();
}

async function deadPid(): Promise<number> {
  const child = spawn(process.execPath, ["-e", ""], { stdio: "ignore" });
  await once(child, "exit");
  return child.pid ?? 0;
}

describe("one holder at a time", () => {
  test("a second one is refused, naming the first", () => {
    const path = newLock();
    const lock = DatabaseLock.acquire(path, DATABASE, "/run/walrust.sock");
    expect(() => DatabaseLock.acquire(path, DATABASE)).toThrow(
      expect.objectContaining({
        code: "DATABASE_IN_USE",
        exitCode: 2,
        message: expect.stringMatching(new RegExp(`${DATABASE}.*process ${process.pid} on `)),
        details: { pid: process.pid, host: hostname() },
      }),
    );
    expect(DatabaseLock.holder(path)).toEqual({ ...ownIdentity(), controlSocket: "/run/walrust.sock" });
    lock.release();
    expect(DatabaseLock.holder(path)).toBeUndefined();
    DatabaseLock.acquire(path, DATABASE).release();
  });

  test("a release that could not be written down does not keep this process out for good", () => {
    const path = newLock();
    const lock = DatabaseLock.acquire(path, DATABASE);
    renameSync(path, `${path}.kept`);
    mkdirSync(path);
    expect(() => lock.release()).toThrow(expect.objectContaining({ code: "LOCAL_IO" }));
    rmdirSync(path);
    renameSync(`${path}.kept`, path);
    const next = DatabaseLock.acquire(path, DATABASE);
    lock.release();
    expect(() => DatabaseLock.acquire(path, DATABASE)).toThrow(
      expect.objectContaining({ code: "DATABASE_IN_USE" }),
    );
    next.release();
  });

  test("nor does one that was taken when it could not be known since when this process runs", () => {
    const path = newLock();
    leaveOwner(path, { ...ownIdentity(), started: "" });
    DatabaseLock.acquire(path, DATABASE).release();
    expect(DatabaseLock.holder(path)).toBeUndefined();
  });

  test("released twice, it is not taken from the next", () => {
    const path = newLock();
    const first = DatabaseLock.acquire(path, DATABASE);
    first.release();
    leaveOwner(path, { host: "elsewhere", pid: 4, started: "1" });
    first.release();
    expect(DatabaseLock.holder(path)).toMatchObject({ host: "elsewhere" });
  });
});

describe("what a crash left behind", () => {
  test("a dead process: taken over", async () => {
    const path = newLock();
    leaveOwner(path, { host: hostname(), pid: await deadPid(), started: "1" });
    expect(DatabaseLock.holder(path)).toBeUndefined();
    DatabaseLock.acquire(path, DATABASE);
    expect(DatabaseLock.holder(path)?.pid).toBe(process.pid);
  });

  test.runIf(process.platform === "linux")("the same pid, started at another time: taken over", () => {
    const path = newLock();
    leaveOwner(path, { ...ownIdentity(), started: "1" });
    DatabaseLock.acquire(path, DATABASE);
    expect(DatabaseLock.holder(path)).toMatchObject(ownIdentity());
  });

  test("a process of another host may be alive: refused", () => {
    const path = newLock();
    leaveOwner(path, { host: "elsewhere", pid: process.pid, started: ownIdentity().started });
    expect(() => DatabaseLock.acquire(path, DATABASE)).toThrow(
      expect.objectContaining({ code: "DATABASE_IN_USE", message: expect.stringContaining("elsewhere") }),
    );
  });
});

/** What a lock says to SQLite, in order. */
function statementsOf(use: () => void): readonly string[] {
  const said: string[] = [];
  const spies = (["exec", "prepare", "pragma"] as const).map((name) => {
    const original = Database.prototype[name] as (...args: unknown[]) => unknown;
    return vi.spyOn(Database.prototype, name).mockImplementation(function (
      this: unknown,
      ...args: unknown[]
    ) {
      said.push(name === "pragma" ? `PRAGMA ${args[0]}` : String(args[0]));
      return original.apply(this, args) as never;
    });
  });
  use();
  for (const spy of spies) spy.mockRestore();
  return said;
}

/** Runs them in a process that the system kills when a file becomes larger than `limitBytes`: in the middle of a commit. */
const REPLAY = `
import json, resource, signal, sqlite3, sys
path, limit, statements = sys.argv[1], int(sys.argv[2]), json.loads(sys.argv[3])
signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
connection = sqlite3.connect(path, isolation_level=None)
for statement in statements:
    for one in statement.split(";"):
        connection.execute(one, {"host": "h", "pid": 1, "started": "1", "controlSocket": ""} if "@" in one else {}).fetchall()
`;

test("killed while the lock file is made: the next one takes the lock", () => {
  const statements = statementsOf(() => DatabaseLock.acquire(newLock(), DATABASE));
  const path = newLock();
  const args = ["-c", REPLAY, path, "4096", JSON.stringify(statements)];
  const { signal, stderr } = spawnSync("python3", args, { encoding: "utf8" });
  expect(signal, stderr).toBe("SIGXFSZ");
  DatabaseLock.acquire(path, DATABASE);
  expect(DatabaseLock.holder(path)).toMatchObject(ownIdentity());
});

test("killed between the two pages of a row that is replaced: the file is sound, and the next one takes the lock", async () => {
  const path = newLock();
  leaveOwner(path, { host: hostname(), pid: await deadPid(), started: "1" });
  const pageSizeBytes = new Database(path).pragma("page_size", { simple: true });
  const statements = statementsOf(() => DatabaseLock.acquire(path, DATABASE).release());
  const { signal, stderr } = spawnSync(
    "python3",
    ["-c", REPLAY, path, `${pageSizeBytes}`, JSON.stringify(statements)],
    {
      encoding: "utf8",
    },
  );
  expect(signal, stderr).toBe("SIGXFSZ");
  expect(existsSync(`${path}-journal`)).toBe(false);
  expect(new Database(path).pragma("integrity_check", { simple: true })).toBe("ok");
  DatabaseLock.acquire(path, DATABASE);
  expect(DatabaseLock.holder(path)).toMatchObject(ownIdentity());
});

describe("what cannot be", () => {
  test("no folder: LOCAL_IO", () => {
    const path = join(tempFolder(), "gone", "lock.db");
    expect(() => DatabaseLock.acquire(path, DATABASE)).toThrow(expect.objectContaining({ code: "LOCAL_IO" }));
  });

  test("a folder in its place: LOCAL_IO", () => {
    const path = newLock();
    mkdirSync(path);
    expect(() => DatabaseLock.acquire(path, DATABASE)).toThrow(expect.objectContaining({ code: "LOCAL_IO" }));
  });
});

const RACER = `
import { DatabaseLock } from "./src/shadow/lock.ts";
process.stdin.once("data", () => {
  let won = true;
  try {
    DatabaseLock.acquire(process.argv[2], "app.db");
  } catch (error) {
    if (error.code !== "DATABASE_IN_USE") throw error;
    won = false;
  }
  console.log(won ? "won" : "lost");
  process.stdin.once("data", () => process.exit());
});
console.log("ready");
`;

/** In the project's folder, where its packages are found; under a name that git ignores. */
async function buildRacer(): Promise<string> {
  const root = join(import.meta.dirname, "../..");
  const bundle = await build({
    stdin: { contents: RACER, resolveDir: root, loader: "ts" },
    bundle: true,
    write: false,
    platform: "node",
    format: "cjs",
    packages: "external",
    logLevel: "silent",
  });
  return bundle.outputFiles[0]?.text ?? "";
}

test("three processes race over what a crash left: one wins each time", async () => {
  const script = await buildRacer();
  const pid = await deadPid();
  for (let round = 0; round < 4; round += 1) {
    const path = newLock();
    leaveOwner(path, { host: hostname(), pid, started: "1" });
    const racers = await Promise.all([0, 1, 2].map(() => startRacer(script, path)));
    for (const racer of racers) racer.child.stdin?.write("go\n");
    const outcomes = await Promise.all(racers.map(({ line }) => line()));
    expect(outcomes.sort()).toEqual(["lost", "lost", "won"]);
    expect(racers.map(({ child }) => child.pid)).toContain(DatabaseLock.holder(path)?.pid);
    for (const { child } of racers) child.stdin?.write("end\n");
    await Promise.all(racers.map(({ child }) => once(child, "exit")));
  }
});

async function startRacer(script: string, path: string) {
  const child: ChildProcess = spawn(process.execPath, ["-e", script, path, path], {
    stdio: ["pipe", "pipe", "inherit"],
    cwd: join(import.meta.dirname, "../.."),
  });
  onTestFinished(() => {
    child.kill("SIGKILL");
  });
  if (child.stdout === null) throw new Error("no stdout");
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const line = async () => String((await lines.next()).value);
  expect(await line()).toBe("ready");
  return { child, line };
}
