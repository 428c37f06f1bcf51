import type { Clock } from "../clock.ts";
import type { SyncSettings } from "../config/settings.ts";
import { toWalrustError, type WalrustError } from "../errors.ts";
import type { CaptureOutcome } from "../replication/capture.ts";
import type { HandoverOutcome, Replica } from "../replication/replica.ts";
import {
  type BusyReason,
  barrierHandover,
  type Drain,
  type HandoverResult,
  handover,
  type OptimisticOptions,
  observerHandover,
  optimisticHandover,
  truncateLog,
} from "../sqlite/handover.ts";
import type { DatabaseLink } from "../sqlite/link.ts";
import type { GapReason } from "../wal/continuity.ts";
import { handoverAt } from "./schedule.ts";

/** The write lock is held for less than this; against a writer without a pause it takes many quick tries. */
const BARRIER = { tries: 50, maxHeldMs: 5, maxFrames: 2000 };
/** More frames than these are not checkpointed on this thread, as long as the application may do it. */
const SHORT_FRAMES = 2000;
/** How long the application's own checkpoint is waited for, and how often it is looked for. */
const CHASE_MS = 500;
const CHASE_PAUSE_MS = 2;
const FIRST_RETRY_MS = 5;
const LONGEST_RETRY_MS = 2000;
/** Other readers end when they end. */
const READERS_RETRY_MS = 500;
/** After a failure that is not SQLite's: a full disk. */
const FAILURE_RETRY_MS = 2000;
/** More than this would keep the other databases waiting. */
const MUCH_AT_ONCE_BYTES = 16 << 20;
/** A publication leaves less to copy: one that is under way, or so near, is waited for until the log is so many times its least length. */
const PATIENCE = 64;
const SOON_MS = 300;

/** How long a log is let go that we may only read, and that grows without end behind our pin. */
const LET_GO_MS = 100;

/** A log of so many frames grows: before the application's autocheckpoint (at 1,000 by default) the pin leaves mark 0. */
const MARK_ZERO_FRAMES = 200;
/** How soon that is, behind a writer that does not pause. */
const MARK_ZERO_MS = 5;

/** What the optimistic handover answers where a writer is at work; the pin is at the end of the log then. */
const BEATEN: ReadonlySet<BusyReason> = new Set(["written", "long", "checkpointer"]);

export type HandoverNews =
  | {
      readonly kind: "done";
      readonly result: Extract<HandoverResult, { kind: "done" }>;
      readonly frames: number;
    }
  | { readonly kind: "gap"; readonly reason: GapReason }
  | { readonly kind: "failed"; readonly error: WalrustError }
  | { readonly kind: "exceeded"; readonly frames: number; readonly limitFrames: number };

/** Keeps the log of one database short: knows when a handover is due, and how soon to try again. */
export class Handovers {
  readonly #replica: Replica;
  readonly #sync: () => SyncSettings;
  readonly #clock: Clock;
  #framesBefore = 0;
  #lastMs: number;
  #retryAtMs = 0;
  #retryDelayMs = FIRST_RETRY_MS;
  /** The log grew beyond its limit, which was told. */
  #exceeded = false;
  /** Its file has not been cut since. */
  #isToBeCut = false;
  /** One is due, and nothing is to be done about it before a publication ends; the owner looks again then, and at each poll. */
  #awaitsPublication = false;
  /** The last handover was one against a writer that does not pause. */
  #isBusy = false;

  /** @param sync as of now */
  constructor(replica: Replica, sync: () => SyncSettings, clock: Clock) {
    this.#replica = replica;
    this.#sync = sync;
    this.#clock = clock;
    this.#lastMs = clock.monotonicMs();
  }

  /** The application's own checkpoint got everything into the database, and the pin rests at mark 0. */
  gaveWay(): void {
    this.#isBusy = false;
    this.#restsAtMarkZero();
  }

  get frames(): number {
    return this.#replica.capture.frames - this.#framesBefore;
  }

  /** The next time at which there is something to do, if any. */
  dueAtMs(lastCommitMs: number): number | undefined {
    const dueAtMs = this.#awaitsPublication ? undefined : this.#due(lastCommitMs)?.atMs;
    const lookAtMs = this.#lastMs + MARK_ZERO_MS; // once: what has not grown by then is looked at as often as ever
    const isLookedAt = lookAtMs <= this.#clock.monotonicMs();
    if (!this.#isBusy || !this.#replica.link.atMarkZero || isLookedAt) return dueAtMs;
    return Math.min(dueAtMs ?? Number.POSITIVE_INFINITY, lookAtMs);
  }

  /**
   * Does one if it is due; what came of it is worth telling, or it is not.
   * @param publishing when pending frames are published: `under-way`, or a time; undefined: none are pending
   */
  async doIfDue(
    lastCommitMs: number,
    publishing: "under-way" | number | undefined,
  ): Promise<HandoverNews | undefined> {
    if (this.frames >= MARK_ZERO_FRAMES) this.#replica.leaveMarkZero();
    this.#awaitsPublication = false;
    const due = this.#due(lastCommitMs);
    const nowMs = this.#clock.monotonicMs();
    if (due === undefined || due.atMs > nowMs) return undefined;
    const { frames } = this;
    const { walTruncateThresholdPages: limit } = this.#sync();
    const isPublishing = publishing === "under-way";
    const isSoon = publishing !== undefined && (isPublishing || publishing <= nowMs + SOON_MS);
    this.#awaitsPublication =
      isSoon && (isPublishing || this.#replica.capture.hasMuchToSecure) && !this.#isOverlong;
    if (this.#awaitsPublication) return undefined;
    if (limit > 0 && frames > limit && !this.#exceeded) {
      this.#exceeded = true;
      this.#isToBeCut = true;
      return { kind: "exceeded", frames, limitFrames: limit };
    }
    try {
      const result = await this.#begin(due.barrier, isPublishing);
      return this.#conclude(result, frames);
    } catch (error) {
      this.#retryAtMs = this.#clock.monotonicMs() + FAILURE_RETRY_MS;
      return { kind: "failed", error: toWalrustError(error) };
    }
  }

  #begin(barrier: boolean, isPublishing: boolean): Promise<HandoverOutcome> {
    if (this.#replica.link.observe) return this.#observe(isPublishing);
    return barrier ? this.#chase() : this.#copyAnd((link, drain) => this.#withoutLock(link, drain));
  }

  /**
   * Where the writer pauses, a file that grew too long is cut as well. That takes as long as there are pages of it in memory, a third of a second for
   * 500 MB: a writer that does not pause would wait so long for a file that it writes again from its beginning.
   */
  #withoutLock(link: DatabaseLink, drain: Drain, options: OptimisticOptions = {}): HandoverResult {
    return this.#isToBeCut ? truncateLog(link, drain, options) : optimisticHandover(link, drain, options);
  }

  async #observe(isPublishing: boolean): Promise<HandoverOutcome> {
    const moved = await this.#copyAnd(observerHandover);
    if (moved.kind !== "busy" || isPublishing || !this.#isOverlong) return moved;
    const outcome = await this.#replica.letGoFor(LET_GO_MS);
    if (outcome.kind === "gap") return outcome;
    return { kind: "done", how: "optimistic", end: this.#replica.capture.state.log, heldMs: 0 };
  }

  /** First most of what the shadow WAL must have, letting others run; what comes meanwhile is little. */
  async #copyAnd(begin: Parameters<Replica["handover"]>[0]): Promise<HandoverOutcome> {
    const { capture } = this.#replica;
    if (capture.hasMuchToSecure) {
      const outcome = await capture.drainInSlices();
      if (outcome.kind === "gap") return outcome;
      // The rest is copied with everybody waiting: a writer as fast as the disk is given another chance to be overtaken, as long as the log is not too long.
      if (capture.pending.unsecuredBytes > MUCH_AT_ONCE_BYTES && !this.#isOverlong)
        return { kind: "busy", why: "behind", heldMs: 0 };
    }
    return this.#replica.handover(begin);
  }

  /**
   * Against a writer that does not pause. Our own checkpoint of a long log would let it run on meanwhile, and leave more behind than there was; its own
   * one, inside its next commit, goes up to the pin that we moved to the end, and nothing is written meanwhile. So the pin moves, the application
   * checkpoints, and the few frames behind the pin are left for the barrier.
   */
  async #chase(): Promise<HandoverOutcome> {
    if (this.frames > SHORT_FRAMES) {
      const outcome = await this.#shorten();
      if (outcome.kind === "gap") return outcome;
    }
    let endFrames = 0;
    const moved = await this.#copyAnd((link, drain) => {
      endFrames = link.index()?.frames ?? 0;
      return this.#withoutLock(link, drain, { maxFrames: SHORT_FRAMES });
    });
    if (moved.kind !== "busy" || !BEATEN.has(moved.why)) return moved;
    const isShort = moved.why === "written" || (await this.#waitForApplication(endFrames));
    if (isShort) return this.#replica.handover((link, drain) => barrierHandover(link, drain, BARRIER));
    return this.#replica.handover((link, drain) => handover(link, drain, { barrier: BARRIER }));
  }

  /**
   * Of a long log, first what takes long and hinders nobody. A checkpoint syncs the log first and the database last, the application's with its writer
   * waiting, ours with the write lock: what is synced before, it need not wait for.
   */
  async #shorten(): Promise<CaptureOutcome> {
    const { link, capture } = this.#replica;
    await link.syncWal();
    const endFrames = link.index()?.frames ?? 0;
    if (this.#replica.movePinAhead()) await this.#waitForApplication(endFrames);
    await link.syncMain();
    const outcome = await capture.drainInSlices();
    if (outcome.kind === "captured") await link.syncWal();
    return outcome;
  }

  /** Until the log is backfilled up to where the pin was moved. False: the application does not checkpoint by itself, or not now. */
  async #waitForApplication(endFrames: number): Promise<boolean> {
    const untilMs = this.#clock.monotonicMs() + CHASE_MS;
    while (this.#clock.monotonicMs() < untilMs) {
      const index = this.#replica.link.index();
      if (index !== undefined && index.backfilledFrames >= endFrames) return true;
      await this.#clock.sleep(CHASE_PAUSE_MS);
    }
    return false;
  }

  get #isOverlong(): boolean {
    return this.frames >= PATIENCE * Math.max(1, this.#sync().minCheckpointPages);
  }

  #due(lastCommitMs: number) {
    const facts = {
      frames: this.frames,
      lastHandoverMs: this.#lastMs,
      lastCommitMs,
      retryAtMs: this.#retryAtMs,
    };
    return handoverAt(facts, this.#sync());
  }

  #conclude(result: HandoverOutcome, frames: number): HandoverNews | undefined {
    const nowMs = this.#clock.monotonicMs();
    if (result.kind === "gap") return result;
    if (result.kind === "busy") {
      this.#retryAtMs = nowMs + this.#delayMs(result.why);
      return undefined;
    }
    if (result.how === "truncate") this.#isToBeCut = false;
    this.#isBusy = result.how === "barrier";
    // the next one may be far: its second connection comes again when it is needed
    if (!this.#isBusy) this.#replica.link.releaseSpare();
    this.#restsAtMarkZero();
    return { kind: "done", result, frames };
  }

  #restsAtMarkZero(): void {
    this.#framesBefore = this.#replica.capture.frames;
    this.#lastMs = this.#clock.monotonicMs();
    this.#retryDelayMs = FIRST_RETRY_MS;
    this.#exceeded = false;
  }

  #delayMs(why: BusyReason): number {
    if (why === "readers") return READERS_RETRY_MS;
    const delayMs = this.#retryDelayMs;
    this.#retryDelayMs = Math.min(LONGEST_RETRY_MS, delayMs * 2);
    return delayMs;
  }
}
