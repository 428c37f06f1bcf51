import { availableParallelism } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { keptSchedules } from "./found.ts";
import { MUTATIONS } from "./mutations.ts";
import { Workers } from "./workers.ts";

const projectFolder = join(import.meta.dirname, "../..");
const parallel = availableParallelism();

/** `npm run simulate -- --seeds 10000` plays more; those of a run by hand are these and those behind them. */
const SEEDS = 2000;
const MINUTE_MS = 60_000;

test(`${SEEDS} schedules: no commit is lost, no restore is wrong, nothing hangs`, {
  timeout: 30 * MINUTE_MS,
}, async () => {
  const workers = await Workers.open(projectFolder);
  try {
    let announced = 0;
    const failures = await workers.play({ seeds: SEEDS, parallel }, (answer) => {
      if (answer.kind === "passed") announced += answer.announced;
    });
    expect(failures).toEqual([]);
    expect(announced).toBeGreaterThan(SEEDS);
  } finally {
    workers.close();
  }
});

describe("the same schedules find", () => {
  test.each(MUTATIONS)("$id: $what", { timeout: 10 * MINUTE_MS }, async (mutation) => {
    const workers = await Workers.open(projectFolder, mutation);
    try {
      // first those that are kept: they are few
      const isFound = (await findsByKept(workers)) || (await findsBySeeds(workers));
      expect(isFound).toBe(true);
    } finally {
      workers.close();
    }
  });
});

async function findsBySeeds(workers: Workers): Promise<boolean> {
  const failures = await workers.play({ seeds: SEEDS, parallel, stopAtFailure: true });
  return failures.length > 0;
}

/** One of the schedules that are kept fails. */
async function findsByKept(workers: Workers): Promise<boolean> {
  for (const { schedule } of keptSchedules(projectFolder))
    if ((await workers.tell(schedule)).why !== undefined) return true;
  return false;
}
