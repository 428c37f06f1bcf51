import { closeSync, openSync, truncateSync, writeSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { exactPin } from "../../src/sqlite/exact-pin.ts";
import { openLink, Probe } from "../helpers/sqlite/probe.ts";
import { checkpoint, insert, openApp, tempDatabase } from "../helpers/sqlite/temp-database.ts";

function setUp(rows = 20) {
  const app = tempDatabase();
  const link = openLink(app.name);
  link.pin();
  const probe = Probe.begin(link);
  insert(app, rows);
  return { app, link, probe };
}

describe("exactPin", () => {
  test("between commits: at the captured position, without a lock, beside the link's own pin", () => {
    const { app, link, probe } = setUp();
    const result = exactPin(link, probe.drain, { tries: 1, barrierTries: 0 });
    expect(result).toMatchObject({ kind: "pinned", heldMs: 0, pin: { position: probe.position } });
    if (result.kind !== "pinned") return;
    expect(result.pin.commitPages).toBe(app.pragma("page_count", { simple: true }));
    // It holds the log by itself.
    link.unpin();
    insert(app);
    expect(checkpoint(app, "RESTART")[0]).toBe(1);
    result.pin.end();
    result.pin.end();
    expect(checkpoint(app, "RESTART")[0]).toBe(0);
  });

  test("a commit that lands while it is looked at: not exact, tried again", () => {
    const { app, link, probe } = setUp();
    let disturbances = 3;
    const drain = () => {
      const end = probe.drain();
      if (disturbances-- > 0) insert(app);
      return end;
    };
    expect(exactPin(link, drain, { tries: 3, barrierTries: 0 })).toEqual({ kind: "busy", why: "written" });
    const result = exactPin(link, drain, { tries: 1, barrierTries: 0 });
    expect(result).toMatchObject({ kind: "pinned", pin: { position: probe.position } });
  });

  test("a commit between the look and the pin: not exact either", () => {
    const { app, link, probe } = setUp();
    const captured = probe.drain();
    const index = link.index.bind(link);
    let looks = 0;
    link.index = () => {
      const seen = index();
      if (looks++ === 0) insert(app);
      return seen;
    };
    expect(exactPin(link, () => captured, { tries: 1, barrierTries: 0 })).toEqual({
      kind: "busy",
      why: "written",
    });
    expect(looks).toBe(2);
  });

  test("a writer that never pauses: under the lock", () => {
    const { app, link, probe } = setUp();
    const drain = () => {
      const end = probe.drain();
      tryInsert(app);
      return end;
    };
    expect(exactPin(link, drain, { tries: 5, barrierTries: 1 })).toMatchObject({
      kind: "pinned",
      pin: { position: probe.position },
    });
  });

  test("the lock is taken: busy; captured too little: a gap", () => {
    const { app, link, probe } = setUp();
    const before = probe.drain();
    insert(app);
    expect(exactPin(link, () => before, { tries: 1, barrierTries: 1 })).toEqual({
      kind: "gap",
      reason: "not-drained",
    });
    const other = openApp(app.name);
    other.exec("BEGIN IMMEDIATE");
    expect(exactPin(link, () => before, { tries: 1, barrierTries: 2 })).toEqual({
      kind: "busy",
      why: "locked",
    });
  });

  test("an empty log: everything is in the main file", () => {
    const { app, link, probe } = setUp();
    link.unpin();
    checkpoint(app, "TRUNCATE");
    link.pin();
    const result = exactPin(link, probe.drain, { tries: 1, barrierTries: 0 });
    expect(result).toMatchObject({ kind: "pinned", pin: { position: undefined } });
  });

  test("an empty log, and a file that is longer than the database (SQLITE_FCNTL_CHUNK_SIZE)", () => {
    const app = tempDatabase();
    const pages = app.pragma("page_count", { simple: true });
    const path = app.name;
    app.close();
    truncateSync(path, 65536);
    const link = openLink(path);
    const result = exactPin(link, () => undefined, { tries: 1, barrierTries: 0 });
    expect(result).toMatchObject({ kind: "pinned", pin: { position: undefined, commitPages: pages } });
  });

  test("an empty log, and a header that does not say how long the database is", () => {
    const app = tempDatabase({ rows: 200 });
    const pages = app.pragma("page_count", { simple: true });
    const path = app.name;
    app.close();
    const file = openSync(path, "r+");
    writeSync(file, Buffer.alloc(4), 0, 4, 28);
    closeSync(file);
    const result = exactPin(openLink(path), () => undefined, { tries: 1, barrierTries: 0 });
    expect(result).toMatchObject({ kind: "pinned", pin: { commitPages: pages } });
  });
});

function tryInsert(app: ReturnType<typeof openApp>): void {
  try {
    insert(app);
  } catch (error) {
    expect(error).toMatchObject({ code: "SQLITE_BUSY" });
  }
}
