import { setTimeout as sleep } from "node:timers/promises";

export interface UntilOptions {
  /** Fails after this long: far beyond what it takes, since nothing here is about speed. */
  readonly limitMs?: number;
  readonly everyMs?: number;
}

/** Thrown by a probe when what it waits for cannot happen any more: ends the wait at once. */
export class NoHope extends Error {}

/** The limit passed. */
export class TooLong extends Error {
  override readonly name = "TooLong";
}

/**
 * Waits on a condition with a limit: the only way end-to-end tests and benchmarks wait. Returns the first value that is neither
 * undefined nor false; a probe that throws is asked again, and its last error is the cause of the failure.
 */
export async function until<T>(
  what: string,
  probe: () => T | Promise<T>,
  options: UntilOptions = {},
): Promise<Exclude<T, undefined | false>> {
  const limitMs = options.limitMs ?? 45_000;
  const deadlineMs = performance.now() + limitMs;
  for (;;) {
    let cause: unknown;
    try {
      const value = await probe();
      if (value !== undefined && value !== false) return value as Exclude<T, undefined | false>;
    } catch (error) {
      if (error instanceof NoHope) throw error;
      cause = error;
    }
    if (performance.now() > deadlineMs) {
      const why = cause instanceof Error ? `: ${cause.message}` : "";
      throw new TooLong(
        `not within ${limitMs} ms: ${what}${why}`,
        cause === undefined ? undefined : { cause },
      );
    }
    await sleep(options.everyMs ?? 20);
  }
}
