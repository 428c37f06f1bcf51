import { setImmediate } from "node:timers/promises";
import type { Clock } from "../../src/clock.ts";

interface Timer {
  readonly atMs: number;
  readonly wake: () => void;
}

/** Requests to the file system, and whoever yields to them: the only things that run while nobody sleeps. */
const AT_WORK = /^(FSReq|CloseReq|Immediate)/;
/** So many looks in a row without anything at work: promises that follow from one another need some. */
const QUIET_LOOKS = 4;

/** Time that stands still until a test moves it on. */
export class ManualClock implements Clock {
  /** Unix ms at the start. */
  readonly startMs: number;
  #elapsedMs = 0;
  /** Of the wall clock alone: it may jump. */
  #jumpedMs = 0;
  readonly #timers = new Set<Timer>();

  constructor(startMs = Date.UTC(2026, 0, 2, 3, 4, 5)) {
    this.startMs = startMs;
  }

  /** In whole milliseconds, as Date.now() gives it, also when somebody slept for a part of one. */
  now(): number {
    return Math.floor(this.startMs + this.#elapsedMs + this.#jumpedMs);
  }

  monotonicMs(): number {
    return this.#elapsedMs;
  }

  sleep(ms: number, { signal }: { readonly signal?: AbortSignal } = {}): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason);
      const onAbort = () => {
        cancel();
        reject(signal?.reason);
      };
      const cancel = this.schedule(ms, () => {
        signal?.removeEventListener("abort", onAbort);
        resolve();
      });
      signal?.addEventListener("abort", onAbort, { once: true });
    });
  }

  schedule(ms: number, wake: () => void): () => void {
    const timer = { atMs: this.#elapsedMs + Math.max(0, ms), wake };
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  }

  /** Who sleeps at this moment. */
  get sleepers(): number {
    return this.#timers.size;
  }

  /** The wall clock is set to another time; nobody sleeps longer for it. */
  jump(ms: number): void {
    this.#jumpedMs += ms;
  }

  /** Without letting anything run. */
  pass(ms: number): void {
    this.#elapsedMs += ms;
  }

  /** Moves on by `ms`; whoever sleeps meanwhile wakes in order, and works until all of it waits for time or the test. */
  async advance(ms: number): Promise<void> {
    const untilMs = this.#elapsedMs + ms;
    await settled();
    for (;;) {
      const next = this.#next();
      if (next === undefined || next.atMs > untilMs) break;
      this.#timers.delete(next);
      this.#elapsedMs = Math.max(this.#elapsedMs, next.atMs);
      next.wake();
      await settled();
    }
    this.#elapsedMs = untilMs;
  }

  /** Moves on, from one sleeper to the next, until the condition holds; fails if it does not within `limitMs`. */
  async advanceUntil(condition: () => boolean, limitMs: number): Promise<void> {
    const untilMs = this.#elapsedMs + limitMs;
    await settled();
    while (!condition()) {
      const next = this.#next();
      if (next === undefined || next.atMs > untilMs)
        throw new Error(`did not come true within ${limitMs} ms of the clock: ${condition}`);
      await this.advance(Math.max(0, next.atMs - this.#elapsedMs));
    }
  }

  #next(): Timer | undefined {
    let next: Timer | undefined;
    for (const timer of this.#timers) if (next === undefined || timer.atMs < next.atMs) next = timer;
    return next;
  }
}

/** Until everything under way waits for a clock or for the test. */
export async function settled(): Promise<void> {
  for (let quiet = 0; quiet < QUIET_LOOKS; ) {
    await setImmediate();
    quiet = process.getActiveResourcesInfo().some((name) => AT_WORK.test(name)) ? 0 : quiet + 1;
  }
}
