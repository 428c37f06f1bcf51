import type { WalHeader } from "./header.ts";
import { framesBefore, type LogPosition } from "./position.ts";

/**
 * Was the log appended to, restarted under our eyes, or changed behind our back? One pure function answers, from facts alone;
 * everything that is not proved is a gap.
 *
 * Why a pin proves a restart (wal.c of SQLite 3.53: walRestartLog, walCheckpoint, walTryBeginRead):
 * - The log is restarted only when every frame is backfilled and no reader holds a mark > 0. So a pin at a mark > 0 forbids it.
 * - A pin at mark 0 began when every frame was backfilled. The next writer may restart the log, overwriting only those frames. Then
 *   nothing can be backfilled (that needs WAL_READ_LOCK(0) exclusively, and the pin shares it), so once the new generation holds
 *   a commit it cannot be restarted in its turn.
 * Hence: under one pin at most one generation with commits can follow the present one, and it can only overwrite frames that were in
 * the log when the pin began. `secured` says that all of those are published or in the shadow WAL.
 *
 * Without a pin (parked, observed, or not running) a restart can still be proved, by what is left in the file:
 * - `tail` is "whole": the last captured frame still lies where it was, and nothing of its generation lies behind it. Frames are written in
 *   order, so nothing was appended to the captured generation, and the file was not cut since.
 * - salt-1 is one more (walRestartHdr): the present generation follows the captured one directly. Each restart adds one; a connection that finds an
 *   empty log and never restarted one draws both salts at random (Wal.nCkpt is 0), which is then no proof, or is one by mistake once in 2^32.
 * - The machine kept its power since the cursor was known to be right. Otherwise SQLite may have lost commits that were captured, in the middle of
 *   which frames are left in their places: then the tail is "unknown".
 * - A log is restarted only when it is wholly backfilled, so the captured state is what the main file held when the present generation began.
 * - What was captured is not only in the log that the present generation overwrites: `secured` says that it is published or in the shadow WAL.
 * The checkpoint sequence proves nothing: each connection counts it for itself.
 */
export interface ContinuityFacts {
  /** Behind the last commit that was captured; undefined: there was no log, everything is in the main file. */
  readonly cursor: LogPosition | undefined;
  readonly pageSizeBytes: number;
  /** What SQLite counts as committed; undefined: it cannot be read at this moment. Read before the header. */
  readonly index: CommittedLog | undefined;
  /** The log's header; undefined: missing, short, zeroed or invalid. */
  readonly header: WalHeader | undefined;
  /** A pin has been held without interruption since the cursor was last known to be right. */
  readonly pinHeld: boolean;
  /** Every commit that was in the log when the present pin began, without a pin every one that is captured, is published or in the shadow WAL. */
  readonly secured: boolean;
  /** What lies in the log's file around the cursor; looked at where no pin is held. */
  readonly tail: LogTail;
  /** The path still names the file that is open. */
  readonly sameFile: boolean;
}

/** The part of the wal-index that says what is committed. */
export interface CommittedLog {
  /** 0: the log is empty, whatever its file holds. */
  readonly frames: number;
  readonly salt1: number;
  readonly salt2: number;
  /** Running checksum behind the last of them. */
  readonly checksum1: number;
  readonly checksum2: number;
}

/** `whole`: the last captured frame is still in its place, and what lies behind it is of another generation, or the end of the file. */
export type LogTail = "whole" | "unknown";

export type GapReason =
  | "file-replaced"
  | "page-size-changed"
  | "log-vanished"
  /** Frames that we took for committed are not there: SQLite went on without them. */
  | "log-rewritten"
  /** Frames that SQLite counts as committed have no valid checksums. */
  | "log-unreadable"
  | "log-restarted-unwatched"
  | "log-restarted-before-secured";

export type Continuity =
  | { readonly kind: "idle" }
  /** Caught while a writer changes things: look again. It never lasts. */
  | { readonly kind: "unsettled" }
  | { readonly kind: "append" }
  /** Capture goes on at the start of this header's log. */
  | { readonly kind: "restarted"; readonly header: WalHeader }
  | { readonly kind: "gap"; readonly reason: GapReason };

const IDLE: Continuity = { kind: "idle" };
const UNSETTLED: Continuity = { kind: "unsettled" };

export function decideContinuity(facts: ContinuityFacts): Continuity {
  const { cursor, index, header } = facts;
  if (!facts.sameFile) return gap("file-replaced");
  if (index === undefined) return UNSETTLED;
  if (index.frames === 0) return withEmptyLog(facts, index);
  // A writer is about to begin another generation, or just did: the next look sees it whole.
  if (header === undefined || !isSameLog(header, index)) return withoutHeader(facts, index);
  if (header.pageSizeBytes !== facts.pageSizeBytes) return gap("page-size-changed");
  if (cursor === undefined || !isSameLog(cursor, index)) return withOtherGeneration(facts, header);

  const captured = framesBefore(cursor, facts.pageSizeBytes);
  if (captured < index.frames) return { kind: "append" };
  const same = cursor.checksum1 === index.checksum1 && cursor.checksum2 === index.checksum2;
  return captured === index.frames && same ? IDLE : gap("log-rewritten");
}

/** TRUNCATE, the last close, and a restart whose first transaction is not committed leave an empty log behind. */
function withEmptyLog(
  { cursor, pageSizeBytes, pinHeld, secured }: ContinuityFacts,
  index: CommittedLog,
): Continuity {
  // A pin that was moved without a drain may have let a log go by that began, was backfilled and ended under it.
  if (cursor === undefined) return pinHeld && secured ? IDLE : gap("log-vanished");
  if (isSameLog(cursor, index))
    return framesBefore(cursor, pageSizeBytes) === 0 ? IDLE : gap("log-rewritten");
  return pinHeld && secured ? IDLE : gap("log-vanished");
}

function withOtherGeneration(
  { cursor, tail, pinHeld, secured }: ContinuityFacts,
  header: WalHeader,
): Continuity {
  const isNext = cursor !== undefined && header.salt1 === (cursor.salt1 + 1) >>> 0;
  if (!pinHeld && !(isNext && tail === "whole")) return gap("log-restarted-unwatched");
  if (!secured) return gap("log-restarted-before-secured");
  return { kind: "restarted", header };
}

/** The header is not that of the committed frames: either it is ahead, with nothing committed behind it, or it was read too early. */
function withoutHeader({ cursor, header, pageSizeBytes }: ContinuityFacts, index: CommittedLog): Continuity {
  const isCaptured =
    cursor !== undefined && isSameLog(cursor, index) && framesBefore(cursor, pageSizeBytes) === index.frames;
  return isCaptured && header !== undefined ? IDLE : UNSETTLED;
}

type Salts = Pick<CommittedLog, "salt1" | "salt2">;

function isSameLog(a: Salts, b: Salts): boolean {
  return a.salt1 === b.salt1 && a.salt2 === b.salt2;
}

function gap(reason: GapReason): Continuity {
  return { kind: "gap", reason };
}
