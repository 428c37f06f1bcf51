import { execFileSync } from "node:child_process";
import { readdirSync, renameSync, statSync } from "node:fs";
import { join } from "node:path";
import type Database from "better-sqlite3";
import { describe, expect, test } from "vitest";
import { Capture } from "../../src/replication/capture.ts";
import type { DatabaseLink } from "../../src/sqlite/link.ts";
import { startOf } from "../../src/wal/position.ts";
import { LogScanner } from "../../src/wal/scanner.ts";
import { ManualClock } from "../helpers/manual-clock.ts";
import { GrowingLog, PAGE_SIZE } from "../helpers/replication/frame-runs.ts";
import { leaveDeadCommit } from "../helpers/sqlite/dead-commit.ts";
import { logHeader, openLink, testCore } from "../helpers/sqlite/probe.ts";
import { checkpoint, insert, openApp, tempDatabase, tempFolder } from "../helpers/sqlite/temp-database.ts";

interface Scene {
  readonly app: Database.Database;
  readonly link: DatabaseLink;
  readonly capture: Capture;
  readonly folder: string;
  readonly clock: ManualClock;
}

/** A pinned database whose log is captured up to its end, nothing pending. */
function scene(app: Database.Database = tempDatabase()): Scene {
  const link = openLink(app.name);
  expect(link.pin()).toBe(true);
  const folder = tempFolder();
  const clock = new ManualClock();
  const capture = new Capture(
    {
      log: link,
      scanner: new LogScanner(testCore()),
      clock,
      pageSizeBytes: link.facts.pageSizeBytes,
      txidUnit: "commit",
      segmentFolder: folder,
      isOfThisRun: true,
    },
    { txid: 10n, commitPages: 3, log: undefined },
  );
  capture.pinned();
  const header = logHeader(link);
  if (header) capture.restartAt({ txid: 10n, commitPages: 3, log: startOf(header) });
  expect(capture.drain()).toMatchObject({ kind: "captured" });
  capture.restartAt({ ...capture.state, txid: 10n });
  return { app, link, capture, folder, clock };
}

const captured = (commits: number) => ({ kind: "captured", commits });

/** Moves the pin as a handover does. */
function movePin({ link, capture }: Scene): void {
  expect(capture.drain()).toMatchObject({ kind: "captured" });
  expect(link.movePin()).toBe(true);
  capture.pinned();
}

describe("append", () => {
  test("each commit is a TXID, with the size and the place behind it", async () => {
    const { app, capture, link, clock } = scene();
    expect(await capture.capture()).toEqual(captured(0));
    for (let i = 0; i < 3; i += 1) insert(app);
    clock.pass(50);
    expect(await capture.capture()).toEqual(captured(3));
    expect(capture.state).toMatchObject({ txid: 13n, commitPages: 2 });
    expect(capture.pending.runs).toMatchObject([
      {
        txidBefore: 10n,
        commits: 3n,
        capturedAtMs: clock.now(),
        waitingSinceMs: 50,
        source: { kind: "log" },
      },
    ]);
    insert(app, 2000);
    expect(capture.captureNow()).toEqual(captured(1));
    expect(capture.state.commitPages).toBe(app.pragma("page_count", { simple: true }));
    expect(capture.state.log?.offset).toBe(link.walSize());
    expect(capture.pending.runs).toHaveLength(1);
    expect(capture.look()).toEqual({ kind: "idle" });
  });

  test("from another process and another SQLite", async () => {
    const { app, capture } = scene();
    execFileSync("python3", [
      "-c",
      `import sqlite3, sys
db = sqlite3.connect(sys.argv[1])
for i in range(5):
    with db: db.execute("INSERT INTO t(body) VALUES('python')")
`,
      app.name,
    ]);
    expect(await capture.capture()).toEqual(captured(5));
  });

  test("an open transaction that spilled into the log is not captured; what it commits in the end is", async () => {
    const { app, capture, link } = scene();
    insert(app);
    expect(await capture.capture()).toEqual(captured(1));
    const end = link.walSize();
    app.pragma("cache_size=5");
    app.exec("BEGIN");
    const statement = app.prepare("INSERT INTO t(body) VALUES(?)");
    for (let row = 0; row < 3000; row += 1) statement.run("x".repeat(100));
    expect(link.walSize(), "frames were spilled").toBeGreaterThan(end);
    expect(await capture.capture()).toEqual(captured(0));
    expect(capture.state.log?.offset).toBe(end);
    app.exec("COMMIT");
    expect(await capture.capture()).toEqual(captured(1));
    expect(capture.state.txid).toBe(12n);
  });

  test("nor is what was rolled back, though it stays in the log with current salts", async () => {
    const { app, capture, link } = scene();
    app.pragma("cache_size=5");
    app.exec("BEGIN");
    const statement = app.prepare("INSERT INTO t(body) VALUES(?)");
    for (let row = 0; row < 3000; row += 1) statement.run("x".repeat(100));
    const spilled = link.walSize();
    expect(await capture.capture()).toEqual(captured(0));
    app.exec("ROLLBACK");
    expect(await capture.capture()).toEqual(captured(0));
    insert(app);
    expect(await capture.capture()).toEqual(captured(1));
    expect(capture.state.log?.offset).toBeLessThan(spilled);
  });

  test("what a dead writer left is no commit, and the next commit is found in its place", async () => {
    const { app, capture, link } = scene();
    insert(app);
    expect(await capture.capture()).toEqual(captured(1));
    const end = link.walSize();
    leaveDeadCommit(app.name, (twin) => twin.exec("UPDATE t SET body = 'phantom'"));
    expect(link.walSize()).toBeGreaterThan(end);
    expect(await capture.capture()).toEqual(captured(0));
    expect(capture.state.log?.offset).toBe(end);
    insert(app);
    expect(await capture.capture()).toEqual(captured(1));
    expect(await capture.capture()).toEqual(captured(0));
  });

  test("nor is it behind commits that are still to be captured", async () => {
    const { app, capture } = scene();
    insert(app);
    insert(app);
    leaveDeadCommit(app.name, (twin) => twin.exec("UPDATE t SET body = 'phantom'"));
    expect(await capture.capture()).toEqual(captured(2));
    expect(await capture.capture()).toEqual(captured(0));
    insert(app);
    expect(await capture.capture()).toEqual(captured(1));
  });

  test("a transaction of many pieces lets others run", async () => {
    const { app, capture } = scene();
    app.exec(
      "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000) INSERT INTO t(body) SELECT hex(randomblob(2000)) FROM n",
    );
    let turns = 0;
    const turn = () => {
      turns += 1;
      timer = setImmediate(turn);
    };
    let timer = setImmediate(turn);
    expect(await capture.capture()).toEqual(captured(1));
    clearImmediate(timer);
    expect(turns).toBeGreaterThan(3);
  });
});

describe("a pin", () => {
  test("at mark 0: a restart is proved, and goes on at the start of the new log", async () => {
    const at = scene();
    insert(at.app, 50);
    movePin(at);
    checkpoint(at.app, "PASSIVE");
    movePin(at); // all backfilled: mark 0
    expect(checkpoint(at.app, "RESTART")[0]).toBe(0);
    insert(at.app);
    insert(at.app);
    const generation = logHeader(at.link);
    expect(await at.capture.capture()).toEqual(captured(2));
    expect(at.capture.state).toMatchObject({ txid: 13n, log: { salt1: generation?.salt1 } });
    expect(at.capture.pending.runs.map((run) => run.source.kind)).toEqual(["segment", "log"]);
    expect(at.capture.frames).toBeGreaterThan(0);
  });

  test.each([
    { name: "fewer frames than were captured", before: 6, after: 2 },
    { name: "just as many", before: 3, after: 3 },
    { name: "more", before: 3, after: 7 },
  ])("at mark 0: a restart is proved, whatever comes then is captured: $name", async ({ before, after }) => {
    const at = scene();
    const frames = () => at.link.index()?.frames ?? 0;
    for (let commit = 0; commit < before; commit += 1) insert(at.app);
    movePin(at);
    checkpoint(at.app, "PASSIVE");
    movePin(at);
    const framesBefore = frames();
    expect(checkpoint(at.app, "RESTART")[0]).toBe(0);
    for (let commit = 0; commit < after; commit += 1) insert(at.app);
    expect(Math.sign(frames() - framesBefore), "of another length than it should be").toBe(
      Math.sign(after - before),
    );
    expect(await at.capture.capture()).toEqual(captured(after));
    expect(at.capture.state.txid).toBe(10n + BigInt(before + after));
  });

  test("at mark 0: TRUNCATE, commits, TRUNCATE again: each time proved, after a drain in between", async () => {
    const at = scene();
    for (let round = 0; round < 3; round += 1) {
      insert(at.app, 5);
      movePin(at);
      checkpoint(at.app, "PASSIVE");
      movePin(at);
      expect(checkpoint(at.app, "TRUNCATE")[0], `round ${round}`).toBe(0);
      expect(statSync(`${at.app.name}-wal`).size).toBe(0);
      expect(await at.capture.capture(), "an empty log hides nothing").toEqual(captured(0));
    }
    insert(at.app);
    expect(await at.capture.capture()).toEqual(captured(1));
    expect(at.capture.state.txid).toBe(14n);
  });

  test("at mark 0: TRUNCATE twice in a row, nothing in between", async () => {
    const at = scene();
    insert(at.app, 5);
    movePin(at);
    checkpoint(at.app, "PASSIVE");
    movePin(at);
    expect(checkpoint(at.app, "TRUNCATE")[0]).toBe(0);
    expect(checkpoint(at.app, "TRUNCATE")[0]).toBe(0);
    insert(at.app);
    expect(await at.capture.capture()).toEqual(captured(1));
  });

  test("at mark 0, with commits since: the application cannot restart it once more", async () => {
    const at = scene();
    insert(at.app, 5);
    movePin(at);
    checkpoint(at.app, "PASSIVE");
    movePin(at);
    expect(checkpoint(at.app, "RESTART")[0]).toBe(0);
    insert(at.app);
    expect(checkpoint(at.app, "TRUNCATE")[0], "hindered").toBe(1);
    insert(at.app);
    expect(await at.capture.capture()).toEqual(captured(2));
  });

  test("nothing is copied while it is held; a drain copies what is pending", async () => {
    const { app, capture, folder } = scene();
    insert(app);
    await capture.capture();
    expect(readdirSync(folder)).toEqual([]);
    expect(await capture.drainInSlices()).toEqual(captured(0));
    expect(readdirSync(folder)).toHaveLength(1);
    insert(app);
    expect(capture.drain()).toEqual(captured(1));
    expect(readdirSync(folder)).toHaveLength(2);
    expect(capture.pending.isSecured).toBe(true);
  });
});

describe("a gap", () => {
  test("a restart without a pin", async () => {
    const at = scene();
    insert(at.app, 5);
    expect(await at.capture.capture()).toEqual(captured(1));
    at.link.unpin();
    at.capture.unpinned();
    expect(checkpoint(at.app, "RESTART")[0]).toBe(0);
    insert(at.app);
    expect(await at.capture.capture()).toEqual({ kind: "gap", reason: "log-restarted-unwatched" });
    expect(at.capture.state.txid, "nothing was taken").toBe(11n);
  });

  test("TRUNCATE without a pin", async () => {
    const at = scene();
    insert(at.app, 5);
    expect(await at.capture.capture()).toEqual(captured(1));
    at.link.unpin();
    at.capture.unpinned();
    expect(checkpoint(at.app, "TRUNCATE")[0]).toBe(0);
    expect(await at.capture.capture()).toEqual({ kind: "gap", reason: "log-vanished" });
  });

  test("without a pin, an unchanged generation is proof enough", async () => {
    const at = scene();
    insert(at.app);
    expect(await at.capture.capture()).toEqual(captured(1));
    at.link.unpin();
    at.capture.unpinned();
    insert(at.app);
    expect(await at.capture.capture()).toEqual(captured(1));
    expect(at.capture.drain()).toEqual(captured(0));
  });

  test("a restart before what the pin protected was secured", async () => {
    const at = scene();
    insert(at.app, 5);
    movePin(at);
    checkpoint(at.app, "PASSIVE");
    expect(at.link.movePin()).toBe(true);
    at.capture.unpinned(); // somebody lost count: the pin counts for nothing
    insert(at.app);
    expect((await at.capture.capture()).kind).toBe("gap");
  });

  /** No pin, everything secured, and a restart before our eyes can be proved by what is left in the file. */
  function unpinnedScene(): Scene {
    const at = scene();
    for (let i = 0; i < 10; i += 1) insert(at.app);
    expect(at.capture.drain()).toEqual(captured(10));
    at.link.unpin();
    at.capture.unpinned();
    return at;
  }

  function restart({ app }: Scene): void {
    expect(checkpoint(app, "RESTART")[0]).toBe(0);
    insert(app);
  }

  test("a restart without a pin over what was captured and is nowhere else", async () => {
    const at = unpinnedScene();
    restart(at);
    insert(at.app);
    expect(await at.capture.capture()).toEqual(captured(2));
    restart(at);
    expect(await at.capture.capture()).toEqual({ kind: "gap", reason: "log-restarted-before-secured" });
    expect(at.capture.drain().kind).toBe("gap");
    expect((await at.capture.drainInSlices()).kind).toBe("gap");
  });

  test("a restart without a pin over what was secured", async () => {
    const at = unpinnedScene();
    restart(at);
    insert(at.app);
    expect(await at.capture.drainInSlices()).toEqual(captured(2));
    restart(at);
    expect(await at.capture.capture()).toEqual(captured(1));
  });

  test.each(["drain", "drainInSlices"] as const)("a restart during a %s without a pin", async (drain) => {
    const at = unpinnedScene();
    insert(at.app);
    const { pending } = at.capture;
    const secure = pending.secure.bind(pending);
    pending.secure = (folder) => {
      restart(at);
      secure(folder);
    };
    pending.secureInSlices = async (folder) => pending.secure(folder);
    expect(await at.capture[drain]()).toEqual({ kind: "gap", reason: "log-restarted-before-secured" });
  });

  test("the file was replaced", async () => {
    const at = scene();
    insert(at.app);
    const other = tempDatabase({ rows: 30 });
    checkpoint(other, "TRUNCATE");
    other.close();
    renameSync(other.name, at.app.name);
    expect(await at.capture.capture()).toEqual({ kind: "gap", reason: "file-replaced" });
    expect(at.capture.drain()).toEqual({ kind: "gap", reason: "file-replaced" });
  });

  test("frames that we took for committed are gone", async () => {
    const { app, capture, link } = scene();
    insert(app);
    expect(await capture.capture()).toEqual(captured(1));
    const { log } = capture.state;
    capture.restartAt({ ...capture.state, log: log && { ...log, checksum1: log.checksum1 ^ 1 } });
    expect(await capture.capture()).toEqual({ kind: "gap", reason: "log-rewritten" });
    expect(link.pinned).toBe(true);
  });

  test("frames that SQLite counts do not read as such", async () => {
    const { app, capture, link } = scene();
    insert(app);
    expect(await capture.capture()).toEqual(captured(1));
    insert(app);
    insert(app);
    const end = capture.state.log?.offset ?? 0;
    execFileSync("python3", [
      "-c",
      "import sys; f = open(sys.argv[1], 'r+b'); f.seek(int(sys.argv[2])); f.write(b'damage')",
      `${app.name}-wal`,
      String(end + 200),
    ]);
    expect(await capture.capture()).toEqual({ kind: "gap", reason: "log-unreadable" });
    expect(capture.state.txid).toBe(11n);
    expect(link.pinned).toBe(true);
  });
});

test("SQLite allows one restart under a pin: a second one proves that something else is wrong", async () => {
  const logs = [1, 2, 3].map((salt1) => new GrowingLog({ sequence: salt1, salt1 }));
  let live = logs[0] as GrowingLog;
  const capture = new Capture(
    {
      log: {
        readWal: (into, offset) => live.read(into, offset),
        index: () => live.index(),
        samePath: () => true,
      },
      scanner: new LogScanner(testCore()),
      clock: new ManualClock(),
      pageSizeBytes: PAGE_SIZE,
      txidUnit: "commit",
      segmentFolder: tempFolder(),
      isOfThisRun: true,
    },
    { txid: 0n, commitPages: 0, log: undefined },
  );
  capture.pinned();
  const outcomes: unknown[] = [];
  for (const [i, log] of logs.entries()) {
    log.run(0n, [[1], [2]]);
    live = log;
    outcomes.push(await capture.capture());
    capture.drain();
    if (i === 0) capture.pinned(); // moved to the end of the first
  }
  expect(outcomes).toEqual([
    ...[captured(2), captured(2)],
    { kind: "gap", reason: "log-restarted-before-secured" },
  ]);
});

test("no log at all, then the first commit", async () => {
  const app = tempDatabase();
  const path = app.name;
  app.close(); // the last close deletes the log
  expect(readdirSync(join(path, ".."))).not.toContain("app.db-wal");
  const link = openLink(path);
  expect(link.pin()).toBe(true);
  const capture = new Capture(
    {
      log: link,
      scanner: new LogScanner(testCore()),
      clock: new ManualClock(),
      pageSizeBytes: link.facts.pageSizeBytes,
      txidUnit: "commit",
      segmentFolder: tempFolder(),
      isOfThisRun: true,
    },
    { txid: 1n, commitPages: 2, log: undefined },
  );
  expect(capture.drain(), "who knows what happened before the pin").toEqual({
    kind: "gap",
    reason: "log-vanished",
  });
  capture.pinned();
  expect(capture.drain()).toEqual(captured(0));
  insert(openApp(path));
  expect(await capture.capture()).toEqual(captured(1));
  expect(capture.state).toMatchObject({ txid: 2n });
});
