import { describe, expect, test } from "vitest";
import { Parking } from "../../src/daemon/parking.ts";
import { Waker } from "../../src/daemon/waker.ts";
import { ManualClock } from "../helpers/manual-clock.ts";

function crowd(open: number) {
  const clock = new ManualClock();
  const parking = new Parking(clock);
  for (let i = 0; i < open; i += 1) parking.opened();
  return { clock, parking };
}

test.each([
  [1, undefined],
  [16, undefined],
  [17, 15_000],
  [128, 15_000],
  [129, 2_000],
])("%d databases open: a quiet one is let go after %s ms", (open, quietMs) => {
  const { parking } = crowd(open);
  expect(parking.quietMs).toBe(quietMs);
  parking.closed();
  expect(parking.quietMs).toBe(crowd(open - 1).parking.quietMs);
});

describe("a parked database", () => {
  function parked(atMs = Number.POSITIVE_INFINITY) {
    const { clock, parking } = crowd(0);
    const waker = new Waker(clock);
    const facts = { looks: 0, changed: false, isWoken: false };
    const hasChanged = () => {
      facts.looks += 1;
      return facts.changed;
    };
    const rested = parking.rest({ waker, hasChanged }, atMs).then(() => {
      facts.isWoken = true;
    });
    return { clock, parking, waker, facts, rested };
  }

  test("is looked at each second, and sleeps as long as nothing changes", async () => {
    const { clock, parking, facts, waker, rested } = parked();
    await clock.advance(60_000);
    expect(facts).toEqual({ looks: 60, changed: false, isWoken: false });
    expect(parking.parked).toBe(1);
    waker.wake();
    await rested;
  });

  test("is woken when it changes", async () => {
    const { clock, parking, facts } = parked();
    await clock.advance(5000);
    facts.changed = true;
    await clock.advance(1000);
    expect(facts.isWoken).toBe(true);
    expect(parking.parked).toBe(0);
  });

  test("is woken by a hint at once, and at its time", async () => {
    const hinted = parked();
    hinted.waker.wake();
    await hinted.rested;
    const due = parked(90_000);
    await due.clock.advance(89_999);
    expect(due.facts.isWoken).toBe(false);
    await due.clock.advance(1);
    expect(due.facts.isWoken).toBe(true);
  });

  test("is woken when it cannot be looked at, and the others are looked at all the same", async () => {
    const { clock, parking } = crowd(0);
    const [broken, other] = [new Waker(clock), new Waker(clock)];
    let looks = 0;
    const hasChanged = () => {
      throw new Error("permission denied");
    };
    const woken = parking.rest({ waker: broken, hasChanged }, Number.POSITIVE_INFINITY);
    const asleep = parking.rest({ waker: other, hasChanged: () => ++looks < 0 }, Number.POSITIVE_INFINITY);
    await clock.advance(3000);
    await woken;
    expect(looks).toBe(3);
    other.wake();
    await asleep;
  });

  test("leaves no timer behind", async () => {
    const { clock, waker, rested } = parked();
    waker.wake();
    await rested;
    await clock.advance(2000);
    expect(clock.sleepers).toBe(0);
  });
});

test("many are looked at more seldom, and one look at all of them", async () => {
  const { clock, parking } = crowd(0);
  let looks = 0;
  const hasChanged = () => {
    looks += 1;
    return false;
  };
  const wakers = Array.from({ length: 10_000 }, () => new Waker(clock));
  const rested = wakers.map((waker) => parking.rest({ waker, hasChanged }, Number.POSITIVE_INFINITY));
  await clock.advance(20_000);
  expect(looks / 10_000).toBeGreaterThanOrEqual(3);
  expect(looks / 10_000).toBeLessThanOrEqual(5);
  for (const waker of wakers) waker.wake();
  await Promise.all(rested);
});
