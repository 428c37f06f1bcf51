import type { Clock } from "./clock.ts";

export interface PaceLimit {
  /** Over which it is measured, at least. */
  readonly windowMs: number;
  /** So many a second are busy, fewer than half of them calm. */
  readonly busyPerSecond: number;
}

/** Tells when something that is counted begins and ends to come at more than a certain rate. */
export class Pace {
  readonly #clock: Pick<Clock, "monotonicMs">;
  readonly #tell: (isBusy: boolean) => void;
  readonly #limit: PaceLimit;
  #total: number;
  #sinceMs: number;
  #isBusy = false;

  /** @param total so far */
  constructor(
    clock: Pick<Clock, "monotonicMs">,
    limit: PaceLimit,
    total: number,
    tell: (isBusy: boolean) => void,
  ) {
    this.#clock = clock;
    this.#limit = limit;
    this.#tell = tell;
    this.#total = total;
    this.#sinceMs = clock.monotonicMs();
  }

  get isBusy(): boolean {
    return this.#isBusy;
  }

  /** @param total until now */
  note(total: number): void {
    const nowMs = this.#clock.monotonicMs();
    const elapsedMs = nowMs - this.#sinceMs;
    if (elapsedMs < this.#limit.windowMs) return;
    const perSecond = ((total - this.#total) * 1000) / elapsedMs;
    this.#total = total;
    this.#sinceMs = nowMs;
    this.#set(perSecond >= this.#limit.busyPerSecond / (this.#isBusy ? 2 : 1));
  }

  /** Nothing is counted any more. */
  end(): void {
    this.#set(false);
  }

  #set(isBusy: boolean): void {
    if (isBusy === this.#isBusy) return;
    this.#isBusy = isBusy;
    this.#tell(isBusy);
  }
}
