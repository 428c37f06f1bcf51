import type { Clock } from "../clock.ts";
import type { WalrustError } from "../errors.ts";

/** Uploads go on within two seconds of storage answering again, however long it was away. */
const LONGEST_MS = 1000;
const FIRST_MS = 250;
/** What only a person can mend is not asked for every two seconds. */
const HOPELESS_MS = 15_000;

export type BackoffNews =
  | { readonly kind: "failed"; readonly error: WalrustError; readonly attempts: number }
  | { readonly kind: "recovered"; readonly afterMs: number };

/** Counts failures in a row, tells each beginning and end of trouble, and says when to try again. */
export class Backoff {
  readonly #clock: Clock;
  readonly #tell: (news: BackoffNews) => void;
  #attempts = 0;
  #sinceMs = 0;

  constructor(clock: Clock, tell: (news: BackoffNews) => void) {
    this.#clock = clock;
    this.#tell = tell;
  }

  get isTroubled(): boolean {
    return this.#attempts > 0;
  }

  /** @returns when to try again, on the monotonic clock */
  failed(error: WalrustError): number {
    const nowMs = this.#clock.monotonicMs();
    if (this.#attempts === 0) this.#sinceMs = nowMs;
    this.#attempts += 1;
    this.#tell({ kind: "failed", error, attempts: this.#attempts });
    if (!error.retryable) return nowMs + HOPELESS_MS;
    return nowMs + Math.min(LONGEST_MS, FIRST_MS * 2 ** (this.#attempts - 1));
  }

  succeeded(): void {
    if (this.#attempts === 0) return;
    this.#attempts = 0;
    this.#tell({ kind: "recovered", afterMs: this.#clock.monotonicMs() - this.#sinceMs });
  }
}
