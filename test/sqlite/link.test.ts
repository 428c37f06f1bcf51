import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { type Connection, connect } from "../../src/sqlite/driver.ts";
import { barrierHandover, optimisticHandover, truncateLog } from "../../src/sqlite/handover.ts";
import type { DatabaseLink } from "../../src/sqlite/link.ts";
import { openLink, Probe, settledIndex } from "../helpers/sqlite/probe.ts";
import { checkpoint, insert, openApp, tempDatabase, tempFolder } from "../helpers/sqlite/temp-database.ts";
import { startWriter } from "../helpers/writers/start-writer.ts";

const BARRIER = { tries: 3, maxHeldMs: 1000, maxFrames: 10_000 };

describe("tryBarrier", () => {
  test("writes no frame, and nobody else can write meanwhile", () => {
    const app = tempDatabase();
    insert(app);
    const link = openLink(app.name);
    link.pin();
    const before = { index: settledIndex(link), log: sha256(`${app.name}-wal`) };
    const outcome = link.tryBarrier(() => {
      expect(() => insert(app)).toThrow(expect.objectContaining({ code: "SQLITE_BUSY" }));
      return "value";
    });
    expect(outcome).toMatchObject({ held: true, value: "value" });
    expect({ index: settledIndex(link), log: sha256(`${app.name}-wal`) }).toEqual(before);
    insert(app);
  });

  test("what the lock's own transaction pins is enough for a new pin at mark 0", () => {
    const app = tempDatabase();
    const link = openLink(app.name);
    link.pin();
    const probe = Probe.begin(link);
    insert(app, 50);
    expect(barrierHandover(link, probe.drain, BARRIER)).toMatchObject({ kind: "done", how: "barrier" });
    expect(checkpoint(app, "TRUNCATE")).toEqual([0, 0, 0]);
  });

  test("a body that throws, or forgets the pin: the lock is released and a pin is held", () => {
    const app = tempDatabase();
    insert(app);
    const link = openLink(app.name);
    link.pin();
    const throwing = () =>
      link.tryBarrier((barrier) => {
        barrier.releasePin();
        throw new Error("on purpose");
      });
    expect(throwing).toThrow("on purpose");
    expect(link.tryBarrier((barrier) => barrier.releasePin()).held).toBe(true);
    insert(app);
    expect(checkpoint(app, "RESTART")[0], "still pinned").toBe(1);
  });
});

type Failure = "throw" | "busy";
type Operation = "beginRead" | "beginImmediate" | "end" | "checkpoint";

/** A driver whose operations fail where `decide` says so. */
function faulty(decide: (operation: Operation) => Failure | undefined): typeof connect {
  const fails = (operation: Operation) => {
    const failure = decide(operation);
    if (failure === "throw") throw new Error("injected");
    return failure === "busy";
  };
  return (path, options): Connection => {
    const real = connect(path, options);
    return {
      get inTransaction() {
        return real.inTransaction;
      },
      beginRead: () => !fails("beginRead") && real.beginRead(),
      beginImmediate: () => !fails("beginImmediate") && real.beginImmediate(),
      end: () => {
        fails("end");
        real.end();
      },
      checkpoint: (mode) =>
        fails("checkpoint") ? { busy: true, logFrames: -1, backfilledFrames: -1 } : real.checkpoint(mode),
      close: () => real.close(),
    };
  };
}

const HANDOVERS: readonly (readonly [name: string, run: (link: DatabaseLink, probe: Probe) => unknown])[] = [
  ["optimistic", (link, probe) => optimisticHandover(link, probe.drain)],
  ["barrier", (link, probe) => barrierHandover(link, probe.drain, BARRIER)],
  ["truncate", (link, probe) => truncateLog(link, probe.drain)],
];
const OPERATIONS = ["beginRead", "beginImmediate", "end", "checkpoint"] as const;

describe("every step of a handover fails in turn (pitfall 11)", () => {
  const table = HANDOVERS.flatMap(([name, run]) =>
    OPERATIONS.flatMap((operation) =>
      (["throw", "busy"] as const).map((failure) => ({ name, run, operation, failure })),
    ),
  );
  test.each(table)("$name, $operation: $failure", ({ run, operation, failure }) => {
    for (let failAt = 1, failed = true; failed; failAt++) {
      failed = false;
      let calls = 0;
      let armed = false;
      const app = tempDatabase();
      const link = openLink(app.name, {
        connect: faulty((called) => {
          if (!armed || called !== operation || ++calls !== failAt) return undefined;
          failed = true;
          return failure;
        }),
      });
      link.pin();
      const probe = Probe.begin(link);
      insert(app, 20);
      armed = true;
      attempt(() => run(link, probe));
      armed = false;
      assertPinned(app, link, probe);
      link.close();
      app.close();
    }
  });

  test("a pin that cannot be had again: the link says so, once and for all", () => {
    const app = tempDatabase();
    let refuse = false;
    const link = openLink(app.name, {
      connect: faulty((operation) => (refuse && operation === "beginRead" ? "busy" : undefined)),
    });
    link.pin();
    const lost = expect.objectContaining({
      code: "DATABASE_UNREADABLE",
      message: expect.stringMatching(/the pin was lost/),
    });
    refuse = true;
    expect(() => link.tryBarrier((barrier) => barrier.releasePin())).toThrow(lost);
    refuse = false;
    expect(() => link.movePin()).toThrow(lost);
    expect(() => link.tryBarrier(() => 1)).toThrow(lost);
    insert(app); // the lock was released
  });
});

describe("a user's database is left as it was", () => {
  test("opening, pinning and closing beside another connection changes no byte", async () => {
    const database = `${tempFolder()}/app.db`;
    const writer = await startWriter({ database, transactions: 50 });
    await writer.done();
    const app = openApp(database);
    app.exec("UPDATE last SET seq = seq");
    const before = [sha256(database), sha256(`${database}-wal`)];
    const link = openLink(database);
    link.pin();
    link.movePin();
    link.tryBarrier(() => undefined);
    link.close();
    // The descriptors of this hash drop the locks of `app`, which does nothing any more.
    expect([sha256(database), sha256(`${database}-wal`)]).toEqual(before);
  });

  test("no connection, no descriptor is left behind", () => {
    const app = tempDatabase();
    const before = openFiles();
    for (let times = 0; times < 20; times++) {
      const link = openLink(app.name);
      link.pin();
      link.movePin();
      link.releaseSpare();
      link.movePin();
      link.walSize();
      link.close();
      link.close();
    }
    // SQLite keeps descriptors of a file with locks (those of `app`) and uses them again.
    expect(openFiles() - before).toBeLessThanOrEqual(3);
    app.close();
    expect(openFiles()).toBeLessThan(before);
  });
});

describe("unpin", () => {
  test("lets go, and a new pin may follow", () => {
    const app = tempDatabase();
    insert(app);
    const link = openLink(app.name);
    link.pin();
    link.unpin();
    expect(link.pinned).toBe(false);
    expect(checkpoint(app, "TRUNCATE")[0]).toBe(0);
    expect(link.pin()).toBe(true);
    link.movePin();
    link.unpin();
    expect(settledIndex(link).frames).toBe(0);
  });
});

function attempt(run: () => unknown): void {
  try {
    run();
  } catch (error) {
    expect(error).toMatchObject({ message: "injected" });
  }
}

/** The write lock is free, nothing was lost, and what comes now stays in the log until a handover. */
function assertPinned(app: ReturnType<typeof tempDatabase>, link: DatabaseLink, probe: Probe): void {
  expect(link.pinned).toBe(true);
  insert(app);
  insert(app);
  expect(checkpoint(app, "TRUNCATE")[0]).toBe(1);
  insert(app);
  probe.drain();
  expect(probe.contents().equals(probe.live())).toBe(true);
  expect(optimisticHandover(link, probe.drain)).toMatchObject({ kind: "done" });
}

function sha256(path: string): string {
  return createHash("sha256").update(readFileSync(path)).digest("hex");
}

function openFiles(): number {
  return readdirSync("/dev/fd").length;
}
