import type { Clock } from "../clock.ts";
import { WalrustError } from "../errors.ts";
import type { Txid } from "../ltx/format.ts";
import { type Cursor, type PublishedState, writeCursor } from "../shadow/cursor.ts";
import { PageTable } from "../shadow/page-table.ts";
import { removeSegments } from "../shadow/segment.ts";
import { type ExactPin, exactPin } from "../sqlite/exact-pin.ts";
import { type Drain, giveWay, type HandoverResult } from "../sqlite/handover.ts";
import type { DatabaseLink } from "../sqlite/link.ts";
import type { GapReason } from "../wal/continuity.ts";
import { decodeWalHeader } from "../wal/header.ts";
import { isSameGeneration, type LogPosition, startOf, WAL_HEADER_SIZE } from "../wal/position.ts";
import type { Capture, CaptureOutcome, Gap } from "./capture.ts";
import { checksumDatabase } from "./encode-whole.ts";
import type { ManifestIndex } from "./manifest-writer.ts";
import { type PublishedFile, Publisher, type PublisherOptions } from "./publisher.ts";
import type { NewestSnapshot, RemoteHead } from "./remote-head.ts";
import type { SnapshotReason } from "./resume.ts";
import type { PinnedDatabase } from "./whole-database.ts";

/** Why the frames between what is published and the database do not count. */
export type RepairReason = GapReason | "pages-missing" | "shadow-full" | "chain-broken";

/** What must be done before increments can be published again. */
export type Duty =
  | { readonly kind: "none" }
  /** The frames between the published state and the log are not known: publish the pages that differ. */
  | { readonly kind: "repair"; readonly reason: RepairReason }
  /** Nothing local proves the remote head: go on if the database has its checksum, else a snapshot. */
  | { readonly kind: "compare"; readonly head: RemoteHead; readonly txid: Txid }
  /** A new chain begins with a snapshot. */
  | {
      readonly kind: "snapshot";
      readonly head: RemoteHead | undefined;
      readonly txid: Txid;
      readonly reason: SnapshotReason;
    };

export interface ReplicaOptions extends PublisherOptions {
  readonly link: DatabaseLink;
  readonly capture: Capture;
  readonly clock: Clock;
  /** Of the cursor: which remote database and which file it speaks of. */
  readonly identity: Omit<Cursor, "published">;
  /** What the cursor on disk says of this file; undefined: nothing. */
  readonly saved: PublishedState | undefined;
  readonly newestSnapshot: NewestSnapshot | undefined;
}

export type DutyOutcome =
  | { readonly kind: "repaired"; readonly reason: RepairReason; readonly file: PublishedFile | undefined }
  | { readonly kind: "adopted" }
  | { readonly kind: "snapshot"; readonly reason: SnapshotReason | "unproved"; readonly file: PublishedFile };

export type HandoverOutcome = Exclude<HandoverResult, { kind: "gap" }> | Gap;

/** A moment at which a snapshot is taken, pinned until it is ended. */
export interface SnapshotPoint {
  readonly database: PinnedDatabase;
  readonly txid: Txid;
  end(): void;
}

/** A writer that never pauses leaves no moment without a lock; each try costs microseconds. */
const PIN_TRIES = { tries: 3, barrierTries: 20 };
const PIN_ROUNDS = 200;
const PIN_PAUSE_MS = 5;

/**
 * One live database and its copy: what is captured, what is published, and the duties that a doubt leaves. Its owner calls one method at a time,
 * but for `publishSnapshot`, which may run beside the others.
 */
export class Replica {
  readonly capture: Capture;
  readonly link: DatabaseLink;
  readonly #options: ReplicaOptions;
  /** When and at which TXID the newest snapshot in storage was taken, as of the opening. */
  readonly newestSnapshot: NewestSnapshot | undefined;
  #publisher: Publisher | undefined;
  #duty: Duty;
  #saved: PublishedState | undefined;

  constructor(options: ReplicaOptions, duty: Duty, publisher: Publisher | undefined) {
    this.#options = options;
    this.capture = options.capture;
    this.link = options.link;
    this.newestSnapshot = options.newestSnapshot;
    this.#duty = duty;
    this.#publisher = publisher;
    this.#saved = options.saved;
  }

  get duty(): Duty {
    return this.#duty;
  }

  /** What storage has; undefined before the first snapshot. */
  get published(): PublishedState | undefined {
    return this.#publisher?.published;
  }

  get manifest(): ManifestIndex {
    return this.#options.manifest;
  }

  /** Names what was published in the remote manifest. Errors: those of storage. */
  async writeManifest(options: { readonly signal?: AbortSignal } = {}): Promise<void> {
    if (this.#publisher !== undefined) await this.manifest.write(this.#publisher.published, options);
  }

  /** Whether storage answers, and still lets us write. Errors: see WriterLease.check. */
  checkStorage(options: { readonly signal?: AbortSignal } = {}): Promise<void> {
    return this.#options.writer.check(options);
  }

  /** The cursor on disk is older than what storage has, or names another place in the log. */
  get cursorIsStale(): boolean {
    const { published } = this;
    return published !== undefined && !(this.#saved && isSamePlace(this.#saved, published));
  }

  /** Publishes the next file of captured frames, if there is one. Errors: see Publisher.publishPending. */
  async publish(options: { readonly signal?: AbortSignal } = {}): Promise<PublishedFile | undefined> {
    return this.#publisher?.publishPending(this.capture.pending, options);
  }

  /**
   * Does what `duty` says, under a pin that is let go again when it fails: while storage does not answer, the application's checkpoints are free.
   * Errors: those of storage, LOCAL_*, DATABASE_*; the duty then stays.
   */
  async doDuty(options: { readonly signal?: AbortSignal } = {}): Promise<DutyOutcome> {
    const duty = this.#duty;
    if (duty.kind === "none") throw new Error("there is no duty to do");
    // What is published now has all of it, and a segment that outlived it would be taken for its continuation after a crash, or a loss of power.
    this.capture.pending.drop();
    await removeSegments(this.#options.folder.segments);
    try {
      await this.#pinFirst(options.signal);
      const pin = await this.#pinExactly(options.signal);
      try {
        const outcome = await this.#doUnderPin(duty, this.#pinned(pin), options);
        this.#duty = { kind: "none" };
        return outcome;
      } finally {
        pin.end();
      }
    } catch (error) {
      this.#letGo();
      throw error;
    }
  }

  /**
   * Moves the pin so that the log can begin anew (capture.md, "The handover"). Everything that storage lacks is durable in the shadow WAL before.
   * @param begin one of the ways of sqlite/handover.ts. Errors: LOCAL_*, DATABASE_*.
   */
  handover(begin: (link: DatabaseLink, drain: Drain) => HandoverResult): HandoverOutcome {
    const { result, gap } = this.#draining((drain) => begin(this.link, drain));
    if (gap !== undefined) return gap;
    if (result.kind !== "gap") return result;
    return { kind: "gap", reason: result.reason === "astray" ? "log-rewritten" : "log-unreadable" };
  }

  /** One step out of the way of the application's own checkpoint; see giveWay() of sqlite/handover.ts. Errors: LOCAL_*, DATABASE_*. */
  giveWay(): ReturnType<typeof giveWay> | Gap {
    const { result, gap } = this.#draining((drain) => giveWay(this.link, drain));
    if (result === "ahead") this.capture.pinnedAhead();
    return gap ?? result;
  }

  /**
   * Lets the log go for a moment, so that the application can begin it anew, where a pin that only reads cannot be at mark 0. What is captured is
   * durable before; what happens meanwhile is proved by what is left in the log, or is a gap. Errors: LOCAL_*, DATABASE_*.
   */
  async letGoFor(ms: number): Promise<CaptureOutcome> {
    const drained = this.capture.drain();
    if (drained.kind === "gap") return drained;
    this.#letGo();
    await this.#options.clock.sleep(ms);
    const looked = await this.capture.capture();
    if (looked.kind === "gap") return looked;
    await this.#pin(undefined);
    const outcome = this.capture.drain();
    if (outcome.kind === "captured") this.capture.pinned();
    return outcome;
  }

  #draining<T>(move: (drain: Drain) => T): { readonly result: T; readonly gap: Gap | undefined } {
    let gap: Gap | undefined;
    const result = move(() => {
      const outcome = this.capture.drain();
      if (outcome.kind === "gap") gap ??= outcome;
      else this.capture.pinned();
      return this.capture.state.log;
    });
    return { result, gap };
  }

  /**
   * Moves a pin at mark 0 to the end of a log that grows. At mark 0 the log cannot be backfilled, and yet each commit of an application with
   * an autocheckpoint would sort the whole log in the attempt (walCheckpoint: mxSafeFrame is the end). No drain is needed: what was in the log when
   * the pin began is secured, and what came since cannot have been backfilled. Where nothing came, the new pin is at mark 0 as well.
   */
  leaveMarkZero(): void {
    if (!this.link.atMarkZero || !this.link.movePin() || this.link.atMarkZero) return;
    this.capture.captureNow(); // the log may have begun anew under the old pin, where all was secured
    this.capture.pinnedAhead();
  }

  /** Moves a pin that holds the backfill back to the end of the log, without a drain: the new one is at a mark > 0. False: it stays where it is. */
  movePinAhead(): boolean {
    const index = this.link.index();
    if (index === undefined || !this.link.holdsBackfillBack(index) || !this.link.movePin()) return false;
    this.capture.pinnedAhead();
    return true;
  }

  /** Pins the database at a commit that no publication reaches over. Errors: DATABASE_*. */
  async pinForSnapshot(options: { readonly signal?: AbortSignal } = {}): Promise<SnapshotPoint> {
    const pin = await this.#pinExactly(options.signal);
    this.capture.pending.cut();
    return { database: this.#pinned(pin), txid: this.capture.state.txid, end: () => pin.end() };
  }

  /**
   * Publishes the snapshot of a point that increments have reached; may run beside everything else.
   * Errors: those of storage; INTEGRITY_CHAIN when the chain does not lead to what the database is.
   */
  publishSnapshot(
    point: SnapshotPoint,
    options: { readonly signal?: AbortSignal } = {},
  ): Promise<PublishedFile> {
    const chain = this.#chain();
    if (chain.published.txid !== point.txid)
      throw new Error("increments have not reached the point of the snapshot");
    return chain.publishSnapshot(point.database, chain.published, options);
  }

  async saveCursor(): Promise<void> {
    if (this.#publisher === undefined || !this.cursorIsStale) return;
    const { published, table } = this.#publisher;
    await table.sync();
    await writeCursor(this.#options.folder.cursor, { ...this.#options.identity, published });
    this.#saved = published;
  }

  /** Ends connections and descriptors. What is pending must be secured before, since the last close deletes the log. */
  close(): void {
    this.capture.pending.close();
    this.link.close();
    this.#publisher?.table.close();
  }

  async #doUnderPin(
    duty: Exclude<Duty, { kind: "none" }>,
    database: PinnedDatabase,
    options: { readonly signal?: AbortSignal },
  ): Promise<DutyOutcome> {
    if (duty.kind === "snapshot") return this.#publishFirst(database, duty, duty.reason, options);
    if (duty.kind === "compare") return this.#compare(database, duty, options);
    const publisher = this.#chain();
    const { txid } = publisher.published;
    this.#restartAt(database, txid + 1n);
    const file = await publisher.publishRepair(database, options);
    if (file === undefined) this.capture.renumber(txid);
    return { kind: "repaired", reason: duty.reason, file };
  }

  async #compare(
    database: PinnedDatabase,
    duty: Extract<Duty, { kind: "compare" }>,
    options: { readonly signal?: AbortSignal },
  ): Promise<DutyOutcome> {
    const { cores, folder, limit } = this.#options;
    const { state: head } = duty.head;
    const table = PageTable.create(folder.pageTable, database.pageSizeBytes);
    const checksum = await limit(database.commitPages * database.pageSizeBytes, async () => {
      const { core, release } = await cores.acquire(options);
      return checksumDatabase({ core, database, table, ...options }).finally(release);
    });
    if (checksum !== head.postApply || database.commitPages !== head.commitPages) {
      table.close();
      return this.#publishFirst(database, duty, "unproved", options);
    }
    this.#restartAt(database, head.txid);
    this.#publisher = new Publisher(this.#options, table, { ...head, log: database.position });
    return { kind: "adopted" };
  }

  async #publishFirst(
    database: PinnedDatabase,
    { txid, head }: Pick<Extract<Duty, { kind: "snapshot" }>, "txid" | "head">,
    reason: SnapshotReason | "unproved",
    options: { readonly signal?: AbortSignal },
  ): Promise<DutyOutcome> {
    const { folder } = this.#options;
    this.#publisher?.table.close();
    this.#publisher = undefined;
    const table = PageTable.create(folder.pageTable, database.pageSizeBytes);
    this.#restartAt(database, txid);
    try {
      const at = { txid, head, ...options };
      const { publisher, file } = await Publisher.publishFirst(this.#options, table, database, at);
      this.#publisher = publisher;
      return { kind: "snapshot", reason, file };
    } catch (error) {
      table.close();
      throw error;
    }
  }

  #chain(): Publisher {
    if (this.#publisher === undefined) throw new Error("there is no chain before its first snapshot");
    return this.#publisher;
  }

  /** Everything up to the pin is part of what is about to be published. */
  #restartAt(database: PinnedDatabase, txid: Txid): void {
    this.capture.restartAt({ txid, commitPages: database.commitPages, log: this.capture.state.log });
  }

  /** A pin before anything is known: what a duty publishes is read at its own pin, and capture begins there. */
  async #pinFirst(signal: AbortSignal | undefined): Promise<void> {
    await this.#pin(signal);
    this.capture.pinned();
    this.capture.restartAt({ txid: 0n, commitPages: 0, log: this.#startOfLog() });
  }

  async #pin(signal: AbortSignal | undefined): Promise<void> {
    for (let tries = 0; !this.link.pinned && !this.link.pin(); tries += 1) {
      if (tries === PIN_ROUNDS) throw this.#cannotPin();
      await this.#options.clock.sleep(PIN_PAUSE_MS, signal === undefined ? {} : { signal });
    }
  }

  #letGo(): void {
    this.capture.unpinned();
    if (this.link.pinned) this.link.unpin();
  }

  /** Captures without copying: what a snapshot or a repair contains need not be in the shadow WAL. */
  async #pinExactly(signal: AbortSignal | undefined): Promise<ExactPin> {
    for (let round = 0; round < PIN_ROUNDS; round += 1) {
      this.#assertCaptured(await this.capture.capture());
      const result = exactPin(this.link, () => this.#captureNow(), PIN_TRIES);
      if (result.kind === "pinned") return result.pin;
      await this.#options.clock.sleep(PIN_PAUSE_MS, signal === undefined ? {} : { signal });
    }
    throw this.#cannotPin();
  }

  /** Errors: DATABASE_REPLACED: whoever owns this opens the database again, and finds out what is to be done. */
  #assertCaptured(outcome: CaptureOutcome): void {
    if (outcome.kind === "captured") return;
    const { database } = this.link.facts.paths;
    throw new WalrustError("DATABASE_REPLACED", `${database}: changed behind our back (${outcome.reason})`, {
      hint: "walrust opens it again and repairs its copy.",
    });
  }

  #cannotPin(): WalrustError {
    return new WalrustError(
      "DATABASE_LOCKED",
      `${this.link.facts.paths.database}: SQLite stayed busy, no read transaction could begin`,
      {
        hint: "walrust tries again by itself.",
      },
    );
  }

  #captureNow(): LogPosition | undefined {
    this.capture.captureNow();
    return this.capture.state.log;
  }

  #pinned(pin: ExactPin): PinnedDatabase {
    const { link } = this.#options;
    return {
      link,
      pageSizeBytes: link.facts.pageSizeBytes,
      commitPages: pin.commitPages,
      position: pin.position,
    };
  }

  /** Where a capture that knows nothing begins: nothing before it will be published as frames. */
  #startOfLog(): LogPosition | undefined {
    const bytes = new Uint8Array(WAL_HEADER_SIZE);
    const header = this.link.readWal(bytes, 0) === WAL_HEADER_SIZE ? decodeWalHeader(bytes) : undefined;
    return header && startOf(header);
  }
}

function isSamePlace(a: PublishedState, b: PublishedState): boolean {
  if (a.txid !== b.txid) return false;
  if (a.log === undefined || b.log === undefined) return a.log === b.log;
  return isSameGeneration(a.log, b.log) && a.log.offset === b.log.offset;
}
