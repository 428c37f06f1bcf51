import { describe, expect, test } from "vitest";
import { Parking } from "../../src/daemon/parking.ts";
import { ManualClock } from "../helpers/manual-clock.ts";

function crowd(open: number) {
  const clock = new ManualClock();
  const parking = new Parking(clock);
  for (let i = 0; i < open; i += 1) parking.opened();
  return { clock, parking };
}

/** Counts its looks. */
function aDatabase() {
  const database = {
    looks: 0,
    look: () => {
      database.looks += 1;
    },
  };
  return database;
}

test.each([
  [1, undefined],
  [8, undefined],
  [9, 15_000],
  [128, 15_000],
  [129, 2_000],
])("%d databases open: a quiet one is let go after %s ms", (open, quietMs) => {
  const { parking } = crowd(open);
  expect(parking.quietMs).toBe(quietMs);
  parking.closed();
  expect(parking.quietMs).toBe(crowd(open - 1).parking.quietMs);
});

describe("a parked database", () => {
  test("is looked at each second, until it leaves", async () => {
    const { clock, parking } = crowd(0);
    const database = aDatabase();
    parking.park(database);
    await clock.advance(60_000);
    expect(database.looks).toBe(60);
    expect(parking.parked).toBe(1);
    parking.leave(database);
    await clock.advance(60_000);
    expect(database.looks).toBe(60);
    expect(parking.parked).toBe(0);
  });

  test("may leave in the middle of a look, and the others are looked at all the same", async () => {
    const { clock, parking } = crowd(0);
    const other = aDatabase();
    const leaving = { look: () => parking.leave(leaving) };
    parking.park(leaving);
    parking.park(other);
    await clock.advance(3000);
    expect(other.looks).toBe(3);
  });

  test("leaves no timer behind", async () => {
    const { clock, parking } = crowd(0);
    const database = aDatabase();
    parking.park(database);
    parking.leave(database);
    await clock.advance(2000);
    expect(clock.sleepers).toBe(0);
  });
});

test("many are looked at more seldom, and one look at all of them", async () => {
  const { clock, parking } = crowd(0);
  const databases = Array.from({ length: 10_000 }, aDatabase);
  for (const database of databases) parking.park(database);
  await clock.advance(20_000);
  for (const { looks } of databases) {
    expect(looks).toBeGreaterThanOrEqual(3);
    expect(looks).toBeLessThanOrEqual(5);
  }
});

test("eight are begun with at once, and the next when one goes its way", async () => {
  const { parking } = crowd(0);
  const begun: (() => void)[] = [];
  for (let i = 0; i < 10; i += 1) void parking.begin().then((settled) => begun.push(settled));
  await Promise.resolve();
  await Promise.resolve();
  expect(begun).toHaveLength(8);
  begun[0]?.();
  begun[0]?.();
  await new Promise(setImmediate);
  expect(begun).toHaveLength(9);
});
