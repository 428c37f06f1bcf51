import type { Clock } from "../clock.ts";
import { WalrustError } from "../errors.ts";
import type { ReadAt } from "../wal/read-at.ts";
import { mainFilePages } from "./database-size.ts";
import {
  type FileIdentity,
  type HeldDescriptor,
  holdDescriptor,
  identityAt,
  isSameFile,
  readFully,
  syncFile,
} from "./descriptors.ts";
import { type CheckpointResult, type Connect, type Connection, connect } from "./driver.ts";
import { databaseNotFound, fileError } from "./file-error.ts";
import { type DatabaseFacts, notWal, openDatabaseFile, pageSizeOf } from "./inspect.ts";
import { WalFile } from "./wal-file.ts";
import { decodeWalIndex, isSameLog, isUnchanged, WAL_INDEX_SIZE, type WalIndex } from "./wal-index.ts";

export interface LinkOptions {
  readonly clock: Pick<Clock, "monotonicMs">;
  /** For databases that we may only read: pins, but neither barrier nor checkpoint. */
  readonly observe?: boolean;
  /** For tests: a driver that fails. */
  readonly connect?: Connect;
}

/** What may be done while the write lock is held. The old pin is still held when the body begins. */
export interface Barrier {
  /** Since the lock was taken. */
  elapsedMs(): number;
  /** Ends the old pin, which would hold a checkpoint back at its mark. The lock's own transaction pins the end of the log meanwhile. */
  releasePin(): void;
  /** Between releasePin and pin. */
  passive(): CheckpointResult;
  /** Begins the new pin. False: SQLite was busy. It is tried again when the barrier ends. */
  pin(): boolean;
}

export type BarrierOutcome<T> =
  | { readonly held: true; readonly value: T; readonly heldMs: number }
  /** Somebody else holds the write lock; nothing has changed. */
  | { readonly held: false };

/** A pin of its own, for a snapshot: connections and checkpoints of the link go on beside it. */
export interface ExtraPin {
  /** False: SQLite was busy. */
  begin(): boolean;
  /** Ends the read transaction, keeps the connection. */
  end(): void;
  close(): void;
}

const REPIN_TRIES = 5;
const INDEX_TRIES = 3;

/**
 * All handles of one live database in this process, and their order: the main file's descriptor is opened first and closed
 * last, because closing it drops SQLite's locks (pitfall 14). One connection holds the pin; a second one, the spare, exists
 * only while it is needed (70 KB each). Nothing here waits: where SQLite is busy, the answer says so.
 *
 * Invariant: from `pin()` to `unpin()` or `close()` a read transaction of ours is open at every moment. If it cannot be kept, the
 * call that lost it throws, and so does every later one but `close()`: the owner opens a new link and repairs.
 */
export class DatabaseLink {
  readonly facts: DatabaseFacts;
  readonly observe: boolean;
  readonly #clock: Pick<Clock, "monotonicMs">;
  readonly #connect: Connect;
  readonly #main: HeldDescriptor;
  readonly #wal: WalFile;
  readonly #extras = new Set<Connection>();
  #shm: HeldDescriptor | undefined;
  #pinned: Connection | undefined;
  #spare: Connection | undefined;
  #lost: WalrustError | undefined;
  #atMarkZero = false;
  #keepsLog = false;
  /** What was committed just after the present pin began; its mark is not behind that. */
  #pinBegan: WalIndex | undefined;

  /**
   * Opens the database without pinning it.
   *
   * @throws DATABASE_NOT_FOUND, DATABASE_UNREADABLE, DATABASE_NOT_SQLITE, DATABASE_NOT_WAL, DATABASE_LOCKED, DATABASE_REPLACED,
   * SQLITE_UNSUPPORTED
   */
  static open(path: string, options: LinkOptions): DatabaseLink {
    const { facts, file } = openDatabaseFile(path, options.observe ? "r" : "r+");
    const link = new DatabaseLink(facts, file, options);
    try {
      link.#spareConnection();
      if (!link.samePath()) throw movedAway(facts.paths.database);
      // A connection that has read keeps the database in WAL mode, and so its page size; before it, both may have changed.
      if (pageSizeOf(facts.paths.database, file.fd) !== facts.pageSizeBytes)
        throw rebuilt(facts.paths.database);
      // SQLite has made or found the -shm by now, and keeps it as long as it has a connection.
      if (identityAt(facts.paths.shm) !== undefined) link.#shm = holdDescriptor(facts.paths.shm, "r");
      else if (!link.observe) throw notWal(facts.paths.database, "left WAL mode while it was opened");
      return link;
    } catch (error) {
      link.close();
      throw error;
    }
  }

  private constructor(facts: DatabaseFacts, main: HeldDescriptor, options: LinkOptions) {
    this.facts = facts;
    this.observe = options.observe ?? false;
    this.#main = main;
    this.#wal = new WalFile(facts.paths.wal);
    this.#clock = options.clock;
    this.#connect = options.connect ?? connect;
  }

  get pinned(): boolean {
    return this.#pinned !== undefined;
  }

  /**
   * Everything was backfilled when the pin began: until something is written it hinders neither the application's RESTART nor its TRUNCATE.
   * For deciding what to do next; no proof rests on it, since a checkpointer caught between its last two instructions makes it a mark > 0.
   */
  get atMarkZero(): boolean {
    return this.#atMarkZero;
  }

  /**
   * Proves that nobody can begin the log anew as long as this pin is held: frames were left to backfill when it had begun, so it is at a mark > 0
   * (wal.c, walTryBeginRead and walRestartLog).
   */
  get keepsLog(): boolean {
    return this.#pinned !== undefined && this.#keepsLog;
  }

  /**
   * Proves that not every frame can be backfilled as long as this pin is held: frames were committed since it began. A pin that is begun before it ends is
   * at a mark > 0.
   */
  holdsBackfillBack(index: WalIndex): boolean {
    const began = this.#pinBegan;
    if (this.#pinned === undefined || began === undefined) return false;
    return isSameLog(began, index) && began.frames < index.frames;
  }

  /** Of the -shm, whose locks tell who waits for whom; undefined where we may not read one. */
  get shmIdentity(): FileIdentity | undefined {
    return this.#shm?.identity;
  }

  /** Reads the main file. Only what a pin protects is whole. */
  readonly readMain: ReadAt = (into, offset) => {
    try {
      return readFully(this.#main.fd, into, offset);
    } catch (error) {
      throw fileError(this.facts.paths.database, error);
    }
  };

  /** Reads the log; 0 bytes where there is none. */
  readonly readWal: ReadAt = (into, offset) => this.#wal.read(into, offset);

  /** Brings the log to disk, off this thread: a checkpoint syncs it first, the application's with its writer waiting. Must not run beside `close`. */
  syncWal(): Promise<void> {
    return this.#wal.sync();
  }

  /** The same for the main file, which whoever backfills the last frame of the log syncs: our own checkpoint does so under the write lock. */
  syncMain(): Promise<void> {
    return syncFile(this.facts.paths.database, this.#main.fd);
  }

  /** Bytes of the log file, 0 without one. */
  walSize(): number {
    return this.#wal.size();
  }

  /** What SQLite counts as committed; undefined: it is being changed this moment, or there is no -shm that we may read. */
  index(): WalIndex | undefined {
    if (this.#shm === undefined) return undefined;
    try {
      for (let tries = 0; tries < INDEX_TRIES; tries++) {
        readFully(this.#shm.fd, indexBytes, 0);
        const index = decodeWalIndex(indexBytes);
        if (index) return index;
      }
      return undefined;
    } catch (error) {
      throw fileError(this.facts.paths.shm, error);
    }
  }

  /** Pages of the database in the state that `index` describes. */
  commitPages(index: WalIndex): number {
    if (index.commitPages > 0) return index.commitPages;
    const { paths, pageSizeBytes } = this.facts;
    return mainFilePages(paths.database, this.#main.fd, pageSizeBytes);
  }

  /** Whether the path still names the file that is open here. */
  samePath(): boolean {
    return isSameFile(identityAt(this.facts.paths.database), this.facts.identity);
  }

  /** The first pin. What happened before it is unknown, and for the owner to prove or repair. False: SQLite was busy. */
  pin(): boolean {
    this.#assertUsable();
    if (this.#pinned !== undefined) throw new Error("pinned already");
    return this.#beginNext();
  }

  /**
   * Begins a new pin and then ends the old one. False: SQLite was busy, the old pin is held as before.
   *
   * The owner must have captured the log up to its end at some time since the old pin began: the new one may be at mark 0, and
   * the next writer may then overwrite every frame up to the old one's mark.
   */
  movePin(): boolean {
    this.#requirePin();
    return this.#beginNext();
  }

  /** Lets the log go on purpose. What happens from here on is unknown. */
  unpin(): void {
    const pin = this.#requirePin();
    this.#pinned = undefined;
    this.#atMarkZero = false;
    if (this.#spare === undefined) this.#spare = endOrClose(pin);
    else pin.close();
  }

  passive(): CheckpointResult {
    this.#requirePin();
    return this.#spareConnection().checkpoint("PASSIVE");
  }

  /** Cuts the log to 0 bytes where SQLite can do so without waiting; our own pin does not hinder it at mark 0. */
  truncate(): CheckpointResult {
    this.#requirePin();
    return this.#spareConnection().checkpoint("TRUNCATE");
  }

  /**
   * Runs `body` while the write lock is held: nobody can append to the log, or restart it. Whatever happens in `body`, the lock is released
   * and a pin is held afterwards, or this throws and the link is of no more use.
   */
  tryBarrier<T>(body: (barrier: Barrier) => T): BarrierOutcome<T> {
    const pin = this.#requirePin();
    const lock = this.#spareConnection();
    if (!lock.beginImmediate()) return { held: false };
    const sinceMs = this.#clock.monotonicMs();
    const elapsedMs = () => this.#clock.monotonicMs() - sinceMs;
    let value: T;
    try {
      value = body({
        elapsedMs,
        releasePin: () => pin.end(),
        passive: () => pin.checkpoint("PASSIVE"),
        pin: () => this.#beginPin(pin),
      });
    } catch (error) {
      this.#endBarrier(pin, lock, error);
      throw error;
    }
    this.#endBarrier(pin, lock, undefined);
    return { held: true, value, heldMs: elapsedMs() };
  }

  /** A third connection, for a pin beside the link's own. */
  extraPin(): ExtraPin {
    this.#assertUsable();
    const connection = this.#open();
    this.#extras.add(connection);
    return {
      begin: () => connection.beginRead(),
      end: () => connection.end(),
      close: () => {
        if (this.#extras.delete(connection)) connection.close();
      },
    };
  }

  /** Gives the spare connection's memory back. It comes again when it is needed (0.2 ms). */
  releaseSpare(): void {
    if (this.#pinned === undefined) return; // the only connection: it keeps the -shm that we look at
    this.#spare?.close();
    this.#spare = undefined;
  }

  /**
   * Closes the connections, then the descriptors. Where no other connection to the database exists in any process, SQLite checkpoints
   * the log and deletes it: so the owner captures to the end first, and a commit that slips in between is found by the next resume.
   * Safe to call twice.
   */
  close(): void {
    for (const extra of this.#extras) extra.close();
    this.#extras.clear();
    this.#spare?.close();
    this.#spare = undefined;
    // Last of the connections: until here nothing could be overwritten.
    this.#pinned?.close();
    this.#pinned = undefined;
    this.#lost ??= new WalrustError("INTERNAL", `${this.facts.paths.database}: the link is closed`);
    this.#wal.close();
    this.#shm?.release();
    this.#main.release();
  }

  #endBarrier(pin: Connection, lock: Connection, cause: unknown): void {
    let failure = cause;
    for (let tries = 0; tries < REPIN_TRIES && !pin.inTransaction; tries++) {
      try {
        this.#beginPin(pin);
      } catch (error) {
        failure = error;
      }
    }
    this.#spare = endOrClose(lock);
    if (pin.inTransaction) return;
    this.#lost = pinLost(this.facts.paths.database, failure);
    throw this.#lost;
  }

  /** A new pin on the spare connection; the connection of the old one becomes the spare. */
  #beginNext(): boolean {
    const next = this.#spareConnection();
    if (!this.#beginPin(next)) return false;
    const old = this.#pinned;
    this.#pinned = next;
    this.#spare = old && endOrClose(old);
    return true;
  }

  /** SQLite takes mark 0 if all frames are backfilled, which is known where nothing was committed between the two looks. */
  #beginPin(connection: Connection): boolean {
    const before = this.index();
    if (!connection.beginRead()) return false;
    const after = this.index();
    this.#pinBegan = after;
    const stands = before !== undefined && after !== undefined && isUnchanged(before, after);
    this.#atMarkZero = stands && before.backfilledFrames === before.frames;
    this.#keepsLog = stands && after.backfilledFrames < after.frames;
    return true;
  }

  #spareConnection(): Connection {
    this.#spare ??= this.#open();
    return this.#spare;
  }

  #open(): Connection {
    return this.#connect(this.facts.paths.database, { readOnly: this.observe });
  }

  #requirePin(): Connection {
    this.#assertUsable();
    if (this.#pinned === undefined) throw new Error("no pin is held");
    return this.#pinned;
  }

  #assertUsable(): void {
    if (this.#lost !== undefined) throw this.#lost;
  }
}

/** One for all links: it is read and decoded without an await in between. */
const indexBytes = Buffer.alloc(WAL_INDEX_SIZE);

/** Ends a transaction whatever it takes; a connection that cannot do so is closed, which releases its locks too. */
function endOrClose(connection: Connection): Connection | undefined {
  try {
    connection.end();
    return connection;
  } catch {
    connection.close();
    return undefined;
  }
}

function pinLost(path: string, cause: unknown): WalrustError {
  return new WalrustError("DATABASE_UNREADABLE", `${path}: the pin was lost during a handover`, {
    cause,
    hint: "walrust opens the database again and repairs its copy.",
  });
}

function movedAway(path: string): WalrustError {
  if (identityAt(path) === undefined) return databaseNotFound(path);
  return new WalrustError("DATABASE_REPLACED", `${path}: was replaced by another file while it was opened`, {
    hint: "It is opened again by itself.",
  });
}

function rebuilt(path: string): WalrustError {
  return new WalrustError("DATABASE_REPLACED", `${path}: its page size was changed while it was opened`, {
    hint: "It is opened again by itself.",
  });
}
