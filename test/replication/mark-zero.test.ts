import { expect, test } from "vitest";
import type { Replica } from "../../src/replication/replica.ts";
import { Stage } from "../helpers/replication/stage.ts";
import { checkpoint, insert } from "../helpers/sqlite/temp-database.ts";

/** A pin at mark 0, behind which the application may begin its log anew. */
async function atMarkZero(): Promise<{ readonly stage: Stage; readonly replica: Replica }> {
  const stage = new Stage();
  const replica = await stage.begin();
  insert(stage.app, 100);
  await stage.publishAll(replica);
  expect(stage.handover(replica)).toMatchObject({ kind: "done" });
  expect(replica.link.atMarkZero).toBe(true);
  return { stage, replica };
}

async function expectNoGap(stage: Stage, replica: Replica): Promise<void> {
  insert(stage.app);
  await stage.publishAll(replica);
  await stage.expectWhole();
}

test.each([
  ["TRUNCATE", "before"],
  ["TRUNCATE", "after"],
  ["RESTART", "before"],
  ["RESTART", "after"],
] as const)(
  "left while nothing is in the log: it stays at mark 0, and %s %s that is no gap",
  async (mode, when) => {
    const { stage, replica } = await atMarkZero();
    if (when === "before") expect(checkpoint(stage.app, mode)[0]).toBe(0);
    replica.leaveMarkZero();
    expect(replica.link.atMarkZero).toBe(true);
    if (when === "after") expect(checkpoint(stage.app, mode)[0]).toBe(0);
    expect(replica.capture.look()).toEqual({ kind: "idle" });
    await expectNoGap(stage, replica);
  },
);

test("left while something is, of a log that began anew under it: from then on the log cannot begin anew", async () => {
  const { stage, replica } = await atMarkZero();
  insert(stage.app, 300);
  replica.leaveMarkZero();
  expect(replica.link.atMarkZero).toBe(false);
  expect(checkpoint(stage.app, "TRUNCATE")[0], "busy").toBe(1);
  await expectNoGap(stage, replica);
});
