import type Database from "better-sqlite3";
import { expect, test } from "vitest";
import { filesOf, putBack } from "../helpers/replication/put-back.ts";
import { Stage } from "../helpers/replication/stage.ts";
import { checkpoint } from "../helpers/sqlite/temp-database.ts";

/*
 * With synchronous=NORMAL a loss of power takes commits away that walrust has captured and published. SQLite then goes on in the same
 * generation of the log, over frames of the lost commits: salts and offsets agree, and the history does not.
 */

/** One frame, in a page that depends on the row. */
function update(app: Database.Database, id: number, body: string): void {
  app.prepare("UPDATE t SET body = ? WHERE id = ?").run(body.repeat(20), id);
}

/** Twelve rows in as many pages; the cursor is saved behind the first commit. */
async function watched(): Promise<{ stage: Stage; replica: Awaited<ReturnType<Stage["begin"]>> }> {
  const stage = new Stage({ rows: 0 });
  const insert = stage.app.prepare("INSERT INTO t(body) VALUES(?)");
  for (let row = 0; row < 12; row += 1) insert.run("x".repeat(3000));
  checkpoint(stage.app, "TRUNCATE");
  const replica = await stage.begin();
  update(stage.app, 1, "first");
  await stage.publishAll(replica);
  await replica.saveCursor();
  return { stage, replica };
}

test("commits that storage has are gone, and others lie at their offsets: not taken for the head", async () => {
  const { stage, replica } = await watched();
  const durable = filesOf(stage);
  for (const id of [2, 3, 4]) {
    update(stage.app, id, "lost");
    await stage.publishAll(replica);
  }
  const app = putBack(stage, durable);
  for (const id of [5, 6, 7, 8]) update(app, id, "instead");

  const again = await stage.begin({ boot: "2" });
  await stage.publishAll(again);
  await stage.expectWhole();
});

test("frames of lost commits are left in the file, which then began anew: not taken for its last commit", async () => {
  const { stage, replica } = await watched();
  for (const id of [2, 3, 4]) update(stage.app, id, "lost");
  await stage.publishAll(replica);
  await replica.saveCursor();
  // The last frame reached the disk, the ones before it did not.
  const { database, log } = filesOf(stage);
  const frame = 24 + 4096;
  log.fill(0, log.length - 3 * frame, log.length - frame);
  const app = putBack(stage, { database, log });
  update(app, 5, "instead");
  expect(checkpoint(app, "RESTART")[0]).toBe(0);
  update(app, 6, "in the next log");

  const again = await stage.begin({ boot: "2" });
  await stage.publishAll(again);
  await stage.expectWhole();
});

test("a machine that was started, and lost nothing: its log goes on by its checksums", async () => {
  const { stage, replica } = await watched();
  update(stage.app, 2, "kept");
  await stage.publishAll(replica);
  await replica.saveCursor();
  const app = putBack(stage, filesOf(stage));
  update(app, 3, "after it");
  const again = await stage.open({ boot: "2" });
  expect(again.duty.kind).toBe("none");
  await stage.publishAll(again);
  await stage.expectWhole();
});
