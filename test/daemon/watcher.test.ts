import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import type { Clock } from "../../src/clock.ts";
import { FolderWatcher } from "../../src/daemon/watcher.ts";
import { createShadowFolder, shadowFolder } from "../../src/shadow/shadow-folder.ts";
import { ManualClock } from "../helpers/manual-clock.ts";
import { tempFolder } from "../helpers/sqlite/temp-database.ts";

function aWatcher(clock: Clock = new ManualClock()) {
  const unwatchable: string[] = [];
  const watcher = new FolderWatcher(clock, (folder) => unwatchable.push(folder));
  onTestFinished(() => watcher.close());
  return { watcher, unwatchable };
}

/** A task that counts its hints. */
function aTask() {
  return { hint: vi.fn() };
}

/** Writes until the hint comes: the system tells when it pleases. */
async function untilHinted({ hint }: ReturnType<typeof aTask>, path: string): Promise<void> {
  let writes = 0;
  await vi.waitUntil(
    () => {
      writes += 1;
      writeFileSync(path, `${writes}`);
      return hint.mock.calls.length > 0;
    },
    { timeout: 40_000, interval: 50 },
  );
}

test("the database or its log changes: its hint, and nobody else's", async () => {
  const { watcher } = aWatcher();
  const folder = tempFolder();
  const [a, b] = [aTask(), aTask()];
  await watcher.watch(join(folder, "a.db"), a);
  await watcher.watch(join(folder, "b.db"), b);
  await untilHinted(a, join(folder, "a.db-wal"));
  expect(b.hint).not.toHaveBeenCalled();
  await untilHinted(b, join(folder, "b.db"));
});

test("what lies beside it, in subfolders too, is nothing", async () => {
  const { watcher } = aWatcher();
  const folder = tempFolder();
  const hinted = aTask();
  mkdirSync(join(folder, "sub"));
  await watcher.watch(join(folder, "a.db"), hinted);
  for (const name of ["sub/a.db", "a.db-shm", "a.db.bak"]) writeFileSync(join(folder, name), "x");
  const last = aTask();
  await watcher.watch(join(folder, "last"), last);
  await untilHinted(last, join(folder, "last")); // events come in order
  expect(hinted.hint).not.toHaveBeenCalled();
});

/** Inodes that this process watches, as the system tells them. */
function watchedInodes(): readonly number[] {
  return readdirSync("/proc/self/fdinfo").flatMap((fd) => {
    const path = `/proc/self/fdinfo/${fd}`;
    const info = existsSync(path) ? readFileSync(path, "latin1") : ""; // the one that read the folder is gone
    return [...info.matchAll(/^inotify wd:\S+ ino:([0-9a-f]+)/gm)].map(([, ino = ""]) =>
      Number.parseInt(ino, 16),
    );
  });
}

describe.runIf(process.platform === "linux")("what is watched", () => {
  const inodeOf = (path: string) => statSync(path).ino;

  test("neither our own folders nor the subfolders that are there", async () => {
    const { watcher } = aWatcher();
    const parent = tempFolder();
    const before = shadowFolder(join(parent, "before.db"));
    const after = shadowFolder(join(parent, "after.db"));
    createShadowFolder(before);
    mkdirSync(join(parent, "sub"));
    const hinted = aTask();
    await watcher.watch(join(parent, "before.db"), hinted);
    expect(watchedInodes()).toContain(inodeOf(parent));
    createShadowFolder(after);
    mkdirSync(join(parent, "other"));
    await vi.waitUntil(() => watchedInodes().includes(inodeOf(join(parent, "other"))), { timeout: 40_000 }); // which comes after
    for (const path of [before.path, after.path, join(parent, "sub")])
      expect(watchedInodes()).not.toContain(inodeOf(path));
    await untilHinted(hinted, join(parent, "before.db-wal"));
  });

  test("a subfolder that came later is watched for its own databases alone", async () => {
    const { watcher } = aWatcher();
    const parent = tempFolder();
    const sub = join(parent, "sub");
    const hinted = aTask();
    await watcher.watch(join(parent, "a.db"), hinted);
    mkdirSync(sub);
    await vi.waitUntil(() => watchedInodes().includes(inodeOf(sub)), { timeout: 40_000 });
    await watcher.watch(join(sub, "b.db"), aTask());
    watcher.setBusy(join(sub, "b.db"), true);
    await vi.waitUntil(() => !watchedInodes().includes(inodeOf(sub)), { timeout: 40_000 });
    expect(watchedInodes()).toContain(inodeOf(parent));
    await untilHinted(hinted, join(parent, "a.db-wal"));
  });

  test("more subfolders than can be named, and one whose name is like a pattern, keep their watch", async () => {
    const { watcher } = aWatcher();
    const [many, few] = [tempFolder(), tempFolder()];
    for (let n = 0; n <= 100; n += 1) mkdirSync(join(many, `${n}`));
    for (const name of ["[a]", "b"]) mkdirSync(join(few, name));
    const hinted = aTask();
    for (const folder of [many, few]) await watcher.watch(join(folder, "a.db"), hinted);
    expect(watchedInodes()).toContain(inodeOf(join(many, "7")));
    expect(watchedInodes()).toContain(inodeOf(join(few, "[a]")));
    expect(watchedInodes()).not.toContain(inodeOf(join(few, "b")));
    await watcher.watch(join(many, "7/b.db"), aTask());
    await untilHinted(hinted, join(many, "a.db"));
  });
});

test("no hint once it is let go", async () => {
  const { watcher } = aWatcher();
  const folder = tempFolder();
  const [hinted, last] = [aTask(), aTask()];
  await watcher.watch(join(folder, "a.db"), hinted);
  watcher.unwatch(join(folder, "a.db"));
  await watcher.watch(join(folder, "b.db"), last);
  writeFileSync(join(folder, "a.db"), "x");
  await untilHinted(last, join(folder, "b.db"));
  expect(hinted.hint).not.toHaveBeenCalled();
});

test("a folder that cannot be watched is said, once, and is no failure", async () => {
  const { watcher, unwatchable } = aWatcher();
  const folder = join(tempFolder(), "gone");
  await watcher.watch(join(folder, "a.db"), aTask());
  await watcher.watch(join(folder, "b.db"), aTask());
  expect(unwatchable).toEqual([folder]);
  watcher.unwatch(join(folder, "a.db"));
});

test("behind a writer at full speed hints for the others come by the clock, and from the system again after it", async () => {
  const clock = new ManualClock();
  const { watcher } = aWatcher(clock);
  const folder = tempFolder();
  const [busy, other] = [aTask(), aTask()];
  await watcher.watch(join(folder, "busy.db"), busy);
  await watcher.watch(join(folder, "other.db"), other);
  watcher.setBusy(join(folder, "busy.db"), true);
  await clock.advance(50);
  expect(other.hint).toHaveBeenCalled();
  watcher.setBusy(join(folder, "busy.db"), false);
  other.hint.mockClear();
  await clock.advance(1000);
  expect(other.hint).not.toHaveBeenCalled();
  await untilHinted(other, join(folder, "other.db"));
});

test("where many want hints, the subscription stays", async () => {
  const clock = new ManualClock();
  const { watcher } = aWatcher(clock);
  const folder = tempFolder();
  const tasks = Array.from({ length: 17 }, aTask);
  for (const [index, task] of tasks.entries()) await watcher.watch(join(folder, `${index}.db`), task);
  watcher.setBusy(join(folder, "0.db"), true);
  await clock.advance(1000);
  for (const { hint } of tasks) expect(hint).not.toHaveBeenCalled();
  await untilHinted(tasks[5] ?? aTask(), join(folder, "5.db"));
});
