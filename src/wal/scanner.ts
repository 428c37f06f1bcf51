import { setImmediate } from "node:timers/promises";
import { WalrustError } from "../errors.ts";
import type { Core } from "../wasm/core.ts";
import { INPUT_SIZE, SCAN_OFFSET, SCAN_SIZE } from "../wasm/layout.ts";
import type { WalHeader } from "./header.ts";
import { isSameGeneration, type LogPosition, WAL_FRAME_HEADER_SIZE } from "./position.ts";
import type { ReadAt } from "./read-at.ts";

export interface ScanLimits {
  /** Stop exactly behind so many commits. */
  readonly maxCommits?: bigint;
  /**
   * Stop at the last commit within so many bytes; a first transaction that is longer is still scanned whole.
   */
  readonly maxBytes?: number;
}

export interface ScanResult {
  /** Behind the last commit found, or where the scan began. */
  readonly position: LogPosition;
  readonly commits: number;
  /** Database size in pages after the last commit; 0 without a commit. */
  readonly commitPages: number;
  /** From where the scan began up to `position`. */
  readonly frames: number;
  /** The log holds no further commit; false where a limit ended the scan. */
  readonly reachedEnd: boolean;
}

/**
 * A quiet database appends a few frames to a log that is full of old ones: the first read is small, then they
 * double.
 */
const FIRST_READ_SIZE = 65536;
const NO_LIMIT = 0xffffffff;

/**
 * Finds committed frames in a log by their salts and checksums. Nothing is remembered from scan to scan but
 * positions behind commits.
 */
export class LogScanner {
  readonly #core: Core;

  constructor(core: Core) {
    this.#core = core;
  }

  /**
   * From `from` (behind a commit, in the log that `header` begins) to the last commit within the limits, in
   * one go.
   */
  scan(read: ReadAt, header: WalHeader, from: LogPosition, limits?: ScanLimits): ScanResult {
    const scan = this.begin(read, header, from, limits);
    for (;;) {
      const result = scan.step();
      if (result) return result;
    }
  }

  /** The same, letting others run between slices. */
  async scanInSlices(
    read: ReadAt,
    header: WalHeader,
    from: LogPosition,
    limits?: ScanLimits,
  ): Promise<ScanResult> {
    const scan = this.begin(read, header, from, limits);
    for (;;) {
      const result = scan.step();
      if (result) return result;
      await setImmediate();
    }
  }

  /** The same in slices, so that a transaction of any size does not keep the event loop waiting. */
  begin(read: ReadAt, header: WalHeader, from: LogPosition, limits: ScanLimits = {}): LogScan {
    return new LogScan(this.#core, read, header, from, limits);
  }
}

export class LogScan {
  readonly #core: Core;
  readonly #read: ReadAt;
  readonly #header: WalHeader;
  readonly #frameSize: number;
  /** No more frames than these, once there is a commit among them. */
  readonly #softFrames: number;
  readonly #maxCommits: bigint | undefined;

  #position: LogPosition;
  #commits = 0;
  #commitPages = 0;
  #committedFrames = 0;
  /**
   * Verified so far, beyond the last commit too. An open transaction may rewrite those frames between two
   * steps: the checksums of the frames behind them then no longer continue ours, and the scan ends at the
   * last commit, which nothing can change.
   */
  #frames = 0;
  #checksum1: number;
  #checksum2: number;
  #windowFrames: number;

  constructor(core: Core, read: ReadAt, header: WalHeader, from: LogPosition, limits: ScanLimits) {
    if (!isSameGeneration(header, from)) {
      throw new WalrustError("INTERNAL", "a log was scanned from a position in another log");
    }
    this.#core = core;
    this.#read = read;
    this.#header = header;
    this.#frameSize = WAL_FRAME_HEADER_SIZE + header.pageSizeBytes;
    this.#softFrames = Math.floor((limits.maxBytes ?? Number.POSITIVE_INFINITY) / this.#frameSize);
    this.#maxCommits = limits.maxCommits;
    this.#position = from;
    this.#checksum1 = from.checksum1;
    this.#checksum2 = from.checksum2;
    this.#windowFrames = Math.max(1, Math.floor(FIRST_READ_SIZE / this.#frameSize));
  }

  /** Reads and verifies at most one input region of frames; the result once the scan is over. */
  step(): ScanResult | undefined {
    const wanted = this.#wantedFrames();
    if (wanted === 0) return this.#result(false);
    const from = this.#position.offset + (this.#frames - this.#committedFrames) * this.#frameSize;
    const got = this.#read(this.#core.input.subarray(0, wanted * this.#frameSize), from);
    const frames = Math.floor(got / this.#frameSize);

    const maxCommits = this.#commitsLeft();
    const { valid, commits } = this.#verify(frames, maxCommits);
    if (commits === maxCommits) return this.#result(false);
    if (valid < wanted) return this.#result(true);
    this.#windowFrames = Math.min(this.#windowFrames * 2, Math.floor(INPUT_SIZE / this.#frameSize));
    return undefined;
  }

  #wantedFrames(): number {
    if (this.#commitsLeft() === 0) return 0;
    if (this.#frames < this.#softFrames) return Math.min(this.#windowFrames, this.#softFrames - this.#frames);
    return this.#commits > 0 ? 0 : this.#windowFrames;
  }

  #commitsLeft(): number {
    if (this.#frames >= this.#softFrames) return 1;
    if (this.#maxCommits === undefined) return NO_LIMIT;
    const left = this.#maxCommits - BigInt(this.#commits);
    return left < BigInt(NO_LIMIT) ? Number(left) : NO_LIMIT;
  }

  #verify(frames: number, maxCommits: number): { readonly valid: number; readonly commits: number } {
    const state = this.#core.borrowU32(SCAN_OFFSET, SCAN_SIZE / 4);
    state.set([this.#header.salt1, this.#header.salt2, this.#checksum1, this.#checksum2]);
    const { pageSizeBytes, bigEndianChecksums } = this.#header;
    const valid = this.#core.wasm.walScan(frames, pageSizeBytes, bigEndianChecksums, maxCommits);

    // The words of the state are drawn in assembly/wal.ts.
    const [
      ,
      ,
      checksum1 = 0,
      checksum2 = 0,
      commits = 0,
      upToCommit = 0,
      commitPages = 0,
      commitChecksum1 = 0,
      commitChecksum2 = 0,
    ] = state;
    if (commits > 0) {
      this.#commits += commits;
      this.#commitPages = commitPages;
      const committedFrames = this.#frames + upToCommit;
      this.#position = {
        ...this.#position,
        offset: this.#position.offset + (committedFrames - this.#committedFrames) * this.#frameSize,
        checksum1: commitChecksum1,
        checksum2: commitChecksum2,
      };
      this.#committedFrames = committedFrames;
    }
    this.#frames += valid;
    this.#checksum1 = checksum1;
    this.#checksum2 = checksum2;
    return { valid, commits };
  }

  #result(reachedEnd: boolean): ScanResult {
    return {
      position: this.#position,
      commits: this.#commits,
      commitPages: this.#commitPages,
      frames: this.#committedFrames,
      reachedEnd,
    };
  }
}
