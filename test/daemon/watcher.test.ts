import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, onTestFinished, test, vi } from "vitest";
import { FolderWatcher } from "../../src/daemon/watcher.ts";
import { tempFolder } from "../helpers/sqlite/temp-database.ts";

function aWatcher() {
  const unwatchable: string[] = [];
  const watcher = new FolderWatcher((folder) => unwatchable.push(folder));
  onTestFinished(() => watcher.close());
  return { watcher, unwatchable };
}

/** Writes until the hint comes: the system tells when it pleases. */
async function untilHinted(hint: ReturnType<typeof vi.fn>, path: string): Promise<void> {
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
  const [a, b] = [vi.fn(), vi.fn()];
  await watcher.watch(join(folder, "a.db"), a);
  await watcher.watch(join(folder, "b.db"), b);
  await untilHinted(a, join(folder, "a.db-wal"));
  expect(b).not.toHaveBeenCalled();
  await untilHinted(b, join(folder, "b.db"));
});

test("what lies beside it, in subfolders too, is nothing", async () => {
  const { watcher } = aWatcher();
  const folder = tempFolder();
  const hint = vi.fn();
  mkdirSync(join(folder, "sub"));
  await watcher.watch(join(folder, "a.db"), hint);
  for (const name of ["sub/a.db", "a.db-shm", "a.db.bak"]) writeFileSync(join(folder, name), "x");
  const last = vi.fn();
  await watcher.watch(join(folder, "last"), last);
  await untilHinted(last, join(folder, "last")); // events come in order
  expect(hint).not.toHaveBeenCalled();
});

test("no hint once it is let go", async () => {
  const { watcher } = aWatcher();
  const folder = tempFolder();
  const [hint, last] = [vi.fn(), vi.fn()];
  (await watcher.watch(join(folder, "a.db"), hint))();
  await watcher.watch(join(folder, "b.db"), last);
  writeFileSync(join(folder, "a.db"), "x");
  await untilHinted(last, join(folder, "b.db"));
  expect(hint).not.toHaveBeenCalled();
});

test("a folder that cannot be watched is said, once, and is no failure", async () => {
  const { watcher, unwatchable } = aWatcher();
  const folder = join(tempFolder(), "gone");
  const unwatch = await watcher.watch(join(folder, "a.db"), () => {});
  await watcher.watch(join(folder, "b.db"), () => {});
  expect(unwatchable).toEqual([folder]);
  unwatch();
});
