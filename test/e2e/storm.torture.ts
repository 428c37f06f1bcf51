import { expect, test } from "vitest";
import { storm } from "../helpers/e2e/storm.ts";

test("half a minute at 500 commits/s with checkpoints in all modes", async () => {
  const { writer, snapshots } = await storm({ seconds: 30, seed: 21, atLeast: { restores: 11 } });
  expect(writer.transactions).toBeGreaterThan(5000);
  expect(snapshots, "one for the first copy, none for checkpoints").toBe(1);
});

test("half a minute of commits without a pause, with large transactions, spills and checkpoints", async () => {
  await storm({
    seconds: 30,
    seed: 22,
    atLeast: { restores: 11 },
    writer: { rate: 1000, largeEvery: 301, rollbackEvery: 53, cachePages: 20, checkpointEveryMs: 15 },
    watchArgs: ["--checkpoint-interval", "500ms", "--min-checkpoint-pages", "50"],
  });
});

test("three quarters of a minute in which the daemon is killed at random", async () => {
  await storm({
    seconds: 45,
    seed: 23,
    atLeast: { restores: 11, kills: 16 },
    killEveryMs: { least: 50, most: 2500 },
    watchArgs: ["--checkpoint-interval", "500ms", "--min-checkpoint-pages", "50"],
  });
});
