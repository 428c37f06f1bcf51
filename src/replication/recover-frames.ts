import { rmSync } from "node:fs";
import { setImmediate } from "node:timers/promises";
import { readSegmentHeader, SEGMENT_HEADER_SIZE, Segment, segmentPaths } from "../shadow/segment.ts";
import { decodeWalHeader, type WalHeader } from "../wal/header.ts";
import { type LogPosition, startOf, WAL_HEADER_SIZE } from "../wal/position.ts";
import type { ReadAt } from "../wal/read-at.ts";
import type { LogScanner, ScanLimits, ScanResult } from "../wal/scanner.ts";
import type { CapturedState } from "./capture.ts";
import type { FrameRun } from "./pending-frames.ts";
import type { RemoteHead } from "./remote-head.ts";

export interface RecoveredFrames {
  /** From the shadow WAL: what was captured but not published, in order. */
  readonly runs: readonly FrameRun[];
  /** Behind the last of them, or the remote head's place in the log; capture goes on here. */
  readonly state: CapturedState;
}

export interface RecoverOptions {
  readonly segmentFolder: string;
  readonly scanner: LogScanner;
  readonly readWal: ReadAt;
  readonly head: RemoteHead;
  /** The head's place in the log as the local cursor has it; undefined: the cursor is of another state. */
  readonly cursorLog: LogPosition | undefined;
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
  for (const path of segmentPaths(options.segmentFolder)) {
    const run = await recoverSegment(path, state, runs.length === 0, options);
    if (run === undefined) {
      rmSync(path, { force: true });
      continue;
    }
    runs.push(run);
    state = { txid: run.txidBefore + run.commits, commitPages: run.commitPages, log: run.to };
  }
  if (runs.length > 0) return { runs, state };
  return { runs, state: { ...state, log: options.cursorLog ?? (await locateInLog(options)) } };
}

/** The run behind `txid` that the segment holds; undefined: none, or it does not follow. Only the first may begin before `txid`. */
async function recoverSegment(
  path: string,
  after: CapturedState,
  isFirst: boolean,
  options: RecoverOptions,
): Promise<FrameRun | undefined> {
  const { scanner, nowMs } = options;
  const header = readSegmentHeader(path);
  if (header === undefined || header.txidBefore > after.txid || (header.txidBefore < after.txid && !isFirst))
    return undefined;
  const { log } = header;
  const draft = new Segment(path, header.from.offset, 0);
  const read: ReadAt = (into, offset) => draft.readAt(into, offset);
  try {
    let { from } = header;
    const published = after.txid - header.txidBefore;
    if (published > 0n) {
      const skipped = await scan(scanner, read, log, from, { maxCommits: published });
      if (BigInt(skipped.commits) < published) return undefined;
      from = skipped.position;
    }
    if (!follows(from, published > 0n, isFirst ? (options.cursorLog ?? options.head.logEnd) : after.log))
      return undefined;
    const found = await scan(scanner, read, log, from);
    if (found.commits === 0) return undefined;
    const segment = new Segment(
      path,
      header.from.offset,
      SEGMENT_HEADER_SIZE + found.position.offset - header.from.offset,
    );
    return {
      ...{ header: log, logHeader: header.logHeader, from, to: found.position, txidBefore: after.txid },
      ...{
        commits: BigInt(found.commits),
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

/** TXIDs alone prove nothing: the frames must begin where the state before them ends, or at the start of the next generation. */
function follows(
  from: LogPosition,
  isInside: boolean,
  end: Pick<LogPosition, "salt1" | "salt2" | "offset"> | undefined,
): boolean {
  if (from.offset === WAL_HEADER_SIZE && !isInside) return true;
  return (
    end !== undefined && end.salt1 === from.salt1 && end.salt2 === from.salt2 && end.offset === from.offset
  );
}

/** The remote head's end in the live log, if it lies there: the frames up to it are verified on the way. */
async function locateInLog({ head, readWal, scanner }: RecoverOptions): Promise<LogPosition | undefined> {
  const { logEnd } = head;
  const bytes = new Uint8Array(WAL_HEADER_SIZE);
  const header = readWal(bytes, 0) === WAL_HEADER_SIZE ? decodeWalHeader(bytes) : undefined;
  if (logEnd === undefined || header?.salt1 !== logEnd.salt1 || header.salt2 !== logEnd.salt2)
    return undefined;
  const upTo: ReadAt = (into, offset) =>
    readWal(into.subarray(0, Math.max(0, logEnd.offset - offset)), offset);
  const { position } = await scan(scanner, upTo, header, startOf(header));
  return position.offset === logEnd.offset ? position : undefined;
}

async function scan(
  scanner: LogScanner,
  read: ReadAt,
  header: WalHeader,
  from: LogPosition,
  limits: ScanLimits = {},
): Promise<ScanResult> {
  const steps = scanner.begin(read, header, from, limits);
  for (;;) {
    const result = steps.step();
    if (result) return result;
    await setImmediate();
  }
}
