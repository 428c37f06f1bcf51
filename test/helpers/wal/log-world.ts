import type { WalIndex } from "../../../src/sqlite/wal-index.ts";
import type { LogPosition } from "../../../src/wal/position.ts";
import { LogBuilder } from "./log-builder.ts";
import { readLog } from "./twin.ts";

/*
 * A model of what SQLite does to a log, by the rules of wal.c (3.53), with real bytes: commits, rollbacks, checkpoints, restarts,
 * processes that die and machines that lose their power. It knows which commits make the database, and so who claims too much.
 */

export const PAGE_SIZE = 512;
export const FRAME_SIZE = 24 + PAGE_SIZE;
const HEADER_SIZE = 32;
/** Commits are told apart by the byte that fills their pages. */
const MOST_COMMITS = 250;

export interface WorldCommit {
  readonly id: number;
  readonly pgnos: readonly number[];
  readonly pages: number;
}

/** From one restart of the log to the next. */
export interface Generation {
  readonly salt1: number;
  readonly salt2: number;
  readonly sequence: number;
  /** The one before, if this one follows it by a salt-1 that is one more. */
  readonly follows: Generation | undefined;
  /** The most frames that were ever written of it, committed or not. */
  written: number;
}

export interface CommitOptions {
  /** If the log is free, it begins anew. */
  readonly restart: boolean;
  /** By a connection that never restarted a log: it draws both salts of an empty one. */
  readonly isNew: boolean;
  /** journal_size_limit: so many frames before the end of the log that is given up, and so many bytes behind that. */
  readonly limit: { readonly frames: number; readonly bytes: number } | undefined;
}

/** A reader's mark: 0 does not keep the log from being restarted. */
type Mark = number | undefined;

export class LogWorld {
  /** All that make the database, in order. */
  history: readonly WorldCommit[] = [];
  /** How often the file was cut; how often the power failed; both make what lies behind a place in it worth nothing. */
  cuts = 0;
  losses = 0;
  #file: Uint8Array | undefined;
  /** What of the file survives a loss of power for certain. */
  #durable: Uint8Array | undefined;
  #builder: LogBuilder | undefined;
  #generation: Generation = { salt1: 0, salt2: 0, sequence: 0, follows: undefined, written: 0 };
  /** Commits before the present log. */
  #base: readonly WorldCommit[] = [];
  #log: readonly WorldCommit[] = [];
  #backfilled = 0;
  #nextId = 1;
  #changes = 0;
  #draws = 0;
  #pin: Mark;
  #reader: Mark;

  get generation(): Generation {
    return this.#generation;
  }

  get file(): Uint8Array {
    return this.#file ?? new Uint8Array(0);
  }

  get frames(): number {
    return framesOf(this.#log);
  }

  readonly read = (into: Uint8Array, offset: number): number => {
    const piece = this.file.subarray(offset, offset + into.length);
    into.set(piece);
    return piece.length;
  };

  index(): WalIndex {
    const { salt1, salt2 } = this.#generation;
    const [checksum1, checksum2] = this.#endOfLog();
    return {
      ...{ changeCounter: this.#changes, frames: this.frames, backfilledFrames: this.#backfilled },
      ...{ commitPages: this.history.at(-1)?.pages ?? 0, salt1, salt2, checksum1, checksum2 },
    };
  }

  /** The commits in the frames from `from` to `to`, by their bytes. */
  commitsBetween(from: number, to: number): number[] {
    const ids: number[] = [];
    const view = new DataView(this.file.buffer, this.file.byteOffset, this.file.length);
    for (let at = from; at < to; at += FRAME_SIZE) {
      if (view.getUint32(at + 4) > 0) ids.push(this.file[at + 24] ?? 0);
    }
    return ids;
  }

  // What the application does.

  commit(frames: number, { restart, isNew, limit }: CommitOptions): void {
    if (this.#nextId > MOST_COMMITS) return;
    const before = this.frames;
    const began = this.#beginWrite(restart, isNew);
    const commit = this.#newCommit(frames);
    this.#write(commit, true);
    this.#take(commit);
    if (began && limit !== undefined)
      this.#limitFile(HEADER_SIZE + Math.max(0, before - limit.frames) * FRAME_SIZE + limit.bytes);
  }

  /** Frames of an open transaction, spilled into the log, and rolled back. */
  rollBack(frames: number): void {
    if (this.frames === 0) return;
    this.#write(this.#newCommit(frames), false);
    this.#rewind();
  }

  /** A writer that dies between its frames and the wal-index. */
  die(frames: number): void {
    if (this.frames === 0 || this.#nextId > MOST_COMMITS) return;
    this.#write(this.#newCommit(frames), true);
    this.#rewind();
  }

  checkpoint(mode: "passive" | "restart" | "truncate"): void {
    this.#backfill();
    const isFree = this.#backfilled === this.frames && !this.#isMarked();
    if (mode === "passive" || !isFree) return;
    this.#restart();
    if (mode === "truncate") this.#cut(0);
  }

  /** Of the application's own: at mark 0 where the log is wholly backfilled. */
  readerBegins(): void {
    this.#reader ??= this.#markNow();
  }

  readerEnds(): void {
    this.#reader = undefined;
  }

  /** The last connection closes: that is no business of a log that we have pinned. */
  closeAll(): void {
    if (this.#pin !== undefined) return;
    this.#reader = undefined;
    this.#backfill();
    this.#forget();
    if (this.#file !== undefined) this.cuts += 1;
    this.#file = undefined;
    this.#startOver();
  }

  /** All processes die, ours too, and the next one recovers the log. */
  crash(): void {
    this.#pin = undefined;
    this.#reader = undefined;
    this.#recover();
  }

  /** @param survives whether what was written to the frame's place since the last sync is there */
  losePower(survives: (slot: number) => boolean): void {
    const [now, before] = [this.file, this.#durable ?? new Uint8Array(0)];
    const isCut = now.length < before.length && survives(0);
    const after = new Uint8Array(isCut ? now.length : Math.max(now.length, before.length));
    after.set(before.subarray(0, Math.min(HEADER_SIZE, after.length)));
    let end = Math.min(before.length, after.length);
    for (let slot = 0; HEADER_SIZE + slot * FRAME_SIZE < after.length; slot += 1) {
      const [from, to] = [HEADER_SIZE + slot * FRAME_SIZE, HEADER_SIZE + (slot + 1) * FRAME_SIZE];
      const isThere = survives(slot) && now.length >= to;
      after.set((isThere ? now : before).subarray(from, Math.min(to, after.length)), from);
      if (isThere) end = Math.max(end, to);
    }
    this.#file = end === 0 ? undefined : after.slice(0, end);
    this.losses += 1;
    this.crash();
    this.#durable = this.#file?.slice();
  }

  // What we do.

  get isPinned(): boolean {
    return this.#pin !== undefined;
  }

  pin(): void {
    this.#pin = this.#markNow();
  }

  unpin(): void {
    this.#pin = undefined;
  }

  #markNow(): number {
    return this.#backfilled === this.frames ? 0 : this.frames;
  }

  #isMarked(): boolean {
    return (this.#pin ?? 0) > 0 || (this.#reader ?? 0) > 0;
  }

  /** A pin at mark 0 shares the lock that backfilling needs for itself alone. */
  #backfill(): void {
    const marks = [this.#pin, this.#reader].filter((mark) => mark !== undefined);
    const target = Math.min(this.frames, ...marks.filter((mark) => mark > 0));
    if (target <= this.#backfilled || marks.includes(0)) return;
    this.#durable = this.#file?.slice();
    this.#backfilled = target;
  }

  /** Whether a new log begins. */
  #beginWrite(restart: boolean, isNew: boolean): boolean {
    const isFree = this.frames > 0 && this.#backfilled === this.frames && !this.#isMarked();
    if (restart && isFree) this.#restart();
    if (this.frames > 0) return false;
    if (this.#file === undefined || this.#generation.salt1 === 0 || isNew) {
      this.#generation = {
        ...{ salt1: this.#draw() * 1_000_003, salt2: this.#draw(), sequence: 0 },
        ...{ follows: undefined, written: 0 },
      };
    }
    this.#builder = this.#newBuilder();
    this.#file = this.#builder.build();
    this.#durable = this.#file.slice(); // sqlite3WalFrames syncs the header of a new log
    return true;
  }

  #newBuilder(): LogBuilder {
    const { salt1, salt2, sequence } = this.#generation;
    const over = this.file.length === 0 ? {} : { over: this.file };
    return new LogBuilder({ pageSizeBytes: PAGE_SIZE, salt1, salt2, sequence, ...over });
  }

  #newCommit(frames: number): WorldCommit {
    const id = this.#nextId;
    return { id, pgnos: Array.from({ length: frames }, (_, i) => 1 + ((id + i) % 7)), pages: 7 + (id % 3) };
  }

  #write({ id, pgnos, pages }: WorldCommit, isCommitted: boolean): void {
    this.#nextId += 1;
    const builder = this.#builder ?? this.#rewind();
    if (isCommitted) builder.commit(pgnos, pages, id);
    else for (const pgno of pgnos) builder.frame(pgno, 0, id);
    this.#file = builder.build();
    this.#generation.written = Math.max(this.#generation.written, this.frames + pgnos.length);
  }

  /** The next writer begins behind the last commit, over whatever lies there. */
  #rewind(): LogBuilder {
    const builder = this.#newBuilder();
    for (const { id, pgnos, pages } of this.#log) builder.commit(pgnos, pages, id);
    this.#builder = builder;
    return builder;
  }

  #take(commit: WorldCommit): void {
    this.#log = [...this.#log, commit];
    this.history = [...this.history, commit];
    this.#changes += 1;
  }

  /** The index is that of an empty log; the file stays as it is until somebody writes. */
  #restart(): void {
    const follows = this.#generation;
    this.#forget();
    this.#generation = {
      ...{ salt1: follows.salt1 + 1, salt2: this.#draw(), sequence: follows.sequence + 1 },
      ...{ follows, written: 0 },
    };
  }

  /** A random number of 32 bits; two that are equal, or one apart, are left to chance (see continuity.ts). */
  #draw(): number {
    this.#draws += 1;
    return this.#draws;
  }

  #forget(): void {
    this.#base = this.history;
    this.#log = [];
    this.#backfilled = 0;
    this.#builder = undefined;
  }

  #startOver(): void {
    this.#generation = { salt1: 0, salt2: 0, sequence: 0, follows: undefined, written: 0 };
  }

  #cut(size: number): void {
    if (this.#file === undefined || this.#file.length <= size) return;
    this.cuts += 1;
    this.#file = this.#file.slice(0, size);
  }

  /** journal_size_limit, after the first commit of a log. */
  #limitFile(limit: number): void {
    this.#cut(Math.max(limit, HEADER_SIZE + this.frames * FRAME_SIZE));
    this.#builder = undefined;
  }

  /** What the file holds counts, whatever the index said (walIndexRecover). */
  #recover(): void {
    const log = readLog(this.file);
    const view = new DataView(this.file.buffer, this.file.byteOffset, this.file.length);
    const ids = (log?.transactions ?? []).map(({ endOffset }) => this.file[endOffset - PAGE_SIZE] ?? 0);
    if (log === undefined) {
      this.#forget();
      this.#startOver();
      return;
    }
    const [salt1, salt2] = [view.getUint32(16), view.getUint32(20)];
    if (salt1 !== this.#generation.salt1 || salt2 !== this.#generation.salt2) this.#revive(salt1, salt2, ids);
    this.#log = log.transactions.map(({ pgnos, commitPages }, i) => ({
      id: ids[i] ?? 0,
      pgnos,
      pages: commitPages,
    }));
    this.history = [...this.#base, ...this.#log];
    this.#backfilled = 0;
    this.#builder = undefined;
  }

  /** The index had begun a new log, and the file is still that of the one before: its commits are in the main file too. */
  #revive(salt1: number, salt2: number, ids: readonly number[]): void {
    const first = this.#base.findIndex(({ id }) => id === ids[0]);
    this.#base = first < 0 ? this.#base : this.#base.slice(0, first);
    const sequence = new DataView(this.file.buffer).getUint32(12);
    const follows = this.#generation.follows;
    const isBefore = follows?.salt1 === salt1 && follows.salt2 === salt2;
    const written = isBefore ? follows.written : this.#framesWith(salt1, salt2);
    this.#generation = { salt1, salt2, sequence, follows: isBefore ? follows.follows : undefined, written };
  }

  /** Up to the last frame in the file that has these salts, valid or not: what a loss of power left may have holes. */
  #framesWith(salt1: number, salt2: number): number {
    const view = new DataView(this.file.buffer, this.file.byteOffset, this.file.length);
    let frames = 0;
    for (let at = HEADER_SIZE; at + FRAME_SIZE <= this.file.length; at += FRAME_SIZE) {
      if (view.getUint32(at + 8) === salt1 && view.getUint32(at + 12) === salt2)
        frames = (at - HEADER_SIZE) / FRAME_SIZE + 1;
    }
    return frames;
  }

  #endOfLog(): readonly [number, number] {
    if (this.frames === 0) return [0, 0];
    const at = HEADER_SIZE + this.frames * FRAME_SIZE - FRAME_SIZE + 16;
    const view = new DataView(this.file.buffer, this.file.byteOffset, this.file.length);
    return [view.getUint32(at), view.getUint32(at + 4)];
  }

  /** Behind the last commit; undefined: there is no log. */
  end(): LogPosition | undefined {
    if (this.frames === 0) return undefined;
    const { salt1, salt2, sequence } = this.#generation;
    const [checksum1, checksum2] = this.#endOfLog();
    return { sequence, salt1, salt2, offset: HEADER_SIZE + this.frames * FRAME_SIZE, checksum1, checksum2 };
  }
}

function framesOf(log: readonly WorldCommit[]): number {
  return log.reduce((sum, { pgnos }) => sum + pgnos.length, 0);
}
