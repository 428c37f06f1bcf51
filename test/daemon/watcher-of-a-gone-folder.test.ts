import { join } from "node:path";
import { expect, test, vi } from "vitest";
import { FolderWatcher } from "../../src/daemon/watcher.ts";
import { ManualClock } from "../helpers/manual-clock.ts";
import { tempFolder } from "../helpers/sqlite/temp-database.ts";

/** What inotify says when the folder was deleted a moment ago, and its watch with it. */
vi.mock("@parcel/watcher", () => ({
  default: {
    subscribe: async () => ({
      unsubscribe: () => Promise.reject(new Error("Unable to remove watcher: Invalid argument")),
    }),
  },
}));

test("a watch that went with its folder is no failure: not at the end, and not when hints come by the clock", async () => {
  const clock = new ManualClock();
  const unwatchable = vi.fn();
  const watcher = new FolderWatcher(clock, unwatchable);
  const folder = tempFolder();
  const busy = join(folder, "busy.db");
  const other = { hint: vi.fn() };
  await watcher.watch(busy, { hint: vi.fn() });
  await watcher.watch(join(folder, "other.db"), other);
  watcher.setBusy(busy, true);
  await clock.advance(50);
  expect(other.hint).toHaveBeenCalled();
  watcher.setBusy(busy, false);
  await watcher.close();
  expect(unwatchable).not.toHaveBeenCalled();
});
