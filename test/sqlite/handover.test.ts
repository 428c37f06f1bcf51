import { describe, expect, test, vi } from "vitest";
import { connect } from "../../src/sqlite/driver.ts";
import {
  barrierHandover,
  giveWay,
  type HandoverResult,
  handover,
  optimisticHandover,
  truncateLog,
} from "../../src/sqlite/handover.ts";
import { openLink, Probe, settledIndex } from "../helpers/sqlite/probe.ts";
import { checkpoint, insert, openApp, tempDatabase, tempFolder } from "../helpers/sqlite/temp-database.ts";
import { startWriter, type WriterOptions, type WriterReport } from "../helpers/writers/start-writer.ts";

const BARRIER = { tries: 5000, maxHeldMs: 50, maxFrames: 10_000 };
const MODES = ["PASSIVE", "FULL", "RESTART", "TRUNCATE"] as const;

describe("a quiet database", () => {
  test("an optimistic handover backfills all and leaves the pin at mark 0", () => {
    const app = tempDatabase();
    const link = openLink(app.name);
    link.pin();
    const probe = Probe.begin(link);
    insert(app, 100);
    const result = optimisticHandover(link, probe.drain);
    expect(result).toEqual({ kind: "done", how: "optimistic", end: probe.position, heldMs: 0 });
    expect(settledIndex(link).backfilledFrames).toBe(settledIndex(link).frames);
    expect(checkpoint(app, "RESTART")[0], "the application's own succeeds at once").toBe(0);
    const before = probe.restarts;
    insert(app);
    expect(settledIndex(link).frames).toBeLessThan(5);
    probe.drain();
    expect(probe.restarts).toBe(before + 1);
    expect(probe.contents().equals(probe.live())).toBe(true);
  });

  test("captures before the pin moves: until then nothing can be overwritten", () => {
    const app = tempDatabase();
    insert(app);
    const link = openLink(app.name);
    link.pin();
    checkpoint(app, "PASSIVE"); // the next pin will be at mark 0
    const restartsDuringDrain: (number | undefined)[] = [];
    const drain = () => {
      restartsDuringDrain.push(checkpoint(app, "RESTART")[0]);
      return undefined;
    };
    optimisticHandover(link, drain);
    expect(restartsDuringDrain[0], "hindered").toBe(1);
    expect(restartsDuringDrain[1], "free").toBe(0);
  });

  test("truncateLog cuts the file, pinned all the time", () => {
    const app = tempDatabase();
    const link = openLink(app.name);
    link.pin();
    const probe = Probe.begin(link);
    insert(app, 100);
    expect(truncateLog(link, probe.drain)).toMatchObject({ kind: "done", how: "truncate" });
    expect(link.walSize()).toBe(0);
    insert(app);
    probe.drain();
    expect(probe.contents().equals(probe.live())).toBe(true);
  });

  test("a handover with nothing in the log is done", () => {
    const app = tempDatabase();
    const link = openLink(app.name);
    link.pin();
    const probe = Probe.begin(link);
    expect(handover(link, probe.drain)).toMatchObject({ kind: "done" });
    insert(app);
    probe.drain();
    expect(probe.contents().equals(probe.live())).toBe(true);
  });
});

describe("what stands in the way", () => {
  test("an older reader: the log goes on growing, and is free when the reader is gone", () => {
    const app = tempDatabase();
    const reader = openApp(app.name);
    const link = openLink(app.name);
    link.pin();
    const probe = Probe.begin(link);
    insert(app);
    reader.exec("BEGIN; SELECT count(*) FROM t");
    insert(app);
    expect(optimisticHandover(link, probe.drain)).toMatchObject({ kind: "busy", why: "readers" });
    expect(barrierHandover(link, probe.drain, BARRIER)).toMatchObject({ kind: "busy", why: "readers" });
    reader.exec("ROLLBACK");
    expect(optimisticHandover(link, probe.drain)).toMatchObject({ kind: "done" });
  });

  test("another checkpointer is at work (pitfall 55): busy, once asked, and it goes on when that one is done", () => {
    const app = tempDatabase();
    let asked = 0;
    let others = true;
    const link = openLink(app.name, {
      connect: (path, options) => {
        const real = connect(path, options);
        return {
          get inTransaction() {
            return real.inTransaction;
          },
          beginRead: () => real.beginRead(),
          beginImmediate: () => real.beginImmediate(),
          end: () => real.end(),
          close: () => real.close(),
          checkpoint: (mode) => {
            asked += 1;
            return others ? { busy: true, logFrames: -1, backfilledFrames: -1 } : real.checkpoint(mode);
          },
        };
      },
    });
    link.pin();
    const probe = Probe.begin(link);
    insert(app);
    expect(optimisticHandover(link, probe.drain)).toMatchObject({ kind: "busy", why: "checkpointer" });
    expect(asked, "how often it was asked").toBe(1);
    expect(link.pinned).toBe(true);
    others = false;
    expect(optimisticHandover(link, probe.drain)).toMatchObject({ kind: "done" });
    expect(probe.contents().equals(probe.live())).toBe(true);
  });

  test("a writer between the two looks: written, and the barrier then sees to it", () => {
    const app = tempDatabase();
    const link = openLink(app.name);
    link.pin();
    const probe = Probe.begin(link);
    insert(app);
    const racing = () => {
      const end = probe.drain();
      if (!app.inTransaction) tryInsert(app);
      return end;
    };
    expect(optimisticHandover(link, racing)).toMatchObject({ kind: "busy", why: "written" });
    expect(handover(link, racing, { barrier: BARRIER })).toMatchObject({ kind: "done", how: "barrier" });
    expect(probe.contents().equals(probe.live())).toBe(true);
  });

  test("the write lock is taken: locked, and nothing changed", () => {
    const app = tempDatabase();
    const link = openLink(app.name);
    link.pin();
    const probe = Probe.begin(link);
    app.exec("BEGIN IMMEDIATE");
    expect(barrierHandover(link, probe.drain, { ...BARRIER, tries: 3 })).toEqual({
      kind: "busy",
      why: "locked",
      heldMs: 0,
    });
    expect(link.pinned).toBe(true);
  });

  test.each([
    ["frames", { ...BARRIER, maxFrames: 1 }],
    ["time", { ...BARRIER, maxHeldMs: 0 }],
  ])("too much to do under the lock (%s): long, and the old pin is still held", (_, options) => {
    const app = tempDatabase();
    const link = openLink(app.name);
    link.pin();
    const probe = Probe.begin(link);
    insert(app, 500);
    const before = settledIndex(link);
    expect(barrierHandover(link, probe.drain, options)).toMatchObject({ kind: "busy", why: "long" });
    expect(settledIndex(link)).toEqual(before);
    expect(() => app.exec("BEGIN IMMEDIATE; ROLLBACK")).not.toThrow();
  });

  test("too much to do on this thread: long, and another connection may do it up to the end", () => {
    const app = tempDatabase();
    const link = openLink(app.name);
    link.pin();
    const probe = Probe.begin(link);
    insert(app, 500);
    expect(optimisticHandover(link, probe.drain, { maxFrames: 2 })).toMatchObject({
      kind: "busy",
      why: "long",
    });
    expect(settledIndex(link).backfilledFrames).toBe(0);
    expect(checkpoint(app, "FULL")[0]).toBe(0);
    expect(optimisticHandover(link, probe.drain, { maxFrames: 2 })).toMatchObject({ kind: "done" });
  });

  test("a drain that does not reach the end: no handover but a gap", () => {
    const app = tempDatabase();
    const link = openLink(app.name);
    link.pin();
    const probe = Probe.begin(link);
    insert(app);
    const short = probe.drain();
    insert(app);
    expect(barrierHandover(link, () => short, BARRIER)).toMatchObject({ kind: "gap", reason: "not-drained" });
    expect(optimisticHandover(link, () => short)).toMatchObject({ kind: "busy", why: "written" });
  });

  test("only reading allowed: observer", () => {
    const app = tempDatabase();
    const link = openLink(app.name, { observe: true });
    link.pin();
    expect(handover(link, () => undefined, { barrier: BARRIER })).toMatchObject({
      kind: "busy",
      why: "observer",
    });
    expect(link.movePin()).toBe(true);
  });
});

interface LoadCase {
  readonly name: string;
  readonly writer: Omit<WriterOptions, "database">;
  readonly step: (probe: Probe) => HandoverResult;
  readonly how: "optimistic" | "barrier";
}

const LOADS: readonly LoadCase[] = [
  {
    name: "optimistic at 500 commits/s, the application checkpointing in all modes",
    writer: { rate: 500, checkpoints: MODES, busyTimeoutMs: 2000 },
    step: (probe) => optimisticHandover(probe.link, probe.drain),
    how: "optimistic",
  },
  {
    name: "barrier under a writer that never pauses",
    writer: { autocheckpoint: 1000, busyTimeoutMs: 2000 },
    step: (probe) => handover(probe.link, probe.drain, { barrier: BARRIER }),
    how: "barrier",
  },
  {
    name: "both, with large transactions, rolled back ones and VACUUM",
    writer: {
      rate: 300,
      largeEvery: 20,
      largeRows: 1000,
      rollbackEvery: 7,
      cachePages: 20,
      vacuumEvery: 60,
      busyTimeoutMs: 2000,
    },
    step: (probe) => handover(probe.link, probe.drain, { barrier: BARRIER }),
    how: "optimistic",
  },
];

describe("under load, with another process writing", () => {
  test.each(LOADS)("$name: no gap, same content", async ({ writer: options, step, how }) => {
    const database = `${tempFolder()}/app.db`;
    const writer = await startWriter({ database, ...options });
    const link = openLink(database);
    link.pin();
    const probe = Probe.begin(link);
    const results: HandoverResult[] = [];
    const enough = () => doneBy(how, results) >= 8 && probe.restarts >= 6 && probe.commits >= 200;
    await vi.waitUntil(
      () => {
        results.push(step(probe));
        return enough();
      },
      { timeout: 40_000, interval: 1 },
    );
    const report = await writer.stop();
    probe.drain();
    expect(results.filter((result) => result.kind === "gap")).toEqual([]);
    expect(probe.contents().equals(probe.live())).toBe(true);
    expect(report.busy, "database is locked, in spite of a busy timeout").toBe(0);
  });
});

test("giving way: the application's FULL, RESTART and TRUNCATE under load succeed, and the pin is never let go", async () => {
  const database = `${tempFolder()}/app.db`;
  const checkpoints = ["FULL", "RESTART", "TRUNCATE"] as const;
  const writer = await startWriter({ database, checkpoints, checkpointEveryMs: 50, busyTimeoutMs: 10_000 });
  const link = openLink(database);
  link.pin();
  const probe = Probe.begin(link);
  let changeCounter = 0;
  const givingWayUntil = <T>(condition: () => T) =>
    vi.waitUntil(
      () => {
        probe.drain();
        const index = settledIndex(link);
        // The end of the log stands still: a pause, or a checkpointer that waits for us.
        if (index.changeCounter === changeCounter) giveWay(link, probe.drain);
        changeCounter = index.changeCounter;
        return condition();
      },
      { timeout: 40_000, interval: 2 },
    );
  await givingWayUntil(() => probe.restarts >= 6);
  let ended: WriterReport | undefined;
  writer.stop().then((report) => {
    ended = report;
  });
  const report = await givingWayUntil(() => ended); // it may be in the middle of a checkpoint
  const succeeded = report.checkpoints.filter(({ ok }) => ok);
  expect(
    succeeded.length / report.checkpoints.length,
    JSON.stringify(report.checkpoints),
  ).toBeGreaterThanOrEqual(0.9);
  probe.drain();
  expect(probe.contents().equals(probe.live())).toBe(true);
});

function doneBy(how: string, results: readonly HandoverResult[]): number {
  return results.filter((result) => result.kind === "done" && result.how === how).length;
}

function tryInsert(app: ReturnType<typeof openApp>): void {
  try {
    insert(app);
  } catch (error) {
    expect(error).toMatchObject({ code: "SQLITE_BUSY" });
  }
}
