import { setImmediate } from "node:timers/promises";
import type { Clock } from "../clock.ts";
import type { Txid } from "../ltx/format.ts";
import type { DatabaseLink } from "../sqlite/link.ts";
import { committedSize, type WalIndex } from "../sqlite/wal-index.ts";
import { type Continuity, decideContinuity, type GapReason } from "../wal/continuity.ts";
import { decodeWalHeader, type WalHeader } from "../wal/header.ts";
import {
  framesBefore,
  isSameGeneration,
  type LogPosition,
  startOf,
  WAL_HEADER_SIZE,
} from "../wal/position.ts";
import type { ReadAt } from "../wal/read-at.ts";
import type { LogScan, LogScanner, ScanResult } from "../wal/scanner.ts";
import { logTail } from "../wal/tail.ts";
import { type FrameRun, PendingFrames, type TxidUnit } from "./pending-frames.ts";

/** The log of one live database, as far as capture needs it. */
export type LiveLog = Pick<DatabaseLink, "readWal" | "index" | "samePath">;

/** How far we have captured. */
export interface CapturedState {
  readonly txid: Txid;
  /** Database size after that transaction, in pages. */
  readonly commitPages: number;
  /** Undefined: there was no log, everything is in the main file. */
  readonly log: LogPosition | undefined;
}

export interface CaptureOptions {
  readonly log: LiveLog;
  readonly scanner: LogScanner;
  readonly clock: Clock;
  readonly pageSizeBytes: number;
  readonly segmentFolder: string;
  readonly txidUnit: TxidUnit;
  /**
   * The state was captured since the machine was started. A loss of power may take commits away that were captured, and leave frames of theirs
   * behind: what is left in the log's file then proves nothing, only a log that goes on by its checksums does.
   */
  readonly isOfThisRun: boolean;
}

export type CaptureOutcome = { readonly kind: "captured"; readonly commits: number } | Gap;

export type Gap = { readonly kind: "gap"; readonly reason: GapReason };

const UNSETTLED_LIMIT_MS = 10_000;

/** What was copied out of the log while nothing kept SQLite from overwriting it counts only if the log still is the same afterwards. */
const OVERTAKEN: Gap = { kind: "gap", reason: "log-restarted-before-secured" };

/** No more is copied at once: the rest lets others run. */
const LITTLE_BYTES = 1 << 20;

/** More in one run would make publications that cannot be cut. */
const SLICE_BYTES = 64 << 20;

/**
 * Finds committed frames in the live log and queues them for publication. Nothing is copied while a pin keeps the log as it is; `drain` copies
 * what storage does not have yet, and runs before SQLite may overwrite it.
 */
export class Capture {
  readonly pending: PendingFrames;
  readonly #options: CaptureOptions;
  #state: CapturedState;
  /** The log's first 32 bytes as last read, and what they say. */
  #logHeader = new Uint8Array(0);
  #header: WalHeader | undefined;
  #pinHeld = false;
  /** All that was in the log when the present pin began is published or in the shadow WAL. */
  #secured = false;
  /** The log was restarted under the present pin, and holds commits again: it cannot be restarted once more. */
  #restarted: "no" | "empty" | "with-commits" = "no";

  #isOfThisRun: boolean;
  #frames: number;
  #unsettledSinceMs: number | undefined;

  constructor(options: CaptureOptions, state: CapturedState) {
    this.#options = options;
    this.pending = new PendingFrames(options.txidUnit);
    this.#state = state;
    this.#isOfThisRun = options.isOfThisRun;
    this.#frames = state.log === undefined ? 0 : framesBefore(state.log, options.pageSizeBytes);
  }

  get state(): CapturedState {
    return this.#state;
  }

  /** Frames captured so far, over all generations; those that lay in the log at the start included. */
  get frames(): number {
    return this.#frames;
  }

  /** Whether there is something to capture: two small reads. */
  look(): Continuity {
    return this.#decide(this.#options.log.index());
  }

  /** Captures to the end of the log, letting others run between slices. */
  async capture(): Promise<CaptureOutcome> {
    const steps = this.#steps();
    for (;;) {
      const step = steps.next();
      if (step.done) return step.value;
      await setImmediate();
    }
  }

  /** The same at once, for the few last frames before a handover. */
  captureNow(): CaptureOutcome {
    const steps = this.#steps();
    for (;;) {
      const step = steps.next();
      if (step.done) return step.value;
    }
  }

  /**
   * Captures to the end, and makes durable in the shadow WAL whatever storage lacks. Called before the pin moves, it secures all that SQLite
   * may overwrite under the new one: that is at most what the old pin had seen. Errors: LOCAL_DISK_FULL, LOCAL_IO.
   */
  drain(): CaptureOutcome {
    const outcome = this.captureNow();
    if (outcome.kind === "gap") return outcome;
    this.pending.secure(this.#options.segmentFolder);
    return this.#secured || this.#generationStands() ? outcome : OVERTAKEN;
  }

  /** So much lies in the log alone that a `drain` would keep others waiting: `drainInSlices` comes first. */
  get hasMuchToSecure(): boolean {
    return this.pending.unsecuredBytes > LITTLE_BYTES;
  }

  /**
   * Does most of the work of a coming `drain`, letting others run. What is committed meanwhile is copied too, until that is little, or no longer
   * becomes less: the writer is as fast as the disk.
   */
  async drainInSlices(): Promise<CaptureOutcome> {
    let commits = 0;
    for (let leastBytes = Number.POSITIVE_INFINITY; ; ) {
      const outcome = await this.capture();
      if (outcome.kind === "gap") return outcome;
      commits += outcome.commits;
      const bytes = this.pending.unsecuredBytes;
      if (bytes > leastBytes / 2) return { kind: "captured", commits };
      await this.pending.secureInSlices(this.#options.segmentFolder);
      if (!this.#secured && !this.#generationStands()) return OVERTAKEN;
      if (bytes <= LITTLE_BYTES) return { kind: "captured", commits };
      leastBytes = bytes;
    }
  }

  /** After a `drain`: the pin that is held, or the one that it is about to be moved to, may let SQLite restart the log once. */
  pinned(): void {
    this.#pinHeld = true;
    this.#secured = true;
    this.#restarted = "no";
    this.#isOfThisRun = true;
  }

  /** The pin was moved without a `drain`: what is in the log is not secured, and must not be overwritten. */
  pinnedAhead(): void {
    this.#secured = false;
  }

  /** The pin was let go: from now on only an unchanged generation proves anything. */
  unpinned(): void {
    this.#pinHeld = false;
    this.#secured = false;
  }

  /** Goes on from a state that a repair or a snapshot makes true; what is pending is part of it. */
  restartAt(state: CapturedState): void {
    this.pending.drop();
    this.#state = state;
    this.#isOfThisRun = true;
  }

  /** Takes over what a stop left in the shadow WAL; `state` is behind the last of it. */
  adopt(runs: readonly FrameRun[]): void {
    for (const run of runs) this.#state = { ...this.#state, txid: this.pending.append(run) };
  }

  /** The pending transactions follow `txid`: a repair turned out to need none. */
  renumber(txid: Txid): void {
    this.#state = { ...this.#state, txid: this.pending.renumber(txid) };
  }

  /** Up to what is committed now, not later: a writer that never pauses would never let it end. */
  *#steps(): Generator<void, CaptureOutcome> {
    const index = this.#options.log.index();
    const continuity = this.#decide(index);
    if (continuity.kind === "gap") return continuity;
    if (continuity.kind === "unsettled") return this.#unsettled();
    this.#unsettledSinceMs = undefined;
    if (continuity.kind === "idle" || index === undefined) return { kind: "captured", commits: 0 };
    if (continuity.kind === "restarted") this.#enter(continuity.header);
    let commits = 0;
    while (this.#offset < committedSize(index, this.#options.pageSizeBytes)) {
      const scan = this.#beginScan(index);
      let result = scan.step();
      while (result === undefined) {
        yield;
        result = scan.step();
      }
      if (result.commits === 0) return this.#unreadable(index, commits);
      this.#accept(result);
      commits += result.commits;
    }
    return { kind: "captured", commits };
  }

  get #offset(): number {
    return this.#state.log?.offset ?? 0;
  }

  #decide(index: WalIndex | undefined): Continuity {
    const { log, pageSizeBytes } = this.#options;
    const cursor = this.#state.log;
    const asksTail = cursor !== undefined && !this.#pinHeld && this.#isOfThisRun;
    return decideContinuity({
      cursor,
      pageSizeBytes,
      index,
      header: this.#readHeader(),
      pinHeld: this.#pinHeld,
      tail: asksTail ? logTail(cursor, pageSizeBytes, log.readWal) : "unknown",
      secured: this.#pinHeld ? this.#secured && this.#restarted !== "with-commits" : this.pending.isSecured,
      sameFile: log.samePath(),
    });
  }

  /** It passes by itself, unless somebody removed the log under SQLite: then it must not look like quiet for ever. */
  #unsettled(): CaptureOutcome {
    const nowMs = this.#options.clock.monotonicMs();
    this.#unsettledSinceMs ??= nowMs;
    if (nowMs - this.#unsettledSinceMs < UNSETTLED_LIMIT_MS) return { kind: "captured", commits: 0 };
    return { kind: "gap", reason: "log-unreadable" };
  }

  #enter(header: WalHeader): void {
    this.#state = { ...this.#state, log: startOf(header) };
    this.#restarted = "empty";
  }

  /** Up to what SQLite counts as committed: a dying writer may leave frames with valid checksums behind that, and SQLite overwrites them. */
  #beginScan(index: WalIndex): LogScan {
    const { scanner, log, pageSizeBytes } = this.#options;
    const from = this.#state.log;
    if (this.#header === undefined || from === undefined) throw new Error("a scan needs a log");
    const end = committedSize(index, pageSizeBytes);
    const read: ReadAt = (into, offset) => log.readWal(into.subarray(0, Math.max(0, end - offset)), offset);
    return scanner.begin(read, this.#header, from, { maxBytes: SLICE_BYTES });
  }

  /** SQLite counts frames as committed that do not read as such: either they changed under the scan, and the next look tells how, or they are damaged. */
  #unreadable(index: WalIndex, commits: number): CaptureOutcome {
    const now = this.#options.log.index();
    const stands = now?.frames === index.frames && now.salt1 === index.salt1 && now.salt2 === index.salt2;
    return stands ? { kind: "gap", reason: "log-unreadable" } : { kind: "captured", commits };
  }

  #accept(result: ScanResult): void {
    const header = this.#header;
    const from = this.#state.log;
    if (from === undefined || header === undefined) throw new Error("a scan needs a log");
    const { clock, log } = this.#options;
    const commits = BigInt(result.commits);
    this.#frames += result.frames;
    const txid = this.pending.append({
      header,
      logHeader: this.#logHeader,
      from,
      to: result.position,
      txidBefore: this.#state.txid,
      commits,
      commitPages: result.commitPages,
      capturedAtMs: clock.now(),
      waitingSinceMs: clock.monotonicMs(),
      source: { kind: "log", read: log.readWal },
    });
    this.#state = { txid, commitPages: result.commitPages, log: result.position };
    if (this.#restarted === "empty") this.#restarted = "with-commits";
  }

  #generationStands(): boolean {
    const { log } = this.#state;
    const header = this.#readHeader();
    return log === undefined ? header === undefined : header !== undefined && isSameGeneration(log, header);
  }

  #readHeader(): WalHeader | undefined {
    const bytes = scratch.subarray(0, this.#options.log.readWal(scratch.subarray(0, WAL_HEADER_SIZE), 0));
    if (!bytes.equals(this.#logHeader)) {
      this.#logHeader = Uint8Array.from(bytes);
      this.#header = decodeWalHeader(bytes);
    }
    return this.#header;
  }
}

/** Read and looked at within one call. */
const scratch = Buffer.alloc(WAL_HEADER_SIZE);
