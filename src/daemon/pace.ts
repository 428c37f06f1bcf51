import type { Clock } from "../clock.ts";

const WINDOW_MS = 500;
/** More frames a second make a writer busy, fewer than half of them calm. */
const BUSY_FRAMES_PER_SECOND = 5000;

/** Tells when a database begins and ends to be written to at such a speed that notifications about it are of no use. */
export class Pace {
  readonly #clock: Pick<Clock, "monotonicMs">;
  readonly #tell: (isBusy: boolean) => void;
  #frames: number;
  #sinceMs: number;
  #isBusy = false;

  /** @param frames captured so far, over all logs */
  constructor(clock: Pick<Clock, "monotonicMs">, frames: number, tell: (isBusy: boolean) => void) {
    this.#clock = clock;
    this.#tell = tell;
    this.#frames = frames;
    this.#sinceMs = clock.monotonicMs();
  }

  get isBusy(): boolean {
    return this.#isBusy;
  }

  /** After each look. */
  note(frames: number): void {
    const nowMs = this.#clock.monotonicMs();
    const elapsedMs = nowMs - this.#sinceMs;
    if (elapsedMs < WINDOW_MS) return;
    const perSecond = ((frames - this.#frames) * 1000) / elapsedMs;
    this.#frames = frames;
    this.#sinceMs = nowMs;
    this.#set(perSecond >= BUSY_FRAMES_PER_SECOND / (this.#isBusy ? 2 : 1));
  }

  /** It is not looked at any more. */
  end(): void {
    this.#set(false);
  }

  #set(isBusy: boolean): void {
    if (isBusy === this.#isBusy) return;
    this.#isBusy = isBusy;
    this.#tell(isBusy);
  }
}
