import type { WalrustError } from "../errors.ts";
import type { DatabaseEvent } from "../events.ts";
import type { BackoffNews } from "./backoff.ts";

/** What is told of one database's trouble: that storage refuses us, or is left alone for a while, is told once until it is over. */
export class Trouble {
  readonly #tell: (event: DatabaseEvent) => void;
  #error: WalrustError | undefined;
  #isRefused = false;
  #isCircuitOpen = false;

  constructor(tell: (event: DatabaseEvent) => void) {
    this.#tell = tell;
  }

  /** The last of it; undefined: there is none. */
  get error(): WalrustError | undefined {
    return this.#error;
  }

  hear(news: BackoffNews): void {
    if (news.kind === "recovered") {
      this.#error = undefined;
      this.#isRefused = false;
      this.#isCircuitOpen = false;
      this.#tell({ type: "recovered", afterMs: news.afterMs });
      return;
    }
    const { error, attempts } = news;
    this.#error = error;
    if (error.code === "STORAGE_AUTH" && !this.#isRefused) {
      this.#isRefused = true;
      this.#tell({ type: "auth_failure", error });
    }
    if (error.details["circuitOpen"] === true && !this.#isCircuitOpen) {
      this.#isCircuitOpen = true;
      this.#tell({ type: "circuit_breaker_open", error });
    }
    this.#tell({ type: "sync_failed", error, attempts });
  }
}
