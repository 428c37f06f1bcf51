import {
  type CircuitBreakerPolicy,
  CircuitState,
  ConsecutiveBreaker,
  circuitBreaker,
  handleWhen,
  type RetryPolicy,
  retry,
} from "cockatiel";
import type { Clock } from "../clock.ts";
import type { RetrySettings } from "../config/settings.ts";
import { isWalrustError, WalrustError } from "../errors.ts";
import { aborted, checkAborted } from "./abort.ts";
import type { StorageDependencies } from "./dependencies.ts";

/**
 * A storage that does not answer is asked again at least so often, whatever the settings say: uploads go on within 2 s of
 * its coming back. maxDelay and the breaker's cooldown hold for a storage that answers "slow down".
 */
const LONGEST_SILENCE_MS = 1_000;

/** Failures that may pass within the patience of one call. */
export function isTransient(error: unknown): error is WalrustError {
  return isWalrustError(
    error,
    "STORAGE_NETWORK",
    "STORAGE_TIMEOUT",
    "STORAGE_UNAVAILABLE",
    "STORAGE_THROTTLED",
  );
}

type Outcome<T> = { readonly value: T } | { readonly refusal: unknown };

/**
 * Tries again with full jitter, and opens a circuit when storage fails many times in a row: then one call at a time is let
 * through to see whether it is back, and all others fail at once. Counting and states are cockatiel's; time is ours, since
 * the library's goes by the wall clock (which jumps) and sleeps through aborts.
 *
 * What callers need to know: a call fails within seconds when storage is away. Who has something to upload calls again,
 * after a second at most, for as long as it takes.
 */
export class Persistence {
  readonly #settings: RetrySettings;
  readonly #clock: Clock;
  readonly #random: () => number;
  readonly #retry: RetryPolicy;
  readonly #circuit: Circuit | undefined;

  constructor(
    settings: RetrySettings,
    dependencies: Pick<StorageDependencies, "clock" | "random" | "logger">,
  ) {
    this.#settings = settings;
    this.#clock = dependencies.clock;
    this.#random = dependencies.random;
    this.#retry = retry(handleWhen(isTransient), { maxAttempts: settings.maxRetries });
    this.#circuit = settings.circuitBreakerEnabled ? new Circuit(settings, dependencies) : undefined;
  }

  /**
   * @param attempt does the whole thing once
   * @param patienceMs for work that would be lost otherwise: goes on at least so long. Errors: those of the last attempt; ABORTED.
   */
  async run<T>(attempt: () => Promise<T>, signal: AbortSignal | undefined, patienceMs = 0): Promise<T> {
    const endMs = this.#clock.monotonicMs() + patienceMs;
    for (let round = 0; ; round++) {
      try {
        if (round > 0) await this.#clock.sleep(LONGEST_SILENCE_MS, signal && { signal });
        return await this.#runOnce(attempt, signal);
      } catch (error) {
        if (signal?.aborted) throw aborted(signal);
        if (!isTransient(error) || this.#clock.monotonicMs() >= endMs) throw error;
      }
    }
  }

  #runOnce<T>(attempt: () => Promise<T>, signal: AbortSignal | undefined): Promise<T> {
    let failure: WalrustError | undefined;
    return this.#retry.execute(async ({ attempt: index }) => {
      if (failure !== undefined) await this.#clock.sleep(this.#delayMs(index, failure), signal && { signal });
      checkAborted(signal);
      try {
        return await (this.#circuit?.guard(attempt) ?? attempt());
      } catch (error) {
        if (isTransient(error)) failure = error;
        throw error;
      }
    }, signal);
  }

  /** Full jitter over an exponential base; `index` is 1 before the second attempt. */
  #delayMs(index: number, failure: WalrustError): number {
    const { baseDelayMs, maxDelayMs } = this.#settings;
    const throttled = failure.code === "STORAGE_THROTTLED";
    const longestMs = throttled ? maxDelayMs : Math.min(maxDelayMs, LONGEST_SILENCE_MS);
    const jitterMs = this.#random() * Math.min(longestMs, baseDelayMs * 2 ** (index - 1));
    const askedMs = Number(failure.details["retryAfterMs"] ?? 0);
    return Math.max(jitterMs, Math.min(askedMs, longestMs));
  }
}

class Circuit {
  readonly #clock: Clock;
  readonly #settings: RetrySettings;
  readonly #logger: StorageDependencies["logger"];
  readonly #policy: CircuitBreakerPolicy;
  /** On the monotonic clock. Meaningful while the circuit is not closed. */
  #nextProbeMs = 0;
  #openedMs: number | undefined;
  #cause: unknown;

  constructor(settings: RetrySettings, { clock, logger }: Pick<StorageDependencies, "clock" | "logger">) {
    this.#clock = clock;
    this.#settings = settings;
    this.#logger = logger;
    this.#policy = circuitBreaker(handleWhen(isTransient), {
      // Always due by the library's wall clock, even when that was set back: `guard` alone decides.
      halfOpenAfter: Number.NEGATIVE_INFINITY,
      breaker: new ConsecutiveBreaker(settings.circuitBreakerThreshold),
    });
    this.#policy.onBreak((reason) => this.#opened("error" in reason ? reason.error : undefined));
    this.#policy.onReset(() => this.#closed());
  }

  async guard<T>(attempt: () => Promise<T>): Promise<T> {
    const due = this.#policy.state === CircuitState.Open && this.#clock.monotonicMs() >= this.#nextProbeMs;
    if (this.#policy.state !== CircuitState.Closed && !due) throw this.#refusal();
    const outcome = await this.#policy.execute(async (): Promise<Outcome<T>> => {
      try {
        return { value: await attempt() };
      } catch (error) {
        // Any other answer is an answer: storage is there. Who stopped waiting learned nothing.
        if (isTransient(error) || isWalrustError(error, "ABORTED")) throw error;
        return { refusal: error };
      }
    });
    if ("refusal" in outcome) throw outcome.refusal;
    return outcome.value;
  }

  #opened(cause: unknown): void {
    const { circuitBreakerCooldownMs, circuitBreakerThreshold } = this.#settings;
    const throttled = isWalrustError(cause, "STORAGE_THROTTLED");
    const nowMs = this.#clock.monotonicMs();
    this.#cause = cause;
    this.#nextProbeMs =
      nowMs + (throttled ? circuitBreakerCooldownMs : Math.min(circuitBreakerCooldownMs, LONGEST_SILENCE_MS));
    if (this.#openedMs !== undefined) return; // a probe failed: nothing new
    this.#openedMs = nowMs;
    this.#logger.warn(
      { error: cause instanceof Error ? cause.message : undefined, failures: circuitBreakerThreshold },
      "storage failed many times in a row: it is asked seldom until it answers",
    );
  }

  #closed(): void {
    const afterMs = Math.round(this.#clock.monotonicMs() - (this.#openedMs ?? 0));
    this.#openedMs = undefined;
    this.#logger.info({ afterMs }, "storage answers again");
  }

  #refusal(): WalrustError {
    return new WalrustError(
      "STORAGE_UNAVAILABLE",
      "storage has not answered for a while and was not asked again just now",
      {
        cause: this.#cause,
        details: { circuitOpen: true },
        hint: "walrust tries again by itself.",
      },
    );
  }
}
