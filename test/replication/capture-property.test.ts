import Database from "better-sqlite3";
import fc from "fast-check";
import { expect, test } from "vitest";
import { Capture } from "../../src/replication/capture.ts";
import { readRun } from "../../src/replication/pending-frames.ts";
import { optimisticHandover } from "../../src/sqlite/handover.ts";
import type { DatabaseLink } from "../../src/sqlite/link.ts";
import { LogScanner } from "../../src/wal/scanner.ts";
import { ManualClock } from "../helpers/manual-clock.ts";
import { runs } from "../helpers/property-runs.ts";
import { openLink, testCore } from "../helpers/sqlite/probe.ts";
import { checkpoint, insert, openApp, tempDatabase, tempFolder } from "../helpers/sqlite/temp-database.ts";

const PAGE_SIZE = 4096;
const FRAME_SIZE = 24 + PAGE_SIZE;
const core = testCore();

const step = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({ do: fc.constant("insert" as const), rows: fc.integer({ min: 1, max: 60 }) }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant("checkpoint" as const),
      mode: fc.constantFrom("PASSIVE" as const, "FULL" as const, "RESTART" as const, "TRUNCATE" as const),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("limit" as const), bytes: fc.nat(40_000) }) },
  {
    weight: 8,
    arbitrary: fc
      .constantFrom(
        ...([
          "look",
          "look",
          "pin",
          "unpin",
          "handover",
          "vacuum",
          "delete",
          "roll back",
          "another connection",
        ] as const),
      )
      .map((what) => ({ do: what }) as const),
  },
);
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

/** A database that SQLite writes, and what capture makes of its log. */
class Scene {
  readonly #app = tempDatabase({ rows: 30 });
  readonly #link: DatabaseLink = openLink(this.#app.name);
  readonly #capture: Capture;
  #pages = new Map<number, Buffer>();
  #writer: Database.Database = this.#app;

  constructor() {
    const options = {
      log: this.#link,
      scanner: new LogScanner(core),
      clock: new ManualClock(),
      isOfThisRun: true,
    };
    this.#capture = new Capture(
      { ...options, pageSizeBytes: PAGE_SIZE, txidUnit: "commit", segmentFolder: tempFolder() },
      { txid: 1n, commitPages: 0, log: undefined },
    );
    this.#takeAll();
    this.#pin();
  }

  take(step: Step): void {
    switch (step.do) {
      case "insert":
        insert(this.#writer, step.rows);
        break;
      case "checkpoint":
        checkpoint(this.#writer, step.mode);
        break;
      case "limit":
        this.#writer.pragma(`journal_size_limit = ${step.bytes}`);
        break;
      case "vacuum":
        this.#writer.exec("VACUUM");
        break;
      case "delete":
        this.#writer.exec("DELETE FROM t WHERE id % 2 = 0");
        break;
      case "roll back":
        this.#writer.pragma("cache_size = 1");
        this.#writer.exec("BEGIN; UPDATE t SET body = body || 'rolled back'; ROLLBACK");
        break;
      case "another connection":
        this.#writer = openApp(this.#app.name);
        break;
      case "look":
        this.look();
        break;
      case "pin":
        this.#pin();
        break;
      case "unpin":
        if (!this.#link.pinned) break;
        this.#secure();
        this.#link.unpin();
        this.#capture.unpinned();
        break;
      case "handover":
        this.#handOver();
        break;
      default:
        step satisfies never;
    }
  }

  /** What capture has is what SQLite has, unless it says that there is a gap; and under a pin there is none. */
  look(): void {
    const isPinned = this.#link.pinned;
    const outcome = this.#capture.captureNow();
    if (outcome.kind === "gap") {
      expect(isPinned, `under a pin: ${outcome.reason}`).toBe(false);
      this.#takeAll();
      return;
    }
    this.#apply();
    const { commitPages } = this.#capture.state;
    const live = this.#live();
    const captured = Buffer.concat(
      Array.from({ length: commitPages }, (_, i) => this.#pages.get(i + 1) ?? Buffer.alloc(PAGE_SIZE)),
    );
    expect(captured.length / PAGE_SIZE, "pages").toBe(live.length / PAGE_SIZE);
    expect(captured.equals(live), "what was captured is what SQLite has").toBe(true);
  }

  #pin(): void {
    if (this.#link.pinned) return;
    this.look();
    expect(this.#link.pin()).toBe(true);
    // Without a log nothing tells what went on before there was a pin.
    if (this.#capture.state.log === undefined) this.#takeAll();
    else this.#secure();
    this.#capture.pinned();
  }

  #secure(): void {
    if (!this.#link.pinned) return;
    expect(this.#capture.drain().kind).toBe("captured");
    this.#apply();
  }

  #handOver(): void {
    if (!this.#link.pinned) return;
    const drain = () => {
      this.#secure();
      this.#capture.pinned();
      return this.#capture.state.log;
    };
    expect(optimisticHandover(this.#link, drain).kind).not.toBe("gap");
  }

  /** The frames of the queue, which is then published. */
  #apply(): void {
    for (const run of this.#capture.pending.runs) {
      const frame = Buffer.alloc(FRAME_SIZE);
      for (let at = run.from.offset; at < run.to.offset; at += FRAME_SIZE) {
        expect(readRun(run, frame, at)).toBe(FRAME_SIZE);
        this.#pages.set(frame.readUInt32BE(0), Buffer.from(frame.subarray(24)));
      }
    }
    this.#capture.pending.seal();
    this.#capture.pending.settle();
  }

  /** As a repair does. */
  #takeAll(): void {
    const live = this.#live();
    const commitPages = live.length / PAGE_SIZE;
    this.#pages = new Map(
      Array.from({ length: commitPages }, (_, i) => [
        i + 1,
        live.subarray(i * PAGE_SIZE, (i + 1) * PAGE_SIZE),
      ]),
    );
    this.#capture.restartAt({ txid: 1n, commitPages, log: endOf(this.#link) });
  }

  #live(): Buffer {
    const reader = new Database(this.#app.name, { readonly: true });
    const bytes = reader.serialize();
    reader.close();
    return bytes;
  }

  close(): void {
    this.#capture.pending.close();
    this.#link.close();
    this.#app.close();
  }
}

/** Where the committed frames end; nobody writes meanwhile. */
function endOf(link: DatabaseLink) {
  const index = link.index();
  if (index === undefined || index.frames === 0) return undefined;
  const header = Buffer.alloc(32);
  link.readWal(header, 0);
  const { salt1, salt2, checksum1, checksum2, frames } = index;
  return {
    sequence: header.readUInt32BE(12),
    salt1,
    salt2,
    offset: 32 + frames * FRAME_SIZE,
    checksum1,
    checksum2,
  };
}

test("of a log that SQLite writes: what is captured is the database, commit for commit, or a gap is told", () => {
  fc.assert(
    fc.property(fc.array(step, { minLength: 5, maxLength: 25, size: "max" }), (steps) => {
      const scene = new Scene();
      try {
        for (const step of steps) scene.take(step);
        scene.look();
      } finally {
        scene.close();
      }
    }),
    runs(20),
  );
});
