import { statSync } from "node:fs";
import { expect, onTestFinished, test, vi } from "vitest";
import { DatabaseLink } from "../../src/sqlite/link.ts";
import { Watched } from "../helpers/daemon/watched.ts";
import { Stage } from "../helpers/replication/stage.ts";
import { insert, openApp } from "../helpers/sqlite/temp-database.ts";

/* A log that grew beyond `wal_truncate_threshold_pages`. */

const LIMIT = 20;

async function begin(stage: Stage): Promise<Watched> {
  return Watched.begin(stage, { sync: { walTruncateThresholdPages: LIMIT, minCheckpointPages: 5 } });
}

const logBytes = (stage: Stage) => statSync(`${stage.path}-wal`).size;
const hows = (watched: Watched) => watched.of("handover").map(({ how }) => how);

/** As fast a writer as it takes to be ahead of every checkpoint of ours without a lock. */
function neverPauses(stage: Stage): { pauses(): void } {
  const passive = DatabaseLink.prototype.passive;
  const spy = vi.spyOn(DatabaseLink.prototype, "passive").mockImplementation(function (this: DatabaseLink) {
    const result = passive.call(this);
    insert(stage.app);
    return result;
  });
  onTestFinished(() => spy.mockRestore());
  return { pauses: () => spy.mockRestore() };
}

test("its writer pauses: the file is cut, which is told once", async () => {
  const stage = new Stage();
  const watched = await begin(stage);
  insert(stage.app, 1000);
  expect(logBytes(stage)).toBeGreaterThan(LIMIT * 4096);
  await stage.clock.advance(10_000);
  expect(watched.of("wal_size_exceeded")).toHaveLength(1);
  expect(hows(watched)).toContain("truncate");
  expect(logBytes(stage)).toBe(0);
  insert(stage.app);
  await stage.clock.advance(10_000);
  expect(hows(watched).filter((how) => how === "truncate")).toHaveLength(1);
  await stage.expectWhole();
});

test("its writer does not pause: the log begins anew, and the file is cut when it does", async () => {
  const stage = new Stage();
  const watched = await begin(stage);
  const truncate = vi.spyOn(DatabaseLink.prototype, "truncate");
  onTestFinished(() => truncate.mockRestore());
  const writer = neverPauses(stage);
  insert(stage.app, 1000);
  await stage.clock.advance(1000);
  expect(hows(watched)).toContain("barrier");
  expect(truncate).not.toHaveBeenCalled();
  const grown = logBytes(stage);
  insert(stage.app, 10);
  expect(logBytes(stage), "the file is written again from its beginning").toBe(grown);
  writer.pauses();
  await stage.clock.advance(10_000);
  expect(logBytes(stage)).toBe(0);
  await stage.expectWhole();
});

test("another connection reads the log: it begins anew all the same, and the file is cut when nobody does", async () => {
  const stage = new Stage();
  const watched = await begin(stage);
  insert(stage.app, 1000);
  const reader = openApp(stage.path);
  reader.exec("BEGIN; SELECT count(*) FROM sqlite_schema;");
  await stage.clock.advance(10_000);
  expect(hows(watched)).toEqual(["optimistic"]);
  reader.close();
  insert(stage.app);
  await stage.clock.advance(10_000);
  expect(hows(watched)).toEqual(["optimistic", "truncate"]);
  expect(logBytes(stage)).toBe(0);
  await stage.expectWhole();
});
