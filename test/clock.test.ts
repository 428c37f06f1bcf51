import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { LONGEST_TIMER_MS, systemClock } from "../src/clock.ts";

beforeEach(() => {
  vi.useFakeTimers(); // they fire at once beyond 2^31 - 1 ms, as the platform's do
});
afterEach(() => {
  vi.restoreAllMocks();
  vi.useRealTimers();
});

describe("longer than a timer of the platform can be (pitfall 47)", () => {
  const DAY_MS = 24 * 3_600_000;

  /** What sets timers again and again would run all the time, and keep these tests from ending. */
  function scheduled(ms: number) {
    const wake = vi.fn();
    const set = vi.spyOn(globalThis, "setTimeout");
    const cancel = systemClock.schedule(ms, wake);
    vi.advanceTimersByTime(1000);
    expect(set).toHaveBeenCalledOnce();
    return { wake, cancel };
  }

  test.each([LONGEST_TIMER_MS + 1, 30 * DAY_MS, 90 * DAY_MS])(
    "wakes after %d ms, once and not before",
    (ms) => {
      const { wake } = scheduled(ms);
      vi.advanceTimersByTime(ms - 1001);
      expect(wake).not.toHaveBeenCalled();
      vi.advanceTimersByTime(1);
      vi.advanceTimersByTime(365 * DAY_MS);
      expect(wake).toHaveBeenCalledOnce();
    },
  );

  test("is cancelled at any time", () => {
    const { wake, cancel } = scheduled(90 * DAY_MS);
    vi.advanceTimersByTime(60 * DAY_MS);
    cancel();
    vi.advanceTimersByTime(365 * DAY_MS);
    expect(wake).not.toHaveBeenCalled();
    expect(vi.getTimerCount()).toBe(0);
  });
});

test("a time that has passed wakes at once", () => {
  const wake = vi.fn();
  systemClock.schedule(-5, wake);
  vi.advanceTimersByTime(1);
  expect(wake).toHaveBeenCalledOnce();
});

describe("sleep", () => {
  test("ends with the signal's reason, and leaves no timer", async () => {
    const stop = new AbortController();
    const sleeping = systemClock.sleep(1000, { signal: stop.signal });
    stop.abort(new Error("enough"));
    await expect(sleeping).rejects.toThrow("enough");
    expect(vi.getTimerCount()).toBe(0);
    await expect(systemClock.sleep(1000, { signal: stop.signal })).rejects.toThrow("enough");
  });

  test("takes its time", async () => {
    const sleeping = systemClock.sleep(1000, { signal: new AbortController().signal });
    await vi.advanceTimersByTimeAsync(1000);
    await sleeping;
  });
});

test("never wakes before its time, however long the event loop was busy before", async () => {
  vi.useRealTimers();
  for (const ms of [0.4, 1.7, 2.5, 3.9, 7.2]) {
    const busyUntilMs = performance.now() + 4;
    while (performance.now() < busyUntilMs);
    const sinceMs = performance.now();
    await new Promise<void>((resolve) => systemClock.schedule(ms, resolve));
    expect(performance.now() - sinceMs).toBeGreaterThanOrEqual(ms);
  }
});
