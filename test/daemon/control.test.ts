import { spawnSync } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, readdirSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import { basename, dirname, join } from "node:path";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import { askDaemon } from "../../src/daemon/ask-daemon.ts";
import { ControlServer } from "../../src/daemon/control.ts";
import type { ControlHandlers } from "../../src/daemon/control-protocol.ts";
import { findDaemons, noDaemon } from "../../src/daemon/find-daemons.ts";
import { listSockets, openSocketFolder, otherUsers, socketFolders } from "../../src/daemon/socket-folder.ts";
import { WalrustError } from "../../src/errors.ts";
import { daemonDocument } from "../../src/observability/status-document.ts";
import { databaseStatus } from "../helpers/database-status.ts";
import { ManualClock } from "../helpers/manual-clock.ts";
import { tempFolder } from "../helpers/sqlite/temp-database.ts";

const document = (pid = 7) =>
  daemonDocument({
    ...{ pid, version: "1.2.3", startedAtMs: 0, storage: "s3://copies" },
    databases: [databaseStatus({ capturedTxid: 2n ** 63n + 1n })],
  });

const handlers = (own: Partial<ControlHandlers> = {}): ControlHandlers => ({
  snapshot: async () => ({ key: "app/1", txid: 2n ** 60n + 1n, sizeBytes: 9 }),
  status: () => document(),
  ...own,
});

function privateFolder(): string {
  const folder = tempFolder();
  chmodSync(folder, 0o700);
  return folder;
}

async function listen(own: Partial<ControlHandlers> = {}, folder = privateFolder()): Promise<ControlServer> {
  const server = await ControlServer.listen(handlers(own), [folder]);
  onTestFinished(() => server.close());
  return server;
}

const find = (folders: readonly string[], clock = new ManualClock()) =>
  findDaemons({ folders, clock, signal: new AbortController().signal });

/** What comes back for a line as it is. */
function raw(path: string, line: string): Promise<unknown> {
  return new Promise((resolve, reject) => {
    let text = "";
    const socket = connect(path, () => socket.write(line));
    socket.setEncoding("utf8").on("data", (piece: string) => {
      text += piece;
    });
    socket.on("error", reject);
    socket.on("close", () => resolve(text === "" ? undefined : JSON.parse(text)));
  });
}

describe("the protocol", () => {
  test("each command has its own answer; TXIDs keep all 64 bits", async () => {
    const { path } = await listen();
    const taken = await askDaemon(path, { command: "snapshot", database: "/data/app.db" });
    expect(taken).toEqual({ key: "app/1", txid: 2n ** 60n + 1n, sizeBytes: 9 });
    const status = await askDaemon(path, { command: "status" });
    expect(status.databases[0]).toMatchObject({ captured_txid: 2n ** 63n + 1n, published_txid: 12 });
  });

  test("the daemon's error arrives as it was", async () => {
    const snapshot = () => {
      throw new WalrustError("DATABASE_LOCKED", "not open", { hint: "Try again." });
    };
    const { path } = await listen({ snapshot });
    await expect(askDaemon(path, { command: "snapshot", database: "/x" })).rejects.toMatchObject({
      code: "DATABASE_LOCKED",
      message: "not open",
      hint: "Try again.",
    });
  });

  test.each([
    ["another version", '{"version":2,"command":"status"}', "of another version: it speaks version 1"],
    ["none", '{"command":"status"}', "of another version"],
    ["an unknown command", '{"version":1,"command":"dance"}', "does not know this request"],
    ["a snapshot of nothing", '{"version":1,"command":"snapshot"}', "does not know this request"],
    ["no JSON", "what?", "got no request"],
    ["no object", "null", "of another version"],
  ])("%s: refused, and the daemon goes on", async (_, line, message) => {
    const { path } = await listen();
    expect(await raw(path, `${line}\n`)).toEqual({
      error: {
        code: "USAGE",
        message: expect.stringContaining(message),
        ...(message !== "got no request" && { hint: expect.any(String) }),
      },
    });
    expect((await askDaemon(path, { command: "status" })).pid).toBe(7);
  });

  test("a line without an end is not collected for ever", async () => {
    const { path } = await listen();
    expect(await raw(path, "x".repeat(70_000))).toBeUndefined();
  });

  test("a large answer comes whole", async () => {
    const databases = Array.from({ length: 10_000 }, (_, index) =>
      databaseStatus({ name: `täglich-${index}` }),
    );
    const many = daemonDocument({ pid: 1, version: "1", startedAtMs: 0, storage: "s", databases });
    const { path } = await listen({ status: () => many });
    const { databases: got } = await askDaemon(path, { command: "status" });
    expect(got.length).toBe(10_000);
    expect(got.at(-1)?.name).toBe("täglich-9999");
  });

  test("nobody there, and somebody who says nothing", async () => {
    const folder = privateFolder();
    const gone = join(folder, "gone.sock");
    await expect(askDaemon(gone, { command: "status" })).rejects.toMatchObject({
      code: "NOT_RUNNING",
      exitCode: 1,
    });
    const mute = createServer((socket) => socket.destroy());
    await new Promise<void>((resolve) => mute.listen(join(folder, "mute.sock"), resolve));
    onTestFinished(() => void mute.close());
    await expect(askDaemon(join(folder, "mute.sock"), { command: "status" })).rejects.toMatchObject({
      code: "LOCAL_IO",
    });
  });
});

describe("where the socket is", () => {
  test("in the folder of this user's daemons, under its pid; away at the end", async () => {
    const folder = privateFolder();
    const server = await ControlServer.listen(handlers(), [folder]);
    expect({ name: basename(server.path), isFindable: server.isFindable }).toEqual({
      name: `${process.pid}.sock`,
      isFindable: true,
    });
    await server.close();
    expect(readdirSync(folder)).toEqual([]);
  });

  test("two with one pid, and what a crash left behind under it", async () => {
    const folder = privateFolder();
    crashed(folder, `${process.pid}.sock`);
    const first = await listen({}, folder);
    const second = await listen({ status: () => document(8) }, folder);
    expect([first, second].map(({ path }) => basename(path))).toEqual([
      `${process.pid}.sock`,
      `${process.pid}-1.sock`,
    ]);
    const { daemons } = await find([folder]);
    expect(daemons.map(({ pid }) => pid)).toEqual([7, 8]);
  });

  test("no folder can be used: one of its own, that goes with it", async () => {
    const server = await ControlServer.listen(handlers(), []);
    expect(server.isFindable).toBe(false);
    expect(statSync(dirname(server.path)).mode & 0o777).toBe(0o700);
    expect((await askDaemon(server.path, { command: "status" })).pid).toBe(7);
    await server.close();
    expect(existsSync(dirname(server.path))).toBe(false);
  });

  test.each([
    [
      "runtime folder first",
      { runtimeDir: "/run/user/5", temporaryDir: "/var/tmp", uid: 5 },
      ["/run/user/5/walrust", "/var/tmp/walrust-5"],
    ],
    ["no runtime folder", { runtimeDir: "", temporaryDir: "/tmp", uid: 5 }, ["/tmp/walrust-5"]],
    ["a relative one is none", { runtimeDir: "run", temporaryDir: "/tmp", uid: 0 }, ["/tmp/walrust-0"]],
    [
      "too long for a socket",
      { runtimeDir: `/${"x".repeat(90)}`, temporaryDir: `/${"ä".repeat(45)}`, uid: 5 },
      ["/tmp/walrust-5"],
    ],
  ])("%s", (_, place, folders) => {
    expect(socketFolders(place)).toEqual(folders);
  });

  test("a folder that is not ours alone is not used, and not looked into", () => {
    const root = privateFolder();
    const [open, link, file, good] = ["open", "link", "file", "good"].map((name) => join(root, name)) as [
      string,
      string,
      string,
      string,
    ];
    mkdirSync(open);
    chmodSync(open, 0o755);
    writeFileSync(join(open, "1.sock"), "");
    const elsewhere = join(root, "elsewhere");
    mkdirSync(elsewhere, { mode: 0o700 });
    symlinkSync(elsewhere, link);
    writeFileSync(file, "");
    const missing = join(root, "no", "such", "parent");
    expect(openSocketFolder([missing, open, link, file])).toBeUndefined();
    expect(listSockets([missing, open, link, file])).toEqual([]);
    expect(openSocketFolder([open, good])).toBe(good);
    expect(statSync(good).mode & 0o777).toBe(0o700);
    expect(openSocketFolder([good]), "again").toBe(good);
  });

  test("somebody else's folder is neither used nor looked into", () => {
    const folder = privateFolder();
    writeFileSync(join(folder, "1.sock"), "");
    expect(listSockets([folder])).toHaveLength(1);
    vi.spyOn(process, "getuid").mockReturnValue(4242);
    onTestFinished(() => void vi.restoreAllMocks());
    expect(openSocketFolder([folder])).toBeUndefined();
    expect(listSockets([folder])).toEqual([]);
  });
});

describe("finding daemons", () => {
  test("all that answer, by pid; sockets of the dead are removed, of the living not", async () => {
    const folder = privateFolder();
    const [first, second] = [
      await ControlServer.listen(handlers({ status: () => document(9) }), [folder]),
      await listen({}, folder),
    ];
    onTestFinished(() => first.close());
    crashed(folder, "4194999.sock"); // beyond the largest pid
    crashed(folder, `${process.ppid}.sock`);
    writeFileSync(join(folder, "notes.txt"), "");
    const { daemons, failures } = await find([folder]);
    expect(daemons.map(({ pid }) => pid)).toEqual([7, 9]);
    expect(failures).toEqual([]);
    const left = [first.path, second.path].map((path) => basename(path));
    expect(readdirSync(folder).sort()).toEqual([...left, `${process.ppid}.sock`, "notes.txt"].sort());
  });

  test("one that does not answer does not hide the others", async () => {
    const folder = privateFolder();
    let isAsked = false;
    const status = () => {
      isAsked = true;
      return document();
    };
    await listen({ status }, folder);
    const stuck = createServer(() => {});
    await new Promise<void>((resolve) => stuck.listen(join(folder, "1.sock"), resolve));
    onTestFinished(() => void stuck.close());
    const clock = new ManualClock();
    const found = find([folder], clock);
    await vi.waitUntil(() => isAsked && clock.sleepers === 1, { timeout: 40_000 }); // the other one's answer is there
    await clock.advance(6000);
    expect(await found).toMatchObject({ daemons: [{ pid: 7 }], failures: [{ code: "LOCAL_IO" }] });
  });

  test("nobody: it is said, and who else may have one", () => {
    expect(noDaemon([]).hint).toContain("`walrust watch` starts one");
    const root = tempFolder();
    const own = process.getuid?.() ?? 0;
    for (const name of [`walrust-${own}`, "walrust-4242", "walrust-demo"]) mkdirSync(join(root, name));
    const folders = [join(root, `walrust-${own}`)];
    expect(otherUsers(folders)).toEqual([4242]);
    expect(noDaemon(folders)).toMatchObject({
      code: "NOT_RUNNING",
      hint: expect.stringContaining("sudo -u '#4242' walrust status"),
    });
  });
});

/** A socket file that nobody listens on. */
function crashed(folder: string, name: string): void {
  const path = join(folder, name);
  const script =
    "require('net').createServer().listen(process.argv[1], () => process.kill(process.pid, 'SIGKILL'))";
  spawnSync(process.execPath, ["-e", script, path]);
  expect(existsSync(path)).toBe(true);
}
