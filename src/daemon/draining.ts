import type { Clock } from "../clock.ts";
import { WalrustError } from "../errors.ts";
import type { Log } from "../observability/log.ts";

/** How long the drain may take, of all databases, before what is left stays for the next start. */
const LIMIT_MS = 30_000;
/** Whoever looks on is told what it is that takes so long. */
const LONG_MS = 2_000;

/** What lies between the stop of a daemon and its end: it is told where it takes long, and has a limit. */
export class Draining {
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #halt = new AbortController();
  #cancels: readonly (() => void)[] = [];

  constructor(clock: Clock, log: Log) {
    this.#clock = clock;
    this.#log = log;
  }

  /** Ends all work at once. */
  get halted(): AbortSignal {
    return this.#halt.signal;
  }

  /** @param left how many databases are not drained yet */
  begin(left: () => number): void {
    const tell = () => {
      const databases = left();
      const what = databases === 1 ? "one database" : `${databases} databases`;
      this.#log.info(
        { databases },
        `stopping: what is pending of ${what} is published, for at most ${LIMIT_MS / 1000} s; a second signal ends this at once`,
      );
    };
    const limit = () =>
      this.halt(new WalrustError("ABORTED", `not done within ${LIMIT_MS / 1000} s after the stop`));
    this.#cancels = [this.#clock.schedule(LONG_MS, tell), this.#clock.schedule(LIMIT_MS, limit)];
  }

  /** There is no use in going on. */
  halt(reason: WalrustError): void {
    this.#halt.abort(reason);
  }

  /** Everything has ended. */
  end(): void {
    for (const cancel of this.#cancels) cancel();
  }
}
