import { truncateSync } from "node:fs";
import { describe, expect, test } from "vitest";
import type { Replica } from "../../src/replication/replica.ts";
import type { LayoutName } from "../../src/storage/keys.ts";
import { DyingStorage } from "../helpers/replication/dying-storage.ts";
import { Stage } from "../helpers/replication/stage.ts";
import { checkpoint, insert } from "../helpers/sqlite/temp-database.ts";

/**
 * Everything that a replica does in its life, in steps: between any two of them, and at any request of any of them, the process may die
 * (pitfall 28). What comes then must lead to exactly what the database is.
 */
type Step = (stage: Stage, replica: Replica) => Promise<unknown>;

const write: Step = async ({ app }) => insert(app, 20);
const capture: Step = (_, replica) => replica.capture.capture();
const publish: Step = (_, replica) => replica.publish();
const handover: Step = async (stage, replica) => stage.handover(replica);
const restartLog: Step = async ({ app }) => checkpoint(app, "RESTART");
const saveCursor: Step = (_, replica) => replica.saveCursor();
const manifest: Step = (_, replica) => replica.writeManifest();
const drain: Step = async (_, replica) => replica.capture.drain();
const shrink: Step = async ({ app }) => app.exec("DELETE FROM t WHERE id % 3; VACUUM");
const snapshot: Step = async (_, replica) => {
  const point = await replica.pinForSnapshot();
  await replica.publish();
  await replica.publishSnapshot(point);
  point.end();
};

const LIFE: readonly Step[] = [
  ...[write, capture, publish],
  ...[write, capture, handover, restartLog, write, capture, publish],
  ...[saveCursor, write, capture, publish, manifest],
  ...[write, drain, shrink, capture, handover, restartLog, write, capture, handover, publish, publish],
  ...[write, capture, snapshot, write, capture, publish, saveCursor, manifest, write, drain],
];

async function live(stage: Stage, storage: DyingStorage, steps: readonly Step[]): Promise<"lived"> {
  const replica = await stage.begin({ storage });
  for (const step of steps) await step(stage, replica);
  return "lived";
}

/** Starts again, as often as it takes, and brings everything to storage. */
async function liveOn(stage: Stage): Promise<void> {
  const replica = await stage.begin();
  await stage.publishAll(replica);
  insert(stage.app, 3);
  await stage.publishAll(replica);
  await replica.saveCursor();
  await replica.writeManifest();
  stage.endLives();
  await stage.expectWhole();
  const again = await stage.open();
  expect(again.duty, "nothing is left to do").toEqual({ kind: "none" });
  stage.endLives();
}

/** Descriptors are closed for hygiene alone; the application keeps the log from being deleted. */
async function dieAndLiveOn(
  layout: LayoutName,
  at: number,
  effect: "before" | "after",
  beforeRestart: (stage: Stage) => void,
) {
  const stage = new Stage({ layout });
  const storage = new DyingStorage(stage.storage, at, effect);
  const outcome = await Promise.race([live(stage, storage, LIFE), storage.death]);
  stage.endLives();
  beforeRestart(stage);
  await liveOn(stage);
  return outcome;
}

const WHILE_AWAY: readonly (readonly [string, (stage: Stage) => void])[] = [
  ["nothing happened", () => {}],
  ["the application wrote on", ({ app }) => insert(app, 5)],
  [
    "the application restarted the log and wrote on",
    ({ app }) => {
      insert(app, 5);
      expect(checkpoint(app, "RESTART")[0]).toBe(0);
      insert(app, 5);
    },
  ],
];

const LAYOUTS = ["walrust", "litestream"] as const satisfies readonly LayoutName[];

describe.each(WHILE_AWAY)("killed at any request, and %s while it was away", (_, meanwhile) => {
  test.each(LAYOUTS.flatMap((layout) => [[layout, "before"] as const, [layout, "after"] as const]))(
    "in the %s layout, %s it takes effect",
    async (layout, effect) => {
      let at = 0;
      while ((await dieAndLiveOn(layout, at, effect, meanwhile)) === "died") at += 1;
      expect(at, "requests of a whole life").toBeGreaterThan(8);
    },
  );
});

const cases = WHILE_AWAY.flatMap(([what, meanwhile], index) =>
  LAYOUTS.map((layout) => [what, layout, meanwhile, index] as const),
);

/** Each of the three after every third step: together they take every one. */
test.each(cases)(
  "killed between any two steps, and %s while it was away (%s)",
  async (_, layout, meanwhile, index) => {
    for (let steps = index; steps <= LIFE.length; steps += WHILE_AWAY.length) {
      const stage = new Stage({ layout });
      const storage = new DyingStorage(stage.storage, Number.POSITIVE_INFINITY, "before");
      await live(stage, storage, LIFE.slice(0, steps));
      stage.endLives();
      meanwhile(stage);
      await liveOn(stage);
    }
  },
);

/** The chains that a start begins with a snapshot: the local state is none, or that of an older chain. */
const CHAINS: readonly (readonly [string, (stage: Stage) => Promise<void>])[] = [
  ["the first chain", async () => {}],
  [
    "a chain behind an older one",
    async (stage) => {
      const replica = await stage.begin();
      insert(stage.app, 20);
      await stage.publishAll(replica);
      await replica.saveCursor();
      stage.endLives();
      truncateSync(stage.folder.pageTable, 24);
      insert(stage.app, 20);
    },
  ],
];

test.each(CHAINS)(
  "killed at any request of the start of %s: no whole database is stored twice",
  async (_, prepare) => {
    for (const effect of ["before", "after"] as const) {
      for (let at = 0, isOver = false; !isOver; at += 1) {
        const stage = new Stage({ rows: 3000 });
        await prepare(stage);
        const snapshotsBefore = snapshotsOf(stage);
        const storage = new DyingStorage(stage.storage, at, effect);
        isOver = (await Promise.race([stage.begin({ storage }), storage.death])) !== "died";
        stage.endLives();
        insert(stage.app, 5);
        expect(checkpoint(stage.app, "TRUNCATE")[0]).toBe(0);
        await liveOn(stage);
        expect(snapshotsOf(stage), `death ${effect} request ${at}`).toBe(snapshotsBefore + 1);
      }
    }
  },
);

function snapshotsOf(stage: Stage): number {
  return stage.files().filter((file) => file.startsWith("00000001-")).length;
}

/** Each may leave a file that the manifest does not name, which costs the next life a request more. */
const DEATHS = 40;

test.each(LAYOUTS)(
  "killed again and again, at any request of the life that came back (%s)",
  async (layout) => {
    const stage = new Stage({ layout });
    const replica = await stage.begin();
    await replica.saveCursor();
    insert(stage.app, 20);
    await replica.capture.capture();
    stage.handover(replica);
    stage.endLives();
    for (let at = 0; at < DEATHS; at += 1) {
      insert(stage.app, 2);
      const storage = new DyingStorage(stage.storage, at, at % 2 ? "after" : "before");
      const steps = [
        write,
        capture,
        publish,
        handover,
        restartLog,
        write,
        capture,
        publish,
        saveCursor,
        manifest,
      ];
      await Promise.race([live(stage, storage, steps), storage.death]);
      stage.endLives();
    }
    await liveOn(stage);
  },
);
