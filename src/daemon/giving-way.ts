import type { Clock } from "../clock.ts";
import type { Gap } from "../replication/capture.ts";
import type { Replica } from "../replication/replica.ts";
import type { CheckpointerWatch } from "../sqlite/checkpointer-watch.ts";

/** How long a checkpoint that was seen waiting is served before the database's own work goes on. */
const LONGEST_MS = 300;
const PAUSE_MS = 2;
/** How long a database is taken for one that is being written to. Beyond the default sync interval, within which it is not looked at for every commit. */
const WRITTEN_MS = 3_000;

/**
 * Gives way to the application's own FULL, RESTART and TRUNCATE checkpoints under load (capture.md, "Giving way"). While one of them waits it has the
 * write lock, so the log stands still: the pin is moved, never let go, until it hinders nobody.
 */
export class GivingWay {
  readonly #replica: Replica;
  readonly #clock: Clock;
  readonly #watch: CheckpointerWatch;
  readonly #wake: () => void;
  #unfollow: (() => void) | undefined;
  #isAsked = false;

  /** @param wake called when a checkpoint may be waiting */
  constructor(replica: Replica, clock: Clock, watch: CheckpointerWatch, wake: () => void) {
    this.#replica = replica;
    this.#clock = clock;
    this.#watch = watch;
    this.#wake = wake;
  }

  get isAsked(): boolean {
    return this.#isAsked;
  }

  /**
   * After each look. A pin that rests at mark 0 hinders nobody until the log grows. Where commits come one after another it has grown before the next look.
   * @param frames that the log grew by behind such a pin
   */
  looked(frames: number, lastCommitMs: number): void {
    const isWritten = this.#clock.monotonicMs() - lastCommitMs < WRITTEN_MS;
    if (frames > 0 || isWritten) this.begin();
    else this.end();
  }

  /** The pin may stand in somebody's way from now on. */
  begin(): void {
    if (this.#unfollow !== undefined) return;
    const shm = this.#replica.link.shmIdentity;
    if (shm === undefined) return;
    this.#unfollow = this.#watch.follow(shm, () => {
      this.#isAsked = true;
      this.#wake();
    });
  }

  /** The pin hinders nobody: it rests at mark 0, or it is gone. */
  end(): void {
    this.#unfollow?.();
    this.#unfollow = undefined;
    this.#isAsked = false;
  }

  /**
   * Moves the pin until the checkpoint is through. `free`: everything is backfilled, and the pin is at mark 0.
   * Errors: LOCAL_*, DATABASE_*.
   */
  async proceed(): Promise<"free" | "moved" | Gap> {
    this.#isAsked = false;
    const { link, capture } = this.#replica;
    const before = link.index();
    const untilMs = this.#clock.monotonicMs() + LONGEST_MS;
    while (this.#clock.monotonicMs() < untilMs) {
      const outcome = this.#replica.giveWay();
      if (typeof outcome !== "string") return outcome;
      if (outcome === "free") return "free";
      if (capture.hasMuchToSecure) {
        const copied = await capture.drainInSlices(); // while the application backfills
        if (copied.kind === "gap") return copied;
      }
      await this.#clock.sleep(PAUSE_MS);
      // Whoever waited has gone on, or given up: somebody writes again.
      const now = link.index();
      if (now !== undefined && now.changeCounter !== before?.changeCounter) break;
    }
    return "moved";
  }
}
