/** Time, injected everywhere: production uses the system's, tests and the simulation their own. */
export interface Clock {
  /** Wall clock, Unix milliseconds, whole. May jump; only for what people and files are told. */
  now(): number;
  /** Milliseconds of a clock that never goes back. For intervals and deadlines. */
  monotonicMs(): number;
  /** Resolves after `ms`, or rejects with the signal's reason. */
  sleep(ms: number, options?: { readonly signal?: AbortSignal }): Promise<void>;
  /** Calls `wake` once after `ms`; the function returned cancels it. */
  schedule(ms: number, wake: () => void): () => void;
}

/** The last moment of the year 9999, Unix ms: RFC 3339, which all our files and lists are written in, has four digits for a year. */
export const LATEST_TIME_MS = 253_402_300_799_999;

/** setTimeout fires at once beyond 2^31-1 ms: longer waits are made of several. */
export const LONGEST_TIMER_MS = 2 ** 31 - 1;

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonicMs: () => performance.now(),
  sleep(ms, options = {}) {
    const { signal } = options;
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason);
      const onAbort = () => {
        cancel();
        reject(signal?.reason);
      };
      const cancel = systemClock.schedule(ms, () => {
        signal?.removeEventListener("abort", onAbort);
        resolve();
      });
      signal?.addEventListener("abort", onAbort, { once: true });
    });
  },
  schedule(ms, wake) {
    let timer: NodeJS.Timeout;
    const atMs = performance.now() + ms;
    // setTimeout counts whole milliseconds from the beginning of the event loop's turn, and so may fire before the time: nobody is woken for nothing
    const arm = (leftMs: number) => {
      timer = setTimeout(look, Math.min(Math.ceil(leftMs), LONGEST_TIMER_MS));
    };
    const look = () => {
      const leftMs = atMs - performance.now();
      if (leftMs > 0) arm(leftMs);
      else wake();
    };
    arm(ms);
    return () => clearTimeout(timer);
  },
};
