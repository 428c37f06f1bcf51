import type { Txid } from "../ltx/format.ts";
import { syncPath } from "../shadow/durable-file.ts";
import { removeLocalFile } from "../shadow/local-files.ts";
import {
  readSegmentHeader,
  SEGMENT_HEADER_SIZE,
  Segment,
  segmentPaths,
  syncSegments,
} from "../shadow/segment.ts";
import { type LogPosition, WAL_HEADER_SIZE } from "../wal/position.ts";
import type { ReadAt } from "../wal/read-at.ts";
import type { LogScanner } from "../wal/scanner.ts";
import type { CapturedState } from "./capture.ts";
import type { FrameRun, TxidUnit } from "./pending-frames.ts";
import type { RemoteHead } from "./remote-head.ts";

export interface RecoveredFrames {
  /** From the shadow WAL: what was captured but not published, in order. */
  readonly runs: readonly FrameRun[];
  /** Behind the last of them, or the remote head's place in the log; capture goes on here. */
  readonly state: CapturedState;
}

export interface RecoverOptions {
  readonly segmentFolder: string;
  /** This process has looked after the folder without a break. */
  readonly isSynced: boolean;
  readonly scanner: LogScanner;
  readonly head: RemoteHead;
  /** The head's place in the log as the local cursor has it; undefined: the cursor is of another state. */
  readonly cursorLog: LogPosition | undefined;
  readonly txidUnit: TxidUnit;
  /** Finds the head in the live log without it, and only by a proof; see locateHead(). */
  readonly locateHead: () => Promise<LogPosition | undefined>;
  readonly nowMs: { readonly wall: number; readonly monotonic: number };
}

/**
 * Finds out what a stop or a crash left behind: segments that storage does not have yet, cut at their last valid commit, and where the remote head
 * lies in the live log. Segments that are published or do not follow are deleted. Errors: LOCAL_IO.
 */
export async function recoverFrames(options: RecoverOptions): Promise<RecoveredFrames> {
  const { head } = options;
  const { txid, commitPages } = head.state;
  const runs: FrameRun[] = [];
  let state: CapturedState = { txid, commitPages, log: undefined };
  let hasRemoved = false;
  for (const path of segmentPaths(options.segmentFolder)) {
    const run = await recoverSegment(path, state, runs.length === 0, options);
    if (run === undefined) {
      removeLocalFile(path);
      hasRemoved = true;
      continue;
    }
    // Whoever wrote it may have died before it was durable, and SQLite may overwrite those frames from now on.
    await syncPath(path);
    runs.push(run);
    state = { txid: run.txidBefore + run.commits, commitPages: run.commitPages, log: run.to };
  }
  // A death may have come before the sync of the folder. What is there may be all that is left of its frames; what is not must not come back with
  // the power, since its TXIDs are given to other commits.
  if (!options.isSynced || hasRemoved) await syncSegments(options.segmentFolder);
  if (runs.length > 0) return { runs, state };
  return { runs, state: { ...state, log: options.cursorLog ?? (await options.locateHead()) } };
}

/** The run behind `after` that the segment holds; undefined: none, or it does not follow. Only the first may begin before that. */
async function recoverSegment(
  path: string,
  after: CapturedState,
  isFirst: boolean,
  options: RecoverOptions,
): Promise<FrameRun | undefined> {
  const { scanner, nowMs, txidUnit, head } = options;
  const header = readSegmentHeader(path);
  if (header === undefined) return undefined;
  const { log } = header;
  const draft = new Segment(path, header.from.offset, 0);
  const read: ReadAt = (into, offset) => draft.readAt(into, offset);
  try {
    const end = isFirst ? (options.cursorLog ?? head.logEnd) : after.log;
    const from =
      txidUnit === "commit"
        ? await behindTxid(scanner, read, header, { txid: after.txid, end, isFirst })
        : await behindPlace(scanner, read, header, end);
    if (from === undefined) return undefined;
    const found = await scanner.scanInSlices(read, log, from);
    if (found.commits === 0) return undefined;
    const segment = new Segment(
      path,
      header.from.offset,
      SEGMENT_HEADER_SIZE + found.position.offset - header.from.offset,
    );
    return {
      ...{ header: log, logHeader: header.logHeader, from, to: found.position },
      txidBefore: txidUnit === "commit" ? after.txid : head.state.txid,
      ...{
        commits: txidUnit === "commit" ? BigInt(found.commits) : 1n,
        commitPages: found.commitPages,
        capturedAtMs: header.capturedAtMs,
      },
      waitingSinceMs: nowMs.monotonic - Math.max(0, nowMs.wall - header.capturedAtMs),
      source: { kind: "segment", segment },
    };
  } finally {
    draft.close();
  }
}

type ReadSegmentHeader = NonNullable<ReturnType<typeof readSegmentHeader>>;
type LogEnd = Pick<LogPosition, "salt1" | "salt2" | "offset"> | undefined;

/** Where in a segment the commits behind a TXID begin; undefined: they don't, or not provably. */
async function behindTxid(
  scanner: LogScanner,
  read: ReadAt,
  header: ReadSegmentHeader,
  after: { readonly txid: Txid; readonly end: LogEnd; readonly isFirst: boolean },
): Promise<LogPosition | undefined> {
  const published = after.txid - header.txidBefore;
  if (published < 0n || (published > 0n && !after.isFirst)) return undefined;
  let { from } = header;
  if (published > 0n) {
    const skipped = await scanner.scanInSlices(read, header.log, from, { maxCommits: published });
    if (BigInt(skipped.commits) < published) return undefined;
    from = skipped.position;
  }
  return follows(from, published > 0n, after.end) ? from : undefined;
}

/** The same where TXIDs don't count commits: then only the place in the log proves that nothing is missing in between. */
async function behindPlace(
  scanner: LogScanner,
  read: ReadAt,
  { log, from }: ReadSegmentHeader,
  end: LogEnd,
): Promise<LogPosition | undefined> {
  if (end === undefined || log.salt1 !== end.salt1 || log.salt2 !== end.salt2 || from.offset > end.offset)
    return undefined;
  const upTo: ReadAt = (into, offset) => read(into.subarray(0, Math.max(0, end.offset - offset)), offset);
  const { position } = await scanner.scanInSlices(upTo, log, from);
  return position.offset === end.offset ? position : undefined;
}

/** TXIDs alone prove nothing: the frames must begin where the state before them ends, or at the start of the next generation. */
function follows(from: LogPosition, isInside: boolean, end: LogEnd): boolean {
  if (from.offset === WAL_HEADER_SIZE && !isInside) return true;
  return (
    end !== undefined && end.salt1 === from.salt1 && end.salt2 === from.salt2 && end.offset === from.offset
  );
}
