import { spawn } from "node:child_process";
import { once } from "node:events";
import { statSync } from "node:fs";
import { expect, onTestFinished, test, vi } from "vitest";
import { systemClock } from "../../src/clock.ts";
import { CheckpointerWatch } from "../../src/sqlite/checkpointer-watch.ts";
import { ManualClock } from "../helpers/manual-clock.ts";
import { lockLine as lock } from "../helpers/sqlite/proc-locks.ts";
import { openApp, tempFolder } from "../helpers/sqlite/temp-database.ts";

const OWN_PID = 77;
const SHM = { dev: 1n, ino: 4711n };

/** A watch of a list that the test writes; how often it told, and how often it looked. */
function watched(text: { list: string | undefined }) {
  const clock = new ManualClock();
  const counts = { told: 0, looks: 0 };
  const readLocks = () => {
    counts.looks += 1;
    return text.list === undefined ? undefined : Buffer.from(text.list);
  };
  const watch = new CheckpointerWatch({ clock, readLocks, pid: OWN_PID });
  const unfollow = watch.follow(SHM, () => {
    counts.told += 1;
  });
  return { clock, counts, watch, unfollow };
}

test.each([
  ["the write lock and the checkpoint lock of another process", lock(5, 4711, "120 121"), 1],
  [
    "behind other locks",
    `${lock(5, 9, "120 121")}${lock(6, 4711, "123 123", "READ")}${lock(5, 4711, "120 121")}`,
    1,
  ],
  ["our own barrier", lock(OWN_PID, 4711, "120 121"), 0],
  ["a writer", lock(5, 4711, "120 120"), 0],
  ["an autocheckpoint", lock(5, 4711, "121 121"), 0],
  ["one that got what it waited for", lock(5, 4711, "120 123"), 0],
  ["another database", lock(5, 4712, "120 121"), 0],
  ["an inode that ends alike", lock(5, 14711, "120 121"), 0],
  ["nothing", "", 0],
])("%s", async (_, list, told) => {
  const { clock, counts } = watched({ list });
  await clock.advance(20);
  expect(counts).toEqual({ told, looks: 1 });
});

test("it is told again as long as it lasts, and nothing is looked at once nobody follows", async () => {
  const { clock, counts, unfollow } = watched({ list: lock(5, 4711, "120 121") });
  await clock.advance(100);
  expect(counts).toEqual({ told: 5, looks: 5 });
  unfollow();
  await clock.advance(1000);
  expect(counts).toEqual({ told: 5, looks: 5 });
  expect(clock.sleepers).toBe(0);
});

test("who follows again later is told again", async () => {
  const { clock, counts, watch, unfollow } = watched({ list: lock(5, 4711, "120 121") });
  unfollow();
  await clock.advance(100);
  const told = vi.fn();
  watch.follow(SHM, told);
  await clock.advance(20);
  expect([told.mock.calls.length, counts.told]).toEqual([1, 0]);
});

test("a long list is looked at more seldom", async () => {
  const { clock, counts } = watched({ list: lock(5, 9, "124 124", "READ").repeat(3000) });
  await clock.advance(1000);
  expect(counts.looks).toBeLessThan(8);
});

test("where there is no list, it is looked for once", async () => {
  const { clock, counts } = watched({ list: undefined });
  await clock.advance(1000);
  expect(counts).toEqual({ told: 0, looks: 1 });
});

test.runIf(process.platform === "linux")("a real TRUNCATE that waits for a reader is seen", async () => {
  const path = `${tempFolder()}/app.db`;
  const app = openApp(path);
  app.pragma("journal_mode = WAL");
  app.exec("CREATE TABLE t(a); BEGIN; SELECT * FROM t");
  const script =
    "import sqlite3, sys; c = sqlite3.connect(sys.argv[1], timeout=20, isolation_level=None); c.execute('INSERT INTO t VALUES(1)'); c.execute('PRAGMA wal_checkpoint(TRUNCATE)')";
  const child = spawn("python3", ["-c", script, path], { stdio: "inherit" });
  onTestFinished(() => void child.kill("SIGKILL"));
  const told = vi.fn();
  const { dev, ino } = statSync(`${path}-shm`, { bigint: true });
  const unfollow = new CheckpointerWatch({ clock: systemClock }).follow({ dev, ino }, told);
  await vi.waitFor(() => expect(told).toHaveBeenCalled(), { timeout: 40_000 });
  unfollow();
  app.exec("COMMIT");
  const [code] = await once(child, "exit");
  expect(code).toBe(0);
});
