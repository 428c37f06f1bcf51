import type { LogPosition } from "../wal/position.ts";
import type { Barrier, DatabaseLink } from "./link.ts";
import { standing } from "./wal-index.ts";

/**
 * Captures the log up to its end and secures what is not yet published (shadow WAL, fsync): afterwards the frames may be overwritten.
 * Returns the position behind the last commit, undefined where there is no log. Synchronous: inside a barrier writers wait for it.
 */
export type Drain = () => LogPosition | undefined;

export type HandoverHow = "optimistic" | "barrier" | "truncate";

export type HandoverResult =
  /** All frames up to `end` are captured and backfilled, and the new pin lets the next writer restart the log. */
  | {
      readonly kind: "done";
      readonly how: HandoverHow;
      readonly end: LogPosition | undefined;
      readonly heldMs: number;
    }
  /** The log stays as it is, pinned; nothing is wrong. */
  | { readonly kind: "busy"; readonly why: BusyReason; readonly heldMs: number }
  /** What was captured is not what SQLite has: the owner repairs. */
  | { readonly kind: "gap"; readonly reason: "astray" | "not-drained"; readonly heldMs: number };

export type BusyReason =
  /** Another connection is checkpointing, perhaps waiting for our pin: see giveWay. Try again in a few ms, don't spin. */
  | "checkpointer"
  /** A writer was faster: without a pause of it only a barrier helps. */
  | "written"
  /** Other readers hold the backfill back. */
  | "readers"
  /** The write lock is taken. */
  | "locked"
  /** More to checkpoint than was allowed, under the write lock or on this thread. */
  | "long"
  /** SQLite was busy, or its wal-index just changing. */
  | "unsettled"
  /** The log grows as fast as it is copied. */
  | "behind"
  /** A database that we may only read. */
  | "observer";

export interface BarrierOptions {
  /** How often to try for the write lock, without a pause in between. */
  readonly tries: number;
  /** Give up and release rather than hold the lock longer (capture.md: 5). */
  readonly maxHeldMs: number;
  /** No checkpoint of more frames than these under the lock. */
  readonly maxFrames: number;
}

export interface OptimisticOptions {
  /** No checkpoint of more frames than these on this thread (default: any number). */
  readonly maxFrames?: number;
}

export interface HandoverOptions extends OptimisticOptions {
  /** For writers that never pause; without it no lock is ever taken. */
  readonly barrier?: BarrierOptions;
}

/** Optimistic, and where a writer was faster, with a barrier. */
export function handover(link: DatabaseLink, drain: Drain, options: HandoverOptions = {}): HandoverResult {
  const result = optimisticHandover(link, drain, options);
  const beaten = result.kind === "busy" && result.why === "written";
  return beaten && options.barrier ? barrierHandover(link, drain, options.barrier) : result;
}

/**
 * Without a lock (capture.md, "The handover", 1 and 2). Answers `long` with the pin at the end of the log: another thread, or the application,
 * may then checkpoint, and the next handover finds the rest short.
 */
export function optimisticHandover(
  link: DatabaseLink,
  drain: Drain,
  options: OptimisticOptions = {},
): HandoverResult {
  if (link.observe) return busy("observer");
  // Before the pin moves: the new one may be at mark 0, and frames up to the old one's mark may then be overwritten.
  drain();
  if (!link.movePin()) return busy("unsettled");
  const end = drain();
  const pending = link.index();
  if (pending === undefined) return busy("unsettled");
  if (pending.frames - pending.backfilledFrames > (options.maxFrames ?? Infinity)) return busy("long");
  if (link.passive().busy) return busy("checkpointer");

  const index = link.index();
  if (index === undefined) return busy("unsettled");
  if (standing(end, index, link.facts.pageSizeBytes) !== "equal") return busy("written");
  if (index.backfilledFrames < index.frames) return busy("readers");
  if (!link.movePin()) return busy("unsettled");
  // If something was committed meanwhile, the pin may be at a mark > 0: safe too, but the log goes on growing.
  return link.atMarkZero ? { kind: "done", how: "optimistic", end, heldMs: 0 } : busy("written");
}

/**
 * Lets a waiting checkpoint of the application go on, and never lets the pin go. FULL waits for the frames behind our mark, and moving the
 * pin to the end sets them free. RESTART and TRUNCATE then wait for marks > 0, and the pin moved once more is at mark 0, since
 * everything is backfilled. No checkpoint of our own: it would take the lock that the application is about to ask for.
 *
 * For when the end of a busy log stands still, and again each few ms while it does. `free`: the pin hinders nobody. `moved`, `ahead`: come again.
 *
 * `ahead`: moved without a drain, because the pin held the backfill back, so that the new one is at a mark > 0, under which nothing is overwritten.
 */
export function giveWay(link: DatabaseLink, drain: Drain): "free" | "moved" | "ahead" | "unsettled" {
  const index = link.index();
  // At mark 0 it hinders nobody until something is written: that, it keeps from being backfilled.
  if (link.atMarkZero && index?.backfilledFrames === index?.frames) return "free";
  if (index !== undefined && link.holdsBackfillBack(index)) return link.movePin() ? "ahead" : "unsettled";
  drain();
  return link.movePin() ? "moved" : "unsettled";
}

/** Where we may only read: the application checkpoints by itself, and all that we can do is not to be in its way. */
export function observerHandover(link: DatabaseLink, drain: Drain): HandoverResult {
  drain();
  if (!link.movePin()) return busy("unsettled");
  const end = drain();
  return link.atMarkZero ? { kind: "done", how: "optimistic", end, heldMs: 0 } : busy("readers");
}

/** Under the write lock (capture.md, "The handover", 3). The log should be short: the optimistic handover before it has seen to that. */
export function barrierHandover(link: DatabaseLink, drain: Drain, options: BarrierOptions): HandoverResult {
  if (link.observe) return busy("observer");
  drain(); // so that little is left to do under the lock
  for (let tries = 0; tries < options.tries; tries++) {
    const outcome = link.tryBarrier((barrier) => insideBarrier(link, barrier, drain, options));
    if (outcome.held) return { ...outcome.value, heldMs: outcome.heldMs };
  }
  return busy("locked");
}

function insideBarrier(
  link: DatabaseLink,
  barrier: Barrier,
  drain: Drain,
  options: BarrierOptions,
): HandoverResult {
  const end = drain();
  const index = link.index();
  if (index === undefined) return busy("unsettled");
  // Nobody can write now: what is not equal stays so.
  const stands = standing(end, index, link.facts.pageSizeBytes);
  if (stands !== "equal") return gap(stands === "astray" ? "astray" : "not-drained");
  if (index.frames - index.backfilledFrames > options.maxFrames) return busy("long");
  if (barrier.elapsedMs() >= options.maxHeldMs) return busy("long");

  barrier.releasePin();
  let checkpoint = barrier.passive();
  while (checkpoint.busy && barrier.elapsedMs() < options.maxHeldMs) checkpoint = barrier.passive();
  if (!barrier.pin()) return busy("unsettled");
  if (checkpoint.busy) return busy("checkpointer");
  if (checkpoint.backfilledFrames < checkpoint.logFrames) return busy("readers");
  return { kind: "done", how: "barrier", end, heldMs: 0 };
}

/**
 * Optimistic, and then cuts the log's file to nothing. Never RESTART or TRUNCATE with a waiting time: it would keep every writer waiting behind the
 * slowest reader. Without one it only succeeds where nobody reads the log and nobody has written since; else the handover is done all the same.
 */
export function truncateLog(
  link: DatabaseLink,
  drain: Drain,
  options: OptimisticOptions = {},
): HandoverResult {
  const result = optimisticHandover(link, drain, options);
  if (result.kind !== "done" || link.truncate().busy) return result;
  return { ...result, how: "truncate" };
}

function busy(why: BusyReason, heldMs = 0): HandoverResult {
  return { kind: "busy", why, heldMs };
}

function gap(reason: "astray" | "not-drained"): HandoverResult {
  return { kind: "gap", reason, heldMs: 0 };
}
