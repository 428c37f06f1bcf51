import { setImmediate } from "node:timers/promises";
import { expect, test } from "vitest";
import { inParallel } from "../../src/restore/in-parallel.ts";

test("results keep the order of the items, and no more than the limit are under way", async () => {
  let [underWay, most] = [0, 0];
  const results = await inParallel([5, 1, 4, 2, 3], 2, async (turns) => {
    underWay += 1;
    most = Math.max(most, underWay);
    for (let i = 0; i < turns; i++) await setImmediate();
    underWay -= 1;
    return turns * 10;
  });
  expect(results).toEqual([50, 10, 40, 20, 30]);
  expect(most).toBe(2);
});

test("the first failure ends it, and what is under way is waited for", async () => {
  const begun: number[] = [];
  const ended: number[] = [];
  const work = inParallel([0, 1, 2, 3, 4, 5], 2, async (item) => {
    begun.push(item);
    await setImmediate();
    if (item === 1) throw new Error("one");
    await setImmediate();
    ended.push(item);
  });
  await expect(work).rejects.toThrow("one");
  expect(begun).toEqual([0, 1]);
  expect(ended).toEqual([0]);
});

test("nothing to do", async () => {
  expect(await inParallel([], 4, async () => 1)).toEqual([]);
});
