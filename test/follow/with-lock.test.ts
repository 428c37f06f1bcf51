import { expect, test } from "vitest";
import type { LockKind } from "../../src/follow/replica-file.ts";
import { withLock } from "../../src/follow/with-lock.ts";
import { ManualClock } from "../helpers/manual-clock.ts";

/** A file whose lock is to be had at the n-th try. */
function lockable(atTry: number) {
  const tries: number[] = [];
  let held = false;
  return {
    path: "/r.db",
    tries,
    isHeld: () => held,
    tryLock(_: LockKind, waitMs: number) {
      tries.push(waitMs);
      held = tries.length === atTry;
      return held;
    },
    unlock() {
      held = false;
    },
  };
}

test("each try waits longer, up to half a second, and leaves readers as long in between", async () => {
  const clock = new ManualClock();
  const file = lockable(8);
  const done = withLock(file, "exclusive", { clock }, async () => {
    expect(file.isHeld()).toBe(true);
    return "done";
  });
  await clock.advance(20 + 40 + 80 + 160 + 320 + 500 + 499);
  expect(file.tries).toEqual([20, 40, 80, 160, 320, 500, 500]);
  await clock.advance(1);
  expect(await done).toBe("done");
  expect(file.isHeld()).toBe(false);
});

test("the lock ends with the work, whatever it throws", async () => {
  const file = lockable(1);
  const fail = () => Promise.reject(new Error("no"));
  await expect(withLock(file, "shared", { clock: new ManualClock() }, fail)).rejects.toThrow("no");
  expect(file.isHeld()).toBe(false);
});

test("a reader that stays is told after a minute", async () => {
  const clock = new ManualClock();
  const failed = expect(
    withLock(lockable(Number.POSITIVE_INFINITY), "exclusive", { clock }, async () => {}),
  ).rejects.toMatchObject({ code: "DATABASE_LOCKED", exitCode: 3, retryable: true });
  await clock.advance(61_000);
  await failed;
});

test("a stop ends the wait", async () => {
  const clock = new ManualClock();
  const stop = new AbortController();
  const options = { clock, signal: stop.signal };
  const failed = expect(
    withLock(lockable(Number.POSITIVE_INFINITY), "exclusive", options, async () => {}),
  ).rejects.toMatchObject({ name: "AbortError" });
  await clock.advance(100);
  stop.abort();
  await failed;
});
