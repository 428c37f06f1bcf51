import { expect, test } from "vitest";
import { workLimit } from "../../src/daemon/limits.ts";
import { settled } from "../helpers/manual-clock.ts";

/** Starts so many pieces of work that never end, and counts those that were let begin. */
async function begun(count: number, limit: (work: () => Promise<void>) => Promise<void>): Promise<number> {
  let running = 0;
  for (let i = 0; i < count; i += 1) {
    void limit(() => {
      running += 1;
      return new Promise(() => {});
    });
  }
  await settled();
  return running;
}

const MIB = 1024 ** 2;

test("small work: as much at once as was asked for", async () => {
  const limit = workLimit(5);
  expect(await begun(20, (work) => limit(1000, work))).toBe(5);
});

test("large work: two at once, and small work goes on beside it", async () => {
  const limit = workLimit(5);
  expect(await begun(20, (work) => limit(64 * MIB, work))).toBe(2);
  expect(await begun(20, (work) => limit(64 * MIB - 1, work))).toBe(3);
});

test("what it resolves and rejects with passes through", async () => {
  const limit = workLimit(1);
  await expect(limit(64 * MIB, async () => 7)).resolves.toBe(7);
  await expect(limit(1, () => Promise.reject(new Error("no")))).rejects.toThrow("no");
  await expect(limit(1, async () => 8)).resolves.toBe(8);
});
