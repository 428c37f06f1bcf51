import type { Clock } from "../clock.ts";

/** Lets one loop sleep until a time or until somebody has news for it. News that come while nobody sleeps are not lost. */
export class Waker {
  readonly #clock: Clock;
  #news = false;
  #wake: (() => void) | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  wake(): void {
    this.#news = true;
    this.#wake?.();
  }

  /** @param atMs on the monotonic clock; without an end for Infinity */
  async sleepUntil(atMs: number): Promise<void> {
    if (!this.#news) {
      await new Promise<void>((resolve) => {
        const cancel =
          atMs === Number.POSITIVE_INFINITY
            ? () => {}
            : this.#clock.schedule(Math.max(0, atMs - this.#clock.monotonicMs()), resolve);
        this.#wake = () => {
          cancel();
          resolve();
        };
      });
      this.#wake = undefined;
    }
    this.#news = false;
  }
}
