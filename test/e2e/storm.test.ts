import { expect, test } from "vitest";
import { storm } from "../helpers/e2e/storm.ts";

test("a writer at 500 commits/s with checkpoints in all modes: restores are prefixes, nothing is missing", async () => {
  const { writer, snapshots } = await storm({ seconds: 5, seed: 11, atLeast: { restores: 2, rows: 500 } });
  expect(writer.checkpoints.length).toBeGreaterThan(20);
  expect(snapshots, "one for the first copy, none for checkpoints").toBe(1);
}, 120_000);

test("the same with large transactions, rolled-back spills and VACUUM", async () => {
  await storm({
    seconds: 4,
    seed: 12,
    atLeast: { restores: 1 },
    writer: {
      rate: 200,
      largeEvery: 97,
      rollbackEvery: 31,
      cachePages: 20,
      vacuumEvery: 150,
      pageSize: 1024,
    },
  });
}, 120_000);

test("the daemon killed at random and started again: the same", async () => {
  const killEveryMs = { least: 400, most: 1800 };
  await storm({ seconds: 6, seed: 13, killEveryMs, atLeast: { restores: 1, kills: 2 } });
}, 120_000);
