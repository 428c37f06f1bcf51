import { expect, test } from "vitest";
import { BUSY_WRITER } from "../src/daemon/active-task.ts";
import { Pace } from "../src/pace.ts";
import { ManualClock } from "./helpers/manual-clock.ts";

/** Looks every 100 ms for as long as it takes, at so many frames a second. */
function aPace() {
  const clock = new ManualClock();
  const told: boolean[] = [];
  const pace = new Pace(clock, BUSY_WRITER, 1000, (isBusy) => told.push(isBusy));
  let frames = 1000;
  const write = async (framesPerSecond: number, seconds: number) => {
    for (let look = 0; look < seconds * 10; look += 1) {
      await clock.advance(100);
      frames += framesPerSecond / 10;
      pace.note(frames);
    }
  };
  return { pace, told, write };
}

test("a writer at full speed is told once, and when it is over", async () => {
  const { told, write } = aPace();
  await write(20_000, 3);
  expect(told).toEqual([true]);
  await write(0, 1);
  expect(told).toEqual([true, false]);
});

test("usual writers are not", async () => {
  const { told, write } = aPace();
  await write(4_900, 5);
  expect(told).toEqual([]);
});

test("one that becomes a little slower still is", async () => {
  const { told, write } = aPace();
  await write(6_000, 2);
  await write(3_000, 2);
  expect(told).toEqual([true]);
  await write(2_000, 1);
  expect(told).toEqual([true, false]);
});

test("a burst within half a second is not", async () => {
  const { told, write } = aPace();
  await write(0, 0.3);
  await write(15_000, 0.1);
  await write(0, 1);
  expect(told).toEqual([]);
});

test("what is closed is not busy any more", async () => {
  const { pace, told, write } = aPace();
  await write(20_000, 1);
  pace.end();
  pace.end();
  expect(told).toEqual([true, false]);
});
