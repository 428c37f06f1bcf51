import { describe, expect, test } from "vitest";
import { logHeader, openLink, Probe } from "../helpers/sqlite/probe.ts";
import {
  type CheckpointMode,
  checkpoint,
  insert,
  openApp,
  tempDatabase,
} from "../helpers/sqlite/temp-database.ts";

const MODES: readonly CheckpointMode[] = ["PASSIVE", "FULL", "RESTART", "TRUNCATE"];

describe("a pin at a mark > 0", () => {
  test.each(MODES)(
    "keeps the log through %s: frames are backfilled up to the mark, and never overwritten",
    (mode) => {
      const app = tempDatabase();
      insert(app);
      const link = openLink(app.name);
      expect(link.pin()).toBe(true);
      const header = logHeader(link);
      const pinnedFrames = link.index()?.frames ?? 0;
      expect(pinnedFrames).toBeGreaterThan(0);

      insert(app, 100);
      checkpoint(app, mode);
      insert(app);
      expect(link.index()?.backfilledFrames).toBe(pinnedFrames);
      expect(link.index()?.frames).toBeGreaterThan(pinnedFrames);
      expect(logHeader(link)).toEqual(header);
    },
  );

  test("makes FULL, RESTART and TRUNCATE fail once there are frames behind it", () => {
    const app = tempDatabase();
    insert(app);
    openLink(app.name).pin();
    insert(app);
    for (const mode of ["FULL", "RESTART", "TRUNCATE"] as const)
      expect(checkpoint(app, mode)[0], mode).toBe(1);
  });
});

describe("a pin at mark 0", () => {
  test.each(MODES)("lets the log be restarted once, then %s backfills nothing", (mode) => {
    const app = tempDatabase();
    insert(app);
    checkpoint(app, "PASSIVE");
    const link = openLink(app.name);
    link.pin();
    const before = logHeader(link);

    insert(app); // restarts the log
    const after = logHeader(link);
    expect(after?.salt1).toBe(((before?.salt1 ?? 0) + 1) >>> 0);
    for (let round = 0; round < 3; round++) {
      checkpoint(app, mode);
      insert(app, 50);
      expect(link.index()?.backfilledFrames).toBe(0);
      expect(logHeader(link)).toEqual(after);
    }
    expect(Probe.begin(link).live().length).toBe((link.index()?.commitPages ?? 0) * 4096);
  });

  test("lets the application's RESTART and TRUNCATE succeed at once", () => {
    const app = tempDatabase();
    insert(app);
    checkpoint(app, "PASSIVE");
    const link = openLink(app.name);
    link.pin();
    expect(checkpoint(app, "RESTART")[0]).toBe(0);
    expect(checkpoint(app, "TRUNCATE")).toEqual([0, 0, 0]);
    expect(link.walSize()).toBe(0);
  });

  test("outlives any number of TRUNCATEs in a row; afterwards the first generation with commits stays", () => {
    const app = tempDatabase();
    insert(app);
    checkpoint(app, "PASSIVE");
    const link = openLink(app.name);
    link.pin();
    const before = logHeader(link);
    for (let times = 0; times < 5; times++) expect(checkpoint(app, "TRUNCATE")[0]).toBe(0);
    insert(app);
    // One connection did it all, so it counted on: five restarts, and the writer adds none to an empty log.
    const after = logHeader(link);
    expect(after?.sequence).toBe((before?.sequence ?? 0) + 5);
    expect(after?.salt1).toBe(((before?.salt1 ?? 0) + 5) >>> 0);
    expect(checkpoint(app, "TRUNCATE")[0]).toBe(1);
    insert(app);
    expect(logHeader(link)).toEqual(after);
  });
});

describe("what sequence and salts prove", () => {
  test("each connection counts the sequence for itself: two that restart in turn write the same one", () => {
    const a = tempDatabase();
    const b = openApp(a.name);
    const link = openLink(a.name);
    insert(a);
    const sequences: (number | undefined)[] = [];
    const salts: number[] = [];
    for (const app of [a, b, a, b]) {
      checkpoint(a, "PASSIVE");
      insert(app);
      sequences.push(logHeader(link)?.sequence);
      salts.push(logHeader(link)?.salt1 ?? 0);
    }
    const steps = sequences.slice(1).map((sequence, i) => (sequence ?? 0) - (sequences[i] ?? 0));
    expect(steps, `sequences ${sequences}`).not.toEqual([1, 1, 1]);
    expect(salts.slice(1).map((salt, i) => (salt - (salts[i] ?? 0)) >>> 0)).toEqual([1, 1, 1]);
  });

  test("after another connection's TRUNCATE a connection that never restarted a log draws both salts anew", () => {
    const a = tempDatabase();
    insert(a);
    const link = openLink(a.name);
    const before = logHeader(link);
    const b = openApp(a.name);
    b.prepare("SELECT count(*) FROM t").get();
    checkpoint(a, "TRUNCATE");
    insert(b);
    const after = logHeader(link);
    expect(after?.sequence).toBe(0);
    expect(after?.salt1).not.toBe(((before?.salt1 ?? 0) + 1) >>> 0);
  });
});

describe("the pin and the files", () => {
  test("the application's last close with our pin keeps the log, and what was in it", () => {
    const app = tempDatabase();
    const link = openLink(app.name);
    const probe = Probe.begin(link);
    link.pin();
    insert(app, 20);
    const expected = link.index();
    app.close();
    expect(link.walSize()).toBeGreaterThan(0);
    expect(link.index()).toEqual(expected);
    probe.drain();
    expect(probe.contents()).toEqual(probe.live());
  });

  test("moving the pin frees the frames up to the new mark, and there is a pin all the time", () => {
    const app = tempDatabase();
    const link = openLink(app.name);
    link.pin();
    insert(app);
    const first = link.index()?.frames;
    expect(link.movePin()).toBe(true);
    insert(app);
    expect(link.passive()).toEqual({ busy: false, logFrames: link.index()?.frames, backfilledFrames: first });
    expect(link.movePin()).toBe(true);
    expect(link.pinned).toBe(true);
    expect(link.passive().backfilledFrames).toBe(link.index()?.frames);
  });
});

describe("whether a pin holds the backfill back", () => {
  function facts() {
    const app = tempDatabase();
    insert(app);
    const link = openLink(app.name);
    const holds = () => {
      const index = link.index();
      return index !== undefined && link.holdsBackfillBack(index);
    };
    return { app, link, holds };
  }

  test("only once something was committed since it began, whatever its mark", () => {
    const { app, link, holds } = facts();
    expect(holds(), "without a pin").toBe(false);
    link.pin();
    expect(holds(), "at the end").toBe(false);
    insert(app);
    expect(holds(), "behind the end").toBe(true);
    checkpoint(app, "PASSIVE");
    expect(holds(), "a checkpoint cannot pass it").toBe(true);
    link.movePin();
    expect(link.atMarkZero, "the new one is at a mark > 0").toBe(false);
    expect(holds()).toBe(false);
    checkpoint(app, "PASSIVE");
    link.movePin();
    expect(link.atMarkZero).toBe(true);
    insert(app); // begins the log anew
    expect(holds(), "in another generation nothing is known").toBe(false);
  });

  test("where it does not, a new one may be at mark 0 at any moment", () => {
    const { app, link, holds } = facts();
    link.pin();
    expect(holds()).toBe(false);
    checkpoint(app, "PASSIVE");
    link.movePin();
    expect(link.atMarkZero).toBe(true);
  });
});

describe("whether a pin keeps the log as it is", () => {
  test.each([
    ["frames are left to backfill", false, true],
    ["everything is backfilled", true, false],
  ])("%s", (_, isBackfilled, keepsLog) => {
    const app = tempDatabase();
    insert(app);
    if (isBackfilled) checkpoint(app, "PASSIVE");
    const link = openLink(app.name);
    expect(link.keepsLog, "without a pin").toBe(false);
    link.pin();
    expect(link.keepsLog).toBe(keepsLog);

    const before = link.index();
    checkpoint(app, "PASSIVE");
    insert(app); // begins the log anew if it can
    expect(link.index()?.salt1 === before?.salt1).toBe(keepsLog);
    expect(link.keepsLog, "as long as it is held").toBe(keepsLog);
    link.unpin();
    expect(link.keepsLog).toBe(false);
  });
});
