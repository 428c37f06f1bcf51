import type { LogPosition } from "../wal/position.ts";
import type { Drain } from "./handover.ts";
import type { DatabaseLink, ExtraPin } from "./link.ts";
import { isUnchanged, standing, type WalIndex } from "./wal-index.ts";

/** A pin whose snapshot is exactly the state behind a known commit. While it is held, the log can only grow. */
export interface ExactPin {
  /** Behind the last commit that the pin sees; undefined: no log, everything is in the main file. */
  readonly position: LogPosition | undefined;
  readonly commitPages: number;
  /** Safe to call twice. */
  end(): void;
}

export type ExactPinResult =
  | { readonly kind: "pinned"; readonly pin: ExactPin; readonly heldMs: number }
  | { readonly kind: "busy"; readonly why: "written" | "locked" | "unsettled" }
  /** What was captured is not what SQLite has: the owner repairs. */
  | { readonly kind: "gap"; readonly reason: "astray" | "not-drained" };

export interface ExactPinOptions {
  /** How often to try without a lock. */
  readonly tries: number;
  /** How often to try for the write lock after that; 0: not at all. */
  readonly barrierTries: number;
}

/**
 * Pins on a connection of its own. Exact means: the captured position equals what SQLite had committed before the read transaction began, and
 * nothing was committed until after. The log's file could not prove it: a commit is in the file before readers can see it.
 */
export function exactPin(link: DatabaseLink, drain: Drain, options: ExactPinOptions): ExactPinResult {
  const extra = link.extraPin();
  let result: ExactPinResult = { kind: "busy", why: "written" };
  try {
    for (let tries = 0; tries < options.tries && result.kind === "busy"; tries++)
      result = pinBetweenCommits(link, extra, drain);
    for (let tries = 0; tries < options.barrierTries && result.kind === "busy" && !link.observe; tries++) {
      result = pinUnderLock(link, extra, drain);
    }
    return result;
  } finally {
    if (result.kind !== "pinned") extra.close();
  }
}

function pinBetweenCommits(link: DatabaseLink, extra: ExtraPin, drain: Drain): ExactPinResult {
  const position = drain();
  const before = link.index();
  if (before === undefined) return { kind: "busy", why: "unsettled" };
  if (standing(position, before, link.facts.pageSizeBytes) !== "equal")
    return { kind: "busy", why: "written" };
  if (!extra.begin()) return { kind: "busy", why: "unsettled" };
  const after = link.index();
  if (after !== undefined && isUnchanged(before, after)) return pinned(link, extra, position, before);
  extra.end();
  return { kind: "busy", why: "written" };
}

function pinUnderLock(link: DatabaseLink, extra: ExtraPin, drain: Drain): ExactPinResult {
  const outcome = link.tryBarrier((): ExactPinResult => {
    const position = drain();
    const index = link.index();
    if (index === undefined) return { kind: "busy", why: "unsettled" };
    const stands = standing(position, index, link.facts.pageSizeBytes);
    if (stands !== "equal") return { kind: "gap", reason: stands === "astray" ? "astray" : "not-drained" };
    return extra.begin() ? pinned(link, extra, position, index) : { kind: "busy", why: "unsettled" };
  });
  if (!outcome.held) return { kind: "busy", why: "locked" };
  return outcome.value.kind === "pinned" ? { ...outcome.value, heldMs: outcome.heldMs } : outcome.value;
}

function pinned(
  link: DatabaseLink,
  extra: ExtraPin,
  position: LogPosition | undefined,
  index: WalIndex,
): ExactPinResult {
  // An empty log: the position may lie in the generation that was restarted, all of which is in the main file.
  const inLog = index.frames > 0 ? position : undefined;
  const pin: ExactPin = { position: inLog, commitPages: link.commitPages(index), end: () => extra.close() };
  return { kind: "pinned", pin, heldMs: 0 };
}
