import type { Clock } from "../clock.ts";
import type { WalrustError } from "../errors.ts";

/** Uploads go on within two seconds of storage answering again, however long it was away. */
const LONGEST_MS = 1000;
const FIRST_MS = 250;
/** What only a person can mend is not asked for every two seconds. */
const HOPELESS_MS = 15_000;
/** SQLite's locks of a moment: an application that recovers its log, or closes it as the last one. A lock that lasts longer is trouble. */
const PASSING_LOCK_MS = 5000;

export type BackoffNews =
  | { readonly kind: "failed"; readonly error: WalrustError; readonly attempts: number }
  | { readonly kind: "recovered"; readonly afterMs: number };

/** Counts failures in a row, tells each beginning and end of trouble, and says when to try again. A lock that goes by itself is none. */
export class Backoff {
  readonly #clock: Clock;
  readonly #tell: (news: BackoffNews) => void;
  #attempts = 0;
  #sinceMs = 0;
  #isTold = false;

  constructor(clock: Clock, tell: (news: BackoffNews) => void) {
    this.#clock = clock;
    this.#tell = tell;
  }

  get isTroubled(): boolean {
    return this.#attempts > 0;
  }

  /** @returns when to try again, on the monotonic clock */
  failed(error: WalrustError): number {
    const mayPass = this.mayPass(error);
    const nowMs = this.#count();
    if (this.#isTold || !mayPass) this.#tellFailed(error);
    if (!error.retryable) return nowMs + HOPELESS_MS;
    return nowMs + Math.min(LONGEST_MS, FIRST_MS * 2 ** (this.#attempts - 1));
  }

  /** Whether this failure is one of those that go by themselves. */
  mayPass(error: WalrustError): boolean {
    const forMs = this.#attempts === 0 ? 0 : this.#clock.monotonicMs() - this.#sinceMs;
    return error.code === "DATABASE_LOCKED" && forMs < PASSING_LOCK_MS;
  }

  /** It is not tried again: told, whatever it is. */
  gaveUp(error: WalrustError): void {
    this.#count();
    this.#tellFailed(error);
  }

  succeeded(): void {
    if (this.#attempts === 0) return;
    this.#attempts = 0;
    if (!this.#isTold) return;
    this.#isTold = false;
    this.#tell({ kind: "recovered", afterMs: this.#clock.monotonicMs() - this.#sinceMs });
  }

  #count(): number {
    const nowMs = this.#clock.monotonicMs();
    if (this.#attempts === 0) this.#sinceMs = nowMs;
    this.#attempts += 1;
    return nowMs;
  }

  #tellFailed(error: WalrustError): void {
    this.#isTold = true;
    this.#tell({ kind: "failed", error, attempts: this.#attempts });
  }
}

/** Storage and the local disk come back; a database that cannot be read has to be opened again, and one that another writer has is left to it. */
export function isOutwaited(error: WalrustError): boolean {
  if (error.code === "STORAGE_FENCED") return false;
  return error.exitCode === 4 || error.code === "LOCAL_DISK_FULL";
}
