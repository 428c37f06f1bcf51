import type Database from "better-sqlite3";
import { describe, expect, test } from "vitest";
import { PageChecksums } from "../../src/ltx/page-checksums.ts";
import { PageMarks } from "../../src/ltx/page-marks.ts";
import { locateHead } from "../../src/replication/locate-head.ts";
import type { Replica } from "../../src/replication/replica.ts";
import { LogScanner } from "../../src/wal/scanner.ts";
import { type DatabaseFiles, filesOf, putBack } from "../helpers/replication/put-back.ts";
import { Stage } from "../helpers/replication/stage.ts";
import { testCore } from "../helpers/sqlite/probe.ts";
import { checkpoint } from "../helpers/sqlite/temp-database.ts";
import { LogBuilder } from "../helpers/wal/log-builder.ts";

/*
 * walrust is killed, and its cursor is older than what storage has. While it is down somebody may copy an older database and log over the same
 * files (cp): SQLite then goes on in the same generation of the log, with other commits at the same offsets.
 */

type Update = readonly [id: number, body: string];

/** One frame each, in a page that depends on the row. */
function update(app: Database.Database, ...updates: readonly Update[]): void {
  for (const [id, body] of updates)
    app.prepare("UPDATE t SET body = ? WHERE id = ?").run(body.repeat(20), id);
}

async function publish(stage: Stage, replica: Replica, ...updates: readonly Update[]): Promise<void> {
  for (const one of updates) {
    update(stage.app, one);
    await stage.publishAll(replica);
  }
}

interface Case {
  /** Published before the backup; then the log begins anew, or not. */
  readonly before?: readonly Update[];
  readonly handover?: boolean;
  /** In the backup too, in the present log. */
  readonly common: readonly Update[];
  readonly lostBeforeCursor?: readonly Update[];
  readonly lost: readonly Update[];
  readonly instead: readonly Update[];
}

const COPIED_BACK: ReadonlyArray<readonly [what: string, how: Case]> = [
  [
    "others in their places",
    {
      common: [[1, "first"]],
      lost: [
        [2, "lost"],
        [3, "lost"],
        [4, "lost"],
      ],
      instead: [
        [5, "instead"],
        [6, "instead"],
        [7, "instead"],
      ],
    },
  ],
  [
    "the same pages, with other contents",
    { common: [[1, "first"]], lost: [[2, "lost"]], instead: [[2, "instead"]] },
  ],
  [
    "others in their places, which are as storage has them",
    {
      common: [[1, "first"]],
      lost: [
        [2, "lost"],
        [3, "lost"],
      ],
      instead: [
        [1, "other"],
        [1, "first"],
      ],
    },
  ],
  [
    "what the cursor was saved behind is gone too",
    {
      common: [[1, "first"]],
      lostBeforeCursor: [[2, "lost"]],
      lost: [[3, "later"]],
      instead: [
        [3, "other"],
        [3, "later"],
      ],
    },
  ],
  [
    "the cursor is of the log before",
    {
      before: [[9, "before"]],
      handover: true,
      common: [[1, "first"]],
      lost: [[2, "lost"]],
      instead: [[3, "instead"]],
    },
  ],
  [
    "the cursor is of the log before, and the others are as storage has them",
    {
      before: [[9, "before"]],
      handover: true,
      common: [[1, "first"]],
      lost: [
        [2, "lost"],
        [3, "lost"],
      ],
      instead: [
        [1, "other"],
        [1, "first"],
      ],
    },
  ],
];

/** A life that ends by a kill, and what was copied from its files on the way. */
async function killed(stage: Stage, how: Case): Promise<DatabaseFiles> {
  const replica = await stage.begin();
  await publish(stage, replica, ...(how.before ?? []));
  await replica.saveCursor();
  if (how.handover) expect(stage.handover(replica)).toMatchObject({ kind: "done" });
  await publish(stage, replica, ...how.common);
  const backup = filesOf(stage);
  await publish(stage, replica, ...(how.lostBeforeCursor ?? []));
  if (!how.handover) await replica.saveCursor();
  await publish(stage, replica, ...how.lost);
  stage.endLives();
  return backup;
}

/** Twelve rows in as many pages. */
function twelveRows(layout: "walrust" | "litestream"): Stage {
  const stage = new Stage({ rows: 0, layout });
  const insert = stage.app.prepare("INSERT INTO t(body) VALUES(?)");
  for (let row = 0; row < 12; row += 1) insert.run("x".repeat(3000));
  checkpoint(stage.app, "TRUNCATE");
  return stage;
}

describe.each(["walrust", "litestream"] as const)("in the layout of %s", (layout) => {
  test.each(COPIED_BACK)("an older copy was put back: %s: never gone on with", async (_, how) => {
    const stage = twelveRows(layout);
    const backup = await killed(stage, how);
    const app = putBack(stage, backup);
    update(app, ...how.instead);
    // The log reaches beyond the head's place.
    update(app, [11, "behind"]);
    const again = await stage.open();
    expect(again.duty.kind).toBe("repair");
    await stage.doDuty(again);
    await stage.publishAll(again);
    await stage.expectWhole();
  });

  test.each(COPIED_BACK)("nothing was put back (%s): goes on without a repair", async (_, how) => {
    const stage = twelveRows(layout);
    await killed(stage, how);
    update(stage.app, [11, "behind"]);
    const again = await stage.open();
    expect(again.duty.kind).toBe("none");
    await stage.publishAll(again);
    await stage.expectWhole();
  });

  test("the same copy was put back, to the byte: goes on", async () => {
    const stage = twelveRows(layout);
    await killed(stage, { common: [[1, "first"]], lost: [[2, "kept"]], instead: [] });
    const app = putBack(stage, filesOf(stage));
    update(app, [11, "behind"]);
    const again = await stage.open();
    expect(again.duty.kind).toBe("none");
    await stage.publishAll(again);
    await stage.expectWhole();
  });
});

test("the log begins anew while it is looked at: nothing is proved", async () => {
  const salts = { salt1: 7, salt2: 8 };
  const log = new LogBuilder({ pageSizeBytes: 512, ...salts }).commit([1, 2], 2).build();
  const next = new LogBuilder({ pageSizeBytes: 512, salt1: 8, salt2: 99, over: log }).build();
  const core = testCore();
  const sums = new PageChecksums(core, 512);
  for (const pgno of [1, 2]) {
    sums.input.fill(pgno, (pgno - 1) * 512, pgno * 512);
    sums.setPage(pgno - 1, pgno);
  }
  sums.sum(2);
  const table = sums.checksums.slice(0, 16);
  const locate = (after: Uint8Array) => {
    let headers = 0;
    const readWal = (into: Uint8Array, offset: number) => {
      if (offset === 0) headers += 1;
      const piece = (headers > 1 ? after : log).subarray(offset, offset + into.length);
      into.set(piece);
      return piece.length;
    };
    return locateHead({
      ...{ core, scanner: new LogScanner(testCore()), link: { readWal, readMain: () => 0 } },
      head: {
        state: { txid: 2n, postApply: 1n << 63n, commitPages: 2, timestampMs: 0, log: undefined },
        ...{ pageSizeBytes: 512, logEnd: { ...salts, offset: log.length } },
      },
      table: {
        read: (pgno, count, into) => into.set(table.subarray((pgno - 1) * 8, (pgno - 1 + count) * 8)),
      },
      ...{ cursorLog: undefined, changed: new PageMarks(2) },
    });
  };
  expect(await locate(log)).toMatchObject({ ...salts, offset: log.length });
  expect(await locate(next)).toBeUndefined();
  expect(await locate(new Uint8Array(0))).toBeUndefined();
});
