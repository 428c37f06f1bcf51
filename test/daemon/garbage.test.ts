import { expect, test, vi } from "vitest";
import { Garbage } from "../../src/daemon/garbage.ts";
import { ManualClock } from "../helpers/manual-clock.ts";

function begin() {
  const clock = new ManualClock();
  const collect = vi.fn(async () => {});
  const garbage = new Garbage(clock, collect);
  return { clock, collect, garbage };
}

test("it is collected once, when nothing was opened or parked for 3 s", async () => {
  const { clock, collect, garbage } = begin();
  for (let seconds = 0; seconds < 20; seconds += 1) {
    garbage.note();
    await clock.advance(1000);
  }
  expect(collect).not.toHaveBeenCalled();
  await clock.advance(2000);
  expect(collect).toHaveBeenCalledOnce();
  await clock.advance(3_600_000);
  expect(collect).toHaveBeenCalledOnce();
});

test("where databases come and go all the time: once a minute at most", async () => {
  const { clock, collect, garbage } = begin();
  for (let times = 0; times < 60 * 6; times += 1) {
    garbage.note();
    await clock.advance(10_000);
  }
  expect(collect.mock.calls.length).toBeGreaterThanOrEqual(50);
  expect(collect.mock.calls.length).toBeLessThanOrEqual(60);
});

test("leaves no timer behind", async () => {
  const { clock, garbage } = begin();
  garbage.note();
  garbage.close();
  expect(clock.sleepers).toBe(0);
});

test("V8 really does it", async () => {
  const clock = new ManualClock();
  const garbage = new Garbage(clock);
  const collected = vi.fn();
  const registry = new FinalizationRegistry(collected);
  registry.register({}, "garbage");
  garbage.note();
  await clock.advance(3000);
  await vi.waitUntil(() => collected.mock.calls.length > 0, { timeout: 20_000 });
});
