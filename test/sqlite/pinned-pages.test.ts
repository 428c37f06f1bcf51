import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type Database from "better-sqlite3";
import { describe, expect, test } from "vitest";
import { exactPin } from "../../src/sqlite/exact-pin.ts";
import type { DatabaseLink } from "../../src/sqlite/link.ts";
import { PinnedPages } from "../../src/sqlite/pinned-pages.ts";
import type { LogPosition } from "../../src/wal/position.ts";
import type { ReadAt } from "../../src/wal/read-at.ts";
import type { Core } from "../../src/wasm/core.ts";
import { openLink, Probe, readPages, testCore } from "../helpers/sqlite/probe.ts";
import {
  type CheckpointMode,
  checkpoint,
  insert,
  tempDatabase,
  tempFolder,
} from "../helpers/sqlite/temp-database.ts";
import { assertPrefix } from "../helpers/writers/assert-prefix.ts";
import { startWriter } from "../helpers/writers/start-writer.ts";

type Step = CheckpointMode | "change" | "insert" | "shrink" | "empty";

interface Scenario {
  readonly name: string;
  readonly markZero: boolean;
  /** What the application does before the pin. */
  readonly before: readonly Step[];
  /** While pages are read. */
  readonly during: readonly Step[];
}

const SCENARIOS: readonly Scenario[] = [
  { name: "everything in the main file, no log", markZero: true, before: ["TRUNCATE"], during: ["insert"] },
  {
    name: "mark 0, and the log restarts",
    markZero: true,
    before: ["change", "PASSIVE"],
    during: ["change", "insert"],
  },
  {
    name: "mark 0, and the log is cut to nothing, then written again",
    markZero: true,
    before: ["change", "PASSIVE"],
    during: ["TRUNCATE", "change", "insert", "PASSIVE"],
  },
  {
    name: "mark > 0, and checkpoints go on",
    markZero: false,
    before: ["change", "PASSIVE", "change"],
    during: ["insert", "PASSIVE", "change", "RESTART"],
  },
  {
    name: "mark > 0, the database shrinks in the log, then again behind it",
    markZero: false,
    before: ["insert", "PASSIVE", "shrink"],
    during: ["empty", "PASSIVE"],
  },
  {
    name: "mark > 0, the database has grown in the log",
    markZero: false,
    before: ["insert"],
    during: ["empty", "PASSIVE"],
  },
];

describe("PinnedPages", () => {
  const table = SCENARIOS.flatMap((scenario) =>
    [512, 4096, 65536].map((pageSize) => ({ ...scenario, pageSize })),
  );
  test.each(table)("$name, page size $pageSize: the state at the pin, whenever it happens", (scenario) => {
    const { pageSize, markZero, before, during } = scenario;
    const core = testCore();
    // Once for each read, before which it may happen; in the last round it does not happen any more.
    for (let moment = 0, happened = true; happened; moment += 1) {
      const app = tempDatabase({ pageSize, rows: 50 });
      perform(app, before);
      const link = openLink(app.name);
      link.pin();
      expect(link.atMarkZero).toBe(markZero);
      const probe = Probe.begin(link);
      const pin = pinExactly(link, probe);
      const expected = app.serialize();
      happened = false;
      let reads = 0;
      const interrupt = () => {
        if (reads++ !== moment) return;
        happened = true;
        perform(app, during);
      };
      const seen = readThrough(link, core, pin, interrupt);
      expect(Buffer.compare(seen, expected), `at read ${moment}`).toBe(0);
      app.close();
      link.close();
      if (moment > 5) moment += 4; // reads are alike from here on
    }
  });

  test("a log with more pages than one window holds", () => {
    const app = tempDatabase({ pageSize: 512 });
    const link = openLink(app.name);
    link.pin();
    const probe = new Probe(link);
    app.exec("CREATE TABLE big(body BLOB); INSERT INTO big VALUES(zeroblob(36000000))");
    app.exec("UPDATE t SET body = 'again'");
    const { commitPages, position } = pinExactly(link, probe);
    const expected = app.serialize();
    expect(commitPages).toBeGreaterThan(70_000);
    let pages = 0;
    for (const [pgno, page] of readPages(probe, commitPages, position, 512)) {
      const at = (pgno - 1) * 512;
      if (!expected.subarray(at, at + 512).equals(page)) expect.fail(`page ${pgno}`);
      pages += 1;
    }
    expect(pages).toBe(commitPages);
  });

  test("snapshots under load, with the application checkpointing in all modes: each is one state, and whole", async () => {
    const folder = tempFolder();
    const database = join(folder, "app.db");
    const checkpoints = ["PASSIVE", "FULL", "RESTART", "TRUNCATE"] as const;
    const writer = await startWriter({ database, checkpoints, checkpointEveryMs: 5, busyTimeoutMs: 1000 });
    const link = openLink(database);
    const core = testCore();
    for (let times = 0; times < 25; times++) {
      const atLeast = writer.acknowledged();
      const probe = new Probe(link, core);
      link.pin();
      const copy = join(folder, `copy-${times}.db`);
      writeFileSync(copy, probe.live());
      link.unpin();
      assertPrefix(copy, { atLeast });
      await new Promise((resolve) => setImmediate(resolve));
    }
    const report = await writer.stop();
    expect(report.checkpoints.length).toBeGreaterThan(0);
  });

  test("a main file that was cut by something else is an error, not zeros", () => {
    const { core, readWal } = { core: testCore(), readWal: () => 0 };
    const pages = new PinnedPages({
      core,
      readMain: () => 100,
      readWal,
      pageSizeBytes: 512,
      commitPages: 2,
      position: undefined,
    });
    pages.openWindow(1);
    expect(pages.step()).toBe(true);
    expect(() => pages.read(1, 2, new Uint8Array(1024))).toThrow(
      expect.objectContaining({ code: "DATABASE_UNREADABLE" }),
    );
  });
});

interface Pinned {
  readonly commitPages: number;
  readonly position: LogPosition | undefined;
}

function pinExactly(link: DatabaseLink, probe: Probe): Pinned {
  const result = exactPin(link, probe.drain, { tries: 3, barrierTries: 0 });
  if (result.kind !== "pinned") throw new Error(`not pinned: ${result.kind}`);
  return result.pin;
}

function readThrough(link: DatabaseLink, core: Core, pin: Pinned, interrupt: () => void): Buffer {
  const { pageSizeBytes } = link.facts;
  const interrupted = (read: ReadAt): ReadAt => {
    return (into, offset) => {
      interrupt();
      return read(into, offset);
    };
  };
  const pages = new PinnedPages({
    core,
    readMain: interrupted(link.readMain),
    readWal: interrupted(link.readWal),
    pageSizeBytes,
    ...pin,
  });
  const seen = Buffer.alloc(pin.commitPages * pageSizeBytes);
  for (let pgno = 1; pgno <= pin.commitPages; ) {
    if (pgno >= pages.windowEnd) {
      pages.openWindow(pgno);
      while (!pages.step());
    }
    const count = Math.min(5, pages.windowEnd - pgno);
    pages.read(pgno, count, seen.subarray((pgno - 1) * pageSizeBytes));
    pgno += count;
  }
  return seen;
}

function perform(app: Database.Database, steps: readonly Step[]): void {
  for (const step of steps) performStep(app, step);
}

function performStep(app: Database.Database, step: Step): void {
  switch (step) {
    case "change": // every page that holds rows
      app.exec("UPDATE t SET body = hex(randomblob(50))");
      return;
    case "insert":
      insert(app, 300);
      return;
    case "shrink":
      app.exec("DELETE FROM t WHERE id > 100; VACUUM");
      return;
    case "empty":
      app.exec("DELETE FROM t; VACUUM");
      return;
    default:
      checkpoint(app, step);
  }
}
