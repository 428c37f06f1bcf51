import { describe, expect, test } from "vitest";
import { type Begun, Parking } from "../../src/daemon/parking.ts";
import { ManualClock, settled } from "../helpers/manual-clock.ts";

function crowd(open: number, storage = { distanceMs: 0 }) {
  const clock = new ManualClock();
  const parking = new Parking(clock, storage);
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

describe("how many are begun with at once", () => {
  async function begunOf(count: number, storage = { distanceMs: 0 }) {
    const { parking } = crowd(0, storage);
    const begun: Begun[] = [];
    for (let i = 0; i < count; i += 1) void parking.begin().then((one) => begun.push(one));
    await settled();
    return begun;
  }

  const twenty = () => begunOf(20);

  test("eight are begun with at once, two of them have connections before their first copy (pitfall 48)", async () => {
    const begun = await twenty();
    expect(begun).toHaveLength(8);
    const connected: Begun[] = [];
    for (const one of begun) void one.connects().then(() => connected.push(one));
    await settled();
    expect(connected).toEqual(begun.slice(0, 2));
    begun[0]?.copied();
    await settled();
    expect(begun, "begun").toHaveLength(8);
    for (let gone = 1; gone <= 5; gone += 1) {
      expect(connected, "connected").toEqual(begun.slice(0, 2 + gone));
      begun[gone - 1]?.settled();
      begun[gone]?.settled();
      begun[gone]?.settled();
      await settled();
      expect(begun, "begun").toHaveLength(9 + gone);
    }
  });

  test("nobody waits long for a first copy that is not small", async () => {
    const begun = await twenty();
    let connected = 0;
    for (const one of begun) void one.connects().then(() => (connected += 1));
    await settled();
    const MIB = 1 << 20;
    begun[0]?.opened(MIB);
    await settled();
    expect([begun.length, connected], "a small one").toEqual([8, 2]);
    begun[0]?.opened(MIB + 1);
    await settled();
    expect([begun.length, connected], "one that is not small").toEqual([8, 3]);
    begun[1]?.opened(64 * MIB);
    await settled();
    expect([begun.length, connected]).toEqual([8, 4]);
    begun[2]?.opened(64 * MIB + 1);
    await settled();
    expect([begun.length, connected], "a large one").toEqual([9, 5]);
    for (const at of [0, 1, 2]) begun[at]?.settled();
    await settled();
    expect([begun.length, connected], "each gave its room back once").toEqual([11, 5]);
  });

  test("one that went its way before it had room for connections gives that back too", async () => {
    const begun = await twenty();
    let connected = 0;
    for (const one of begun) void one.connects().then(() => (connected += 1));
    await settled();
    begun[7]?.settled(); // it waits for another writer, and lets others go on meanwhile
    await settled();
    expect([begun.length, connected]).toEqual([9, 2]);
    for (const one of begun.slice(0, 7)) {
      one.settled();
      await settled();
    }
    expect([begun.length, connected]).toEqual([16, 8]);
    for (const one of begun.slice(8)) void one.connects().then(() => (connected += 1));
    await settled();
    expect(connected, "beside the one that is connected").toBe(9);
    begun[7]?.settled();
    await settled();
    expect(connected).toBe(10);
  });

  test.each([
    ["near", 0, 8, 2],
    ["just near enough", 19.9, 8, 2],
    ["far", 20, 32, 8],
    ["very far", 300, 32, 8],
  ])("a storage that is %s", async (_, distanceMs, begunAtOnce, connectedAtOnce) => {
    const begun = await begunOf(100, { distanceMs });
    let connected = 0;
    for (const one of begun) void one.connects().then(() => (connected += 1));
    await settled();
    expect([begun.length, connected]).toEqual([begunAtOnce, connectedAtOnce]);
  });

  test("that the storage is far is learned while they wait, and unlearned", async () => {
    const storage = { distanceMs: 0 };
    const begun = await begunOf(100, storage);
    expect(begun).toHaveLength(8);
    storage.distanceMs = 50;
    begun[0]?.settled();
    await settled();
    expect(begun, "one goes, and so many more come").toHaveLength(33);
    storage.distanceMs = 5;
    for (const one of begun.slice(1, 26)) one.settled();
    await settled();
    expect(begun, "whoever is inside stays").toHaveLength(34);
  });
});
