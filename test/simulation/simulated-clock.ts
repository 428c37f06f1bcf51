import type { Clock } from "../../src/clock.ts";

interface Timer {
  readonly atMs: number;
  readonly wake: () => void;
}

/** Time that moves only when the schedule says so, for all processes of a simulation. */
export class SimulatedClock {
  #elapsedMs = 0;
  /** Of the wall clock alone. */
  #jumpedMs = 0;
  readonly #startMs = Date.UTC(2026, 0, 2, 3, 4, 5);
  /** In the order in which they were set. */
  readonly #timers = new Set<Timer>();

  /** Whole, like the platform's. */
  now(): number {
    return this.#startMs + Math.floor(this.#elapsedMs) + this.#jumpedMs;
  }

  elapsedMs(): number {
    return this.#elapsedMs;
  }

  /** The wall clock is set to another time. */
  jump(ms: number): void {
    this.#jumpedMs += ms;
  }

  /** Moves to the next timer and lets it go, if it is due within `ms`; else by `ms`. False: there was none. */
  step(ms: number): boolean {
    const next = this.#next();
    if (next === undefined || next.atMs > this.#elapsedMs + ms) {
      this.#elapsedMs += ms;
      return false;
    }
    this.#timers.delete(next);
    this.#elapsedMs = Math.max(this.#elapsedMs, next.atMs);
    next.wake();
    return true;
  }

  /** Until the next timer; undefined: nobody sleeps. */
  untilNextMs(): number | undefined {
    const next = this.#next();
    return next && Math.max(0, next.atMs - this.#elapsedMs);
  }

  /** As one process sees it: who is dead is never woken. */
  of(process: { readonly isAlive: boolean }): Clock {
    const schedule = (ms: number, wake: () => void) => {
      const timer = {
        atMs: this.#elapsedMs + Math.max(0, ms),
        wake: () => {
          if (process.isAlive) wake();
        },
      };
      if (Number.isFinite(timer.atMs)) this.#timers.add(timer);
      return () => void this.#timers.delete(timer);
    };
    return { now: () => this.now(), monotonicMs: () => this.#elapsedMs, schedule, sleep: sleepBy(schedule) };
  }

  #next(): Timer | undefined {
    let next: Timer | undefined;
    for (const timer of this.#timers) if (next === undefined || timer.atMs < next.atMs) next = timer;
    return next;
  }
}

function sleepBy(schedule: Clock["schedule"]): Clock["sleep"] {
  return (ms, { signal } = {}) =>
    new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason);
      const onAbort = () => {
        cancel();
        reject(signal?.reason);
      };
      const cancel = schedule(ms, () => {
        signal?.removeEventListener("abort", onAbort);
        resolve();
      });
      signal?.addEventListener("abort", onAbort, { once: true });
    });
}
