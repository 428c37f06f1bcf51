import { copyFileSync, readdirSync, readlinkSync, renameSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, describe, expect, test } from "vitest";
import { Parking } from "../../src/daemon/parking.ts";
import { Watched, type WatchedOptions } from "../helpers/daemon/watched.ts";
import { Stage } from "../helpers/replication/stage.ts";
import { checkpoint, insert, openApp, tempDatabase } from "../helpers/sqlite/temp-database.ts";

/** As many other databases are open as it takes for a quiet one to be parked. */
function crowded(stage: Stage): Parking {
  const parking = new Parking(stage.clock, stage.storage);
  for (let others = 0; others < 8; others += 1) parking.opened();
  return parking;
}

let stage: Stage;
let watched: Watched;

async function begin(options: WatchedOptions = {}): Promise<void> {
  watched = await Watched.begin(stage, { parking: crowded(stage), ...options });
  await parked(1);
}

/** Until it was parked so many times. */
async function parked(times: number): Promise<void> {
  await stage.clock.advanceUntil(() => watched.of("parked").length === times, 120_000);
}

/** But for the look whether we are still the writer, which comes at most every 15 s. */
function callsSince(before: number): readonly string[] {
  return stage.storage.calls
    .slice(before)
    .filter(({ key }) => key !== "app/writer.json")
    .map(({ operation, key }) => `${operation} ${key}`);
}

function descriptors(): readonly string[] {
  return readdirSync("/proc/self/fd").flatMap((fd) => {
    try {
      return [readlinkSync(`/proc/self/fd/${fd}`)];
    } catch {
      return []; // the one that the listing itself had open
    }
  });
}

beforeEach(() => {
  stage = new Stage();
});

test("nothing of it is held open, and it costs no request", async () => {
  stage.app.close();
  await begin();
  expect(watched.of("parked")).toMatchObject([{ txid: 1n }]);
  expect(descriptors().filter((path) => path.includes(stage.path))).toEqual([]);
  const requests = stage.storage.calls.length;
  await stage.clock.advance(3_600_000);
  expect(stage.storage.calls.length).toBe(requests);
  expect(watched.of("parked")).toHaveLength(1);
});

test("where few are open, it stays open", async () => {
  watched = await Watched.begin(stage);
  await stage.clock.advance(600_000);
  expect(watched.of("parked")).toEqual([]);
});

describe("somebody writes to it", () => {
  test("it goes on where it was: one PUT, and the manifest later", async () => {
    await begin();
    insert(stage.app, 10);
    insert(stage.app, 10);
    const before = stage.storage.calls.length;
    await stage.clock.advance(1500);
    expect(callsSince(before)).toEqual(["upload app/00000002-00000003.ltx"]);
    await parked(2);
    expect(watched.of("gap_repaired")).toEqual([]);
    expect(watched.of("opened")).toHaveLength(1);
    await stage.expectWhole();
  });

  test("again and again", async () => {
    await begin();
    for (let times = 2; times < 8; times += 1) {
      insert(stage.app, 5);
      if (times % 2 === 0) insert(stage.app, 200);
      await parked(times);
      await stage.expectWhole();
    }
    expect(watched.of("gap_repaired")).toEqual([]);
  });

  test("its log was begun anew twice meanwhile: not proved, so repaired", async () => {
    await begin();
    insert(stage.app, 10);
    checkpoint(stage.app, "TRUNCATE");
    insert(stage.app, 10);
    checkpoint(stage.app, "TRUNCATE");
    insert(stage.app, 10);
    await parked(2);
    expect(watched.of("gap_repaired")).toMatchObject([{ txid: 2n }]);
    await stage.expectWhole();
  });

  test("and closes it, so that no log is left: repaired", async () => {
    await begin();
    insert(stage.app, 10);
    stage.app.close();
    await parked(2);
    expect(watched.of("gap_repaired")).toHaveLength(1);
    await stage.expectWhole();
  });

  test("it was closed when it was parked, and opened, written and closed since", async () => {
    stage.app.close();
    await begin();
    const app = openApp(stage.path);
    insert(app, 3);
    app.close();
    await parked(2);
    await stage.expectWhole();
  });

  test("another file takes its place", async () => {
    stage.app.close();
    await begin();
    const other = tempDatabase({ rows: 44 });
    checkpoint(other, "TRUNCATE");
    const path = join(stage.path, "../new.db");
    copyFileSync(other.name, path);
    renameSync(path, stage.path);
    await parked(2);
    await stage.expectWhole();
  });
});

test("once it is written to, it does not keep others from being opened", async () => {
  const parking = crowded(stage);
  await begin({ parking });
  for (let place = 1; place < 8; place += 1) await parking.begin();
  insert(stage.app);
  watched.task.hint();
  await stage.clock.advanceUntil(() => watched.of("published").length === 1, 10_000);
  const last = await Promise.race([parking.begin(), new Promise((resolve) => setImmediate(resolve))]);
  expect(last).toBeDefined();
});

test("a checkpoint changes nothing: looked at, and parked again", async () => {
  await begin();
  insert(stage.app, 3);
  await parked(2);
  const before = stage.storage.calls.length;
  checkpoint(stage.app, "TRUNCATE");
  await parked(3);
  expect(callsSince(before)).toEqual([]);
  expect(watched.of("gap_repaired")).toEqual([]);
  await stage.expectWhole();
});

test("a snapshot that is due is taken", async () => {
  await begin({ sync: { snapshotIntervalMs: 3_600_000 } });
  insert(stage.app);
  await parked(2);
  await stage.clock.advanceUntil(() => watched.of("snapshot").length === 2, 3_700_000);
  expect(watched.of("snapshot")[1]).toMatchObject({ trigger: "interval", txid: 2n });
  await parked(3);
  await stage.clock.advance(7_200_000);
  expect(watched.of("snapshot")).toHaveLength(2);
});

test("settings that change while it is parked hold: a snapshot that is due sooner is taken", async () => {
  await begin({ sync: { snapshotIntervalMs: 0 } });
  insert(stage.app);
  await parked(2);
  const { task } = watched;
  task.adjust({ ...task.database, sync: { ...task.database.sync, snapshotIntervalMs: 3_600_000 } });
  const before = stage.storage.calls.length;
  await stage.clock.advance(60_000);
  expect(callsSince(before), "nothing is opened for it").toEqual([]);
  await stage.clock.advanceUntil(() => watched.of("snapshot").length === 2, 3_700_000);
});

test("a snapshot that somebody asks for is taken", async () => {
  await begin();
  insert(stage.app);
  const taken = watched.task.snapshot("command");
  await parked(2);
  expect(await taken).toMatchObject({ minTxid: 1n, maxTxid: 2n });
});

describe("the stop", () => {
  test("finds nothing to do", async () => {
    await begin();
    const before = stage.storage.calls.length;
    expect(await watched.stop()).toMatchObject({ isComplete: true });
    expect(stage.storage.calls.length).toBe(before);
  });

  test("finds what was written in the last moment", async () => {
    await begin();
    insert(stage.app, 7);
    expect(await watched.stop()).toMatchObject({ isComplete: true });
    expect(stage.storage.keys()).toContain("app/00000002-00000002.ltx");
    await stage.expectWhole();
  });
});
