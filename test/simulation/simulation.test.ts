import { readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { mutate } from "../helpers/mutation.ts";
import { keptSchedules } from "./found.ts";
import { type Move, type Schedule, scheduleOf } from "./moves.ts";
import { MUTATIONS } from "./mutations.ts";
import { shrink } from "./shrink.ts";
import { Workers } from "./workers.ts";

const projectFolder = join(import.meta.dirname, "../..");
let workers: Workers;

beforeAll(async () => {
  workers = await Workers.open(projectFolder);
});
afterAll(() => workers.close());

/** Some of what CI plays (simulation.torture.ts). */
const SEEDS = 60;

test(`${SEEDS} schedules: no commit is lost, no restore is wrong, nothing hangs`, {
  timeout: 300_000,
}, async () => {
  let announced = 0;
  const failures = await workers.play({ seeds: SEEDS, parallel: availableParallelism() }, (answer) => {
    if (answer.kind === "passed") announced += answer.announced;
  });
  expect(failures).toEqual([]);
  expect(announced).toBeGreaterThan(SEEDS);
});

test.each([5, 17])(
  "seed %i is the same schedule each time, with the same story",
  { timeout: 120_000 },
  async (seed) => {
    expect(scheduleOf(seed)).toEqual(scheduleOf(seed));
    const [first, second] = [await workers.tell(seed), await workers.tell(seed)];
    expect(first.story.length).toBeGreaterThan(20);
    expect(second.story).toEqual(first.story);
  },
);

describe("what the simulation found once", () => {
  test.each(keptSchedules(projectFolder))("$name", { timeout: 120_000 }, async ({ schedule }) => {
    const { why, message } = await workers.tell(schedule);
    expect({ why, message }).toEqual({ why: undefined, message: undefined });
  });
});

describe("bugs put in on purpose", () => {
  test.each(MUTATIONS)("$id still fits the code", (mutation) => {
    const source = readFileSync(join(projectFolder, mutation.file), "utf8");
    expect(mutate(source, mutation)).not.toBe(source);
  });
});

describe("shrinking", () => {
  const setup = scheduleOf(1).setup;
  const moves: Move[] = Array.from({ length: 23 }, (_, at) => ({ kind: "time", ms: at }));
  const millis = (schedule: Schedule) => schedule.moves.map((move) => (move.kind === "time" ? move.ms : -1));

  test.each([
    ["one move", [11]],
    ["the first and the last", [0, 22]],
    ["neighbours", [7, 8, 9]],
    ["some, far from one another", [2, 10, 15, 21]],
    ["none at all", []],
  ])("%s is left of all", async (_, needed) => {
    const least = await shrink({ setup, moves }, async (smaller) =>
      needed.every((ms) => millis(smaller).includes(ms)),
    );
    expect(millis(least)).toEqual(needed);
  });
});
