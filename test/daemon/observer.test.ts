import { readdirSync, rmSync } from "node:fs";
import { dirname } from "node:path";
import { beforeEach, describe, expect, onTestFinished, test, vi } from "vitest";
import { Replica } from "../../src/replication/replica.ts";
import { DatabaseLink } from "../../src/sqlite/link.ts";
import { Watched, type WatchedOptions } from "../helpers/daemon/watched.ts";
import { Stage } from "../helpers/replication/stage.ts";
import { checkpoint, insert, tempFolder } from "../helpers/sqlite/temp-database.ts";

let stage: Stage;
let watched: Watched;

async function begin(options: WatchedOptions = {}): Promise<void> {
  const sync = { observe: true, ...options.sync };
  watched = await Watched.begin(stage, { ...options, sync, daemon: { shadowDir: tempFolder() } });
}

beforeEach(() => {
  stage = new Stage();
  rmSync(stage.folder.path, { recursive: true });
});

test("a copy without a lock, a checkpoint, or a file beside the database", async () => {
  const barrier = vi.spyOn(DatabaseLink.prototype, "tryBarrier");
  const passive = vi.spyOn(DatabaseLink.prototype, "passive");
  const truncate = vi.spyOn(DatabaseLink.prototype, "truncate");
  onTestFinished(() => void vi.restoreAllMocks());
  await begin({ sync: { minCheckpointPages: 1, checkpointIntervalMs: 1000, walTruncateThresholdPages: 10 } });
  for (let round = 0; round < 20; round += 1) {
    insert(stage.app, 10);
    await stage.clock.advance(2000);
  }
  await stage.clock.advance(10_000);
  expect([barrier, passive, truncate].map((call) => call.mock.calls.length)).toEqual([0, 0, 0]);
  expect(readdirSync(dirname(stage.path)).sort()).toEqual(["app.db", "app.db-shm", "app.db-wal"]);
  expect(stage.app.pragma("wal_checkpoint(PASSIVE)")).toMatchObject([{ checkpointed: expect.any(Number) }]);
  await stage.expectWhole();
});

describe("the application's own checkpoints", () => {
  test("find the pin out of their way after some quiet, and the log begins anew without a gap", async () => {
    await begin();
    for (let round = 0; round < 5; round += 1) {
      insert(stage.app, 50);
      await stage.clock.advance(5000);
      checkpoint(stage.app, "PASSIVE");
      await stage.clock.advance(5000);
      expect(checkpoint(stage.app, "RESTART")[0], `round ${round}`).toBe(0);
    }
    expect(watched.of("gap_repaired")).toEqual([]);
    expect(watched.of("handover").length).toBeGreaterThan(0);
    await stage.expectWhole();
  });

  test("where it never pauses, the log is let go once it is long", async () => {
    const letGo = vi.spyOn(Replica.prototype, "letGoFor");
    onTestFinished(() => void vi.restoreAllMocks());
    await begin({ sync: { minCheckpointPages: 2, checkpointIntervalMs: 100 } });
    for (let round = 0; round < 250; round += 1) {
      for (let commit = 0; commit < 10; commit += 1) insert(stage.app, 2);
      await stage.clock.advance(40);
    }
    expect(letGo).toHaveBeenCalled();
    await stage.clock.advance(10_000);
    expect(watched.of("published").length).toBeGreaterThan(0);
    await stage.expectWhole();
  });
});
