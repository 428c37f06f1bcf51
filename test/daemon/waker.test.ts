import { expect, test } from "vitest";
import { Waker } from "../../src/daemon/waker.ts";
import { ManualClock, settled } from "../helpers/manual-clock.ts";

async function isOver(sleep: Promise<void>): Promise<boolean> {
  let over = false;
  void sleep.then(() => {
    over = true;
  });
  await settled();
  return over;
}

test("sleeps until its time", async () => {
  const clock = new ManualClock();
  const sleep = new Waker(clock).sleepUntil(1000);
  await clock.advance(999);
  expect(await isOver(sleep)).toBe(false);
  await clock.advance(1);
  expect(await isOver(sleep)).toBe(true);
});

test("news end the sleep, and its timer", async () => {
  const clock = new ManualClock();
  const waker = new Waker(clock);
  const sleep = waker.sleepUntil(1000);
  waker.wake();
  expect(await isOver(sleep)).toBe(true);
  expect(clock.sleepers).toBe(0);
});

test("news that come while nobody sleeps are not lost, and count once", async () => {
  const clock = new ManualClock();
  const waker = new Waker(clock);
  waker.wake();
  waker.wake();
  expect(await isOver(waker.sleepUntil(1000))).toBe(true);
  const next = waker.sleepUntil(1000);
  expect(await isOver(next)).toBe(false);
  await clock.advance(1000);
  expect(await isOver(next)).toBe(true);
});

test("a time that is over: the next turn", async () => {
  const clock = new ManualClock();
  clock.pass(5000);
  const sleep = new Waker(clock).sleepUntil(Number.NEGATIVE_INFINITY);
  await clock.advance(0);
  expect(await isOver(sleep)).toBe(true);
});
