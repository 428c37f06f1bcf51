import type { Txid } from "../ltx/format.ts";
import { Segment, type SegmentHeader } from "../shadow/segment.ts";
import type { WalHeader } from "../wal/header.ts";
import { isSameGeneration, type LogPosition, WAL_FRAME_HEADER_SIZE } from "../wal/position.ts";
import type { ReadAt } from "../wal/read-at.ts";

/** Committed frames of one generation that storage does not have yet. Offsets are those of the source log, wherever the frames lie now. */
export interface FrameRun {
  readonly header: WalHeader;
  /** The source log's first 32 bytes, verbatim. */
  readonly logHeader: Uint8Array;
  readonly from: LogPosition;
  readonly to: LogPosition;
  readonly txidBefore: Txid;
  /** TXIDs that it takes; where a publication is one, all of its runs say the same TXID. */
  readonly commits: bigint;
  /** Database size after the last commit. */
  readonly commitPages: number;
  /** When the last commit was captured, Unix ms. */
  readonly capturedAtMs: number;
  /** When the first one was, on the monotonic clock: for the lag. */
  readonly waitingSinceMs: number;
  /** Where the frames can be read: the live log until they are secured, then a segment. Changes only in PendingFrames. */
  source: FrameSource;
}

/** Where frames lie, and what they lead to. */
export type FrameExtent = Pick<FrameRun, "header" | "from" | "to" | "commitPages" | "source">;

export type FrameSource =
  | { readonly kind: "log"; readonly read: ReadAt }
  | { readonly kind: "segment"; readonly segment: Segment };

export function lastTxid(run: FrameRun): Txid {
  return run.txidBefore + run.commits;
}

export function frameCount(run: FrameExtent): number {
  return (run.to.offset - run.from.offset) / (WAL_FRAME_HEADER_SIZE + run.header.pageSizeBytes);
}

export function readRun(run: FrameExtent, into: Uint8Array, logOffset: number): number {
  return run.source.kind === "log"
    ? run.source.read(into, logOffset)
    : run.source.segment.readAt(into, logOffset);
}

/** What has a TXID: each commit, or, as Litestream counts, each publication. */
export type TxidUnit = "commit" | "publication";

/** One publication reads at most so many segments: each costs a descriptor meanwhile. */
const MAX_RUNS_AT_ONCE = 128;

/**
 * The queue between capture and publication: runs in TXID order, without holes. The first ones may be *sealed*: they are what the publication
 * under way is made of, and stay exactly so until it is settled, whatever is captured meanwhile.
 */
export class PendingFrames {
  readonly #txidUnit: TxidUnit;
  #sealed: readonly FrameRun[] = [];
  #gathering: FrameRun[] = [];
  #secured: Segment[] = [];
  /** Runs are being copied: they may move, but not grow. */
  #securing = false;
  /** So many of the gathering runs end where a publication must end too; 0: none. */
  #runsBeforeCut = 0;

  constructor(txidUnit: TxidUnit = "commit") {
    this.#txidUnit = txidUnit;
  }

  get isEmpty(): boolean {
    return this.#sealed.length + this.#gathering.length === 0;
  }

  get runs(): readonly FrameRun[] {
    return [...this.#sealed, ...this.#gathering];
  }

  get sealed(): readonly FrameRun[] {
    return this.#sealed;
  }

  /** Bytes of frames that storage does not have. */
  get bytes(): number {
    return this.runs.reduce((sum, run) => sum + run.to.offset - run.from.offset, 0);
  }

  /** Those of them that lie in the log alone. */
  get unsecuredBytes(): number {
    return this.runs.reduce(
      (sum, run) => (run.source.kind === "log" ? sum + run.to.offset - run.from.offset : sum),
      0,
    );
  }

  /** Bytes that the shadow WAL takes on disk. */
  get segmentBytes(): number {
    return this.#secured.reduce((sum, segment) => sum + segment.sizeBytes, 0);
  }

  get oldestWaitingSinceMs(): number | undefined {
    return this.runs[0]?.waitingSinceMs;
  }

  /** Adds what was just captured; it continues the last run where that lies in the log too. Returns the last TXID that it takes. */
  append(captured: FrameRun): Txid {
    const last = this.#gathering.at(-1);
    const closed = this.#securing || this.#runsBeforeCut === this.#gathering.length;
    if (
      !closed &&
      last?.source.kind === "log" &&
      captured.source.kind === "log" &&
      isSameGeneration(last.to, captured.from)
    ) {
      const joined: FrameRun = {
        ...last,
        to: captured.to,
        commits: this.#txidUnit === "commit" ? last.commits + captured.commits : 1n,
        commitPages: captured.commitPages,
        capturedAtMs: captured.capturedAtMs,
      };
      this.#gathering[this.#gathering.length - 1] = joined;
      return lastTxid(joined);
    }
    const run = this.#numbered(captured);
    this.#gathering.push(run);
    if (run.source.kind === "segment" && !this.#secured.includes(run.source.segment))
      this.#secured.push(run.source.segment);
    return lastTxid(run);
  }

  /** What the next publication is made of. The same again until `settle`: a publication whose outcome is unknown is repeated exactly. */
  seal(): readonly FrameRun[] {
    if (this.#sealed.length === 0) {
      const count =
        this.#txidUnit === "commit"
          ? Math.min(this.#runsBeforeCut || MAX_RUNS_AT_ONCE, MAX_RUNS_AT_ONCE)
          : this.#runsOfTxid(this.#gathering[0]);
      this.#sealed = this.#gathering.slice(0, count);
      this.#gathering = this.#gathering.slice(count);
      this.#runsBeforeCut = Math.max(0, this.#runsBeforeCut - count);
    }
    return this.#sealed;
  }

  /** No publication reaches over this moment: a snapshot is taken at it. */
  cut(): void {
    this.#runsBeforeCut = this.#gathering.length;
  }

  /** Storage has the sealed runs. Segments that nothing else needs are deleted; one that cannot be deleted now, the next time. */
  settle(): void {
    this.#sealed = [];
    const needed = new Set(
      this.#gathering.flatMap((run) => (run.source.kind === "segment" ? [run.source.segment] : [])),
    );
    this.#secured = this.#secured.filter((segment) => {
      if (!needed.has(segment)) return !isDiscarded(segment);
      segment.close();
      return true;
    });
  }

  /** Forgets everything, and deletes the segments: what they held comes back by a repair. */
  drop(): void {
    this.#gathering = [];
    this.#runsBeforeCut = 0;
    this.settle();
  }

  /** Lets the first run follow `txid`, and so on; returns the last TXID. Nothing may be sealed. */
  renumber(txid: Txid): Txid {
    const shift = txid - (this.#gathering[0]?.txidBefore ?? txid);
    this.#gathering = this.#gathering.map((run) => ({ ...run, txidBefore: run.txidBefore + shift }));
    const last = this.#gathering.at(-1);
    return last === undefined ? txid : lastTxid(last);
  }

  /** Ends descriptors; the segments stay on disk for the next start. */
  close(): void {
    for (const segment of this.#secured) segment.close();
  }

  get isSecured(): boolean {
    return this.runs.every((run) => run.source.kind === "segment");
  }

  /**
   * Copies every run that still lies in the log into one segment, durably: afterwards SQLite may overwrite the log.
   * Errors: LOCAL_DISK_FULL, LOCAL_IO; then all is as before.
   */
  secure(segmentFolder: string): void {
    const copy = this.#toSecure();
    if (copy) this.#movedTo(Segment.write(segmentFolder, copy.header, copy.toOffset, copy.read), copy.runs);
  }

  /** The same without keeping the event loop waiting. What is captured meanwhile stays in the log. */
  async secureInSlices(segmentFolder: string): Promise<void> {
    const copy = this.#toSecure();
    if (copy === undefined) return;
    this.#securing = true;
    try {
      this.#movedTo(
        await Segment.writeInSlices(segmentFolder, copy.header, copy.toOffset, copy.read),
        copy.runs,
      );
    } finally {
      this.#securing = false;
    }
  }

  /** Where a publication has one TXID, all that it will be made of has it, from the moment of capture on. */
  #numbered(run: FrameRun): FrameRun {
    if (this.#txidUnit === "commit") return run;
    const last = this.#gathering.at(-1);
    const joins =
      last !== undefined &&
      this.#runsBeforeCut < this.#gathering.length &&
      this.#runsOfTxid(last) < MAX_RUNS_AT_ONCE;
    return { ...run, txidBefore: joins ? last.txidBefore : run.txidBefore, commits: 1n };
  }

  #runsOfTxid(run: FrameRun | undefined): number {
    return this.#gathering.filter(({ txidBefore }) => txidBefore === run?.txidBefore).length;
  }

  /** Only the present generation can lie in the log, so those runs follow one another. */
  #toSecure() {
    const runs = this.runs.filter((run) => run.source.kind === "log");
    const [first] = runs;
    const last = runs.at(-1);
    if (first?.source.kind !== "log" || last === undefined) return undefined;
    const header: SegmentHeader = { ...first, capturedAtMs: last.capturedAtMs };
    return { runs, header, toOffset: last.to.offset, read: first.source.read };
  }

  #movedTo(segment: Segment, runs: readonly FrameRun[]): void {
    for (const run of runs) run.source = { kind: "segment", segment };
    this.#secured.push(segment);
  }
}

function isDiscarded(segment: Segment): boolean {
  try {
    segment.discard();
    return true;
  } catch {
    return false; // what was published is published: that is no trouble of the publication
  }
}
