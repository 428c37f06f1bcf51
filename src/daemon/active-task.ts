import { existsSync } from "node:fs";
import type { Clock } from "../clock.ts";
import type { DaemonSettings, DatabaseSettings } from "../config/settings.ts";
import { toWalrustError, WalrustError } from "../errors.ts";
import type { DatabaseEvent, EventSink, SnapshotTrigger } from "../events.ts";
import type { DatabaseStatus } from "../observability/database-status.ts";
import type { Log } from "../observability/log.ts";
import { Pace, type PaceLimit } from "../pace.ts";
import { type OpenReplicaOptions, openReplica } from "../replication/open-replica.ts";
import type { PublishedFile, WorkLimit } from "../replication/publisher.ts";
import type { RepairReason, Replica } from "../replication/replica.ts";
import {
  type LeaseOptions,
  type ParkableLease,
  type ParkedLease,
  resumeWriterLease,
  takeWriterLease,
  type WriterIdentity,
} from "../replication/writer-lease.ts";
import { DatabaseLock } from "../shadow/lock.ts";
import { createShadowFolder, type ShadowFolder, shadowFolder } from "../shadow/shadow-folder.ts";
import type { CheckpointerWatch } from "../sqlite/checkpointer-watch.ts";
import { inspectDatabase, mayWrite } from "../sqlite/inspect.ts";
import { isUnchangedByClosing, sightOf } from "../sqlite/sight.ts";
import type { LayoutName } from "../storage/keys.ts";
import type { Storage } from "../storage/storage.ts";
import type { WriterId } from "../storage/writer-record.ts";
import type { Core } from "../wasm/core.ts";
import type { CorePool } from "../wasm/core-pool.ts";
import { Backoff, type BackoffNews } from "./backoff.ts";
import { nameLastFiles } from "./last-files.ts";
import type { Begun, Parking } from "./parking.ts";
import type { Rest } from "./rest.ts";
import { Serving, type ServingEnd, type ServingOptions } from "./serving.ts";
import { type ParkedStatus, StatusBoard } from "./status-board.ts";
import { Trouble } from "./trouble.ts";
import { Waker } from "./waker.ts";
import type { BusyFiles } from "./watcher.ts";

/** In frames: notifications about a database that is written to at such a speed are of no use. */
export const BUSY_WRITER: PaceLimit = { windowMs: 500, busyPerSecond: 5000 };

export interface TaskDependencies {
  readonly daemon: DaemonSettings;
  readonly storage: Storage;
  /** In which copies are written. */
  readonly layout: LayoutName;
  readonly clock: Clock;
  readonly events: EventSink;
  readonly cores: CorePool;
  readonly scanCore: Core;
  /** Bounds the work with storage, over all databases. */
  readonly limitWork: WorkLimit;
  readonly self: WriterIdentity;
  readonly newWriterId: () => WriterId;
  /** Names of the databases that this process was the writer of: `--take-over` counts once for each. */
  readonly onceHeld: Set<string>;
  readonly log: Log;
  readonly checkpointers: CheckpointerWatch;
  readonly parking: Parking;
  readonly watcher: BusyFiles;
  /** Where other commands of walrust on this machine reach this process. */
  readonly controlSocket: string;
  /** Ends everything at once. */
  readonly abort: AbortSignal;
}

/** How a task ended. */
export interface TaskResult {
  readonly name: string;
  /** Storage has everything that was committed until the stop. */
  readonly isComplete: boolean;
  /** The trouble that it ended in, if any. */
  readonly error: WalrustError | undefined;
}

/** What is kept of a database of which nothing is open: enough to go on with it. Few bytes, for there may be many thousands. */
export interface Parked extends ParkedStatus {
  /** Absolute path of the database, symbolic links resolved. */
  readonly path: string;
  readonly rest: Rest;
  readonly lease: ParkedLease;
}

export type TaskEnd =
  | { readonly kind: "ended"; readonly result: TaskResult }
  /** Quiet, and closed. */
  | { readonly kind: "parked"; readonly parked: Parked };

/** How one round of opening and serving ended. */
type RoundEnd =
  | Exclude<ServingEnd, { kind: "parked" }>
  | { readonly kind: "parked"; readonly rest: Rest; readonly lease: ParkedLease };

/** How the database was left. */
interface Before {
  readonly gap?: RepairReason;
  readonly parked?: Pick<Parked, "rest" | "lease">;
}

/** A snapshot that somebody waits for. */
export interface SnapshotRequest {
  readonly trigger: SnapshotTrigger;
  readonly done: (taken: Promise<PublishedFile>) => void;
}

export interface Beginning {
  /** As it is watched now. */
  readonly database: () => DatabaseSettings;
  /** It was parked until now. */
  readonly parked?: Parked | undefined;
  /** For when the database is open. */
  readonly asked?: SnapshotRequest | undefined;
}

/**
 * Everything about one database from its beginning, or from when it was woken, until it is parked or ends; in one loop that alone owns its state:
 * opens it, serves it until a gap, a failure or the stop, closes it, and opens it again. Whoever has news for it only calls `wake`.
 */
export class ActiveTask {
  readonly #database: () => DatabaseSettings;
  readonly #deps: TaskDependencies;
  readonly #waker: Waker;
  readonly #backoff: Backoff;
  readonly #board: StatusBoard;
  readonly #stop = new AbortController();
  readonly #parked: Parked | undefined;
  #asked: SnapshotRequest | undefined;
  /** Settled when it is first open, or with the first trouble before that. */
  readonly firstOpening: Promise<WalrustError | undefined>;
  #opened: (error: WalrustError | undefined) => void = () => {};
  #serving: Serving | undefined;
  #path: string | undefined;
  readonly #trouble = new Trouble((event) => this.#tell(event));

  constructor(deps: TaskDependencies, { database, parked, asked }: Beginning) {
    this.#database = database;
    this.#deps = deps;
    this.#parked = parked;
    this.#path = parked?.path;
    this.#asked = asked;
    this.#waker = new Waker(deps.clock);
    this.#board = new StatusBoard(database, deps.clock, parked);
    this.#backoff = new Backoff(deps.clock, (news) => this.#hear(news));
    this.firstOpening = new Promise((resolve) => {
      this.#opened = resolve;
    });
  }

  /** With symbolic links resolved, once it was found. */
  get path(): string | undefined {
    return this.#path;
  }

  /** What is known of it at this moment. */
  status(): DatabaseStatus {
    return this.#board.status();
  }

  /** Something is to be done about it, or it is to be done otherwise. */
  wake(): void {
    this.#waker.wake();
  }

  /** One of its files may have changed. */
  hint(): void {
    if (this.#serving === undefined) this.#waker.wake();
    else this.#serving.hint();
  }

  /** Ends it with a drain. */
  stop(): void {
    this.#stop.abort();
    this.#waker.wake();
  }

  /** Errors: those of the snapshot; DATABASE_LOCKED while the database is not open. */
  async snapshot(trigger: SnapshotTrigger): Promise<PublishedFile> {
    if (this.#serving === undefined) throw notOpen(this.#database().path, this.#trouble.error);
    return this.#serving.snapshot(trigger);
  }

  /** Never rejects. */
  async run(): Promise<TaskEnd> {
    const { clock, daemon, abort } = this.#deps;
    const stop = this.#stop.signal;
    let before: Before = this.#parked === undefined ? {} : { parked: this.#parked };
    for (;;) {
      try {
        const end = await this.#serveOnce(stop, before);
        before = {};
        if (end.kind === "stopped")
          return this.#ended(end.isComplete, end.isComplete ? undefined : this.#trouble.error);
        if (end.kind === "gap") before = { gap: end.reason };
        if (end.kind === "parked") {
          before = { parked: end };
          const parked = this.#park(end);
          if (parked !== undefined) return { kind: "parked", parked };
        }
      } catch (error) {
        // what was known of a parked one may be wrong; that there is a gap stays so until it is repaired
        before = before.gap === undefined ? {} : { gap: before.gap };
        const failure = toWalrustError(error);
        this.#asked?.done(Promise.reject(failure));
        this.#asked = undefined;
        if (failure.code === "STORAGE_FENCED") {
          // for good: two that took a database from one another again and again would leave no copy of use
          this.#tell({ type: "fenced", error: failure });
          return this.#ended(false, failure);
        }
        // that an opening ends with the process is no trouble
        if (abort.aborted && failure.code === "ABORTED") return this.#ended(false, failure);
        const isLast = (stop.aborted || daemon.once) && !this.#backoff.mayPass(failure);
        if (isLast || abort.aborted) {
          this.#backoff.gaveUp(failure);
          return this.#ended(false, failure);
        }
        const retryAtMs = this.#backoff.failed(failure);
        const signal = stop.aborted ? abort : stop;
        await clock.sleep(retryAtMs - clock.monotonicMs(), { signal }).catch(() => {});
      }
    }
  }

  #ended(isComplete: boolean, error: WalrustError | undefined): TaskEnd {
    this.#opened(error);
    return { kind: "ended", result: { name: this.#database().name, isComplete, error } };
  }

  /** Undefined: somebody wrote to it while it was closed. Errors: DATABASE_UNREADABLE. */
  #park({ rest, lease }: Extract<RoundEnd, { kind: "parked" }>): Parked | undefined {
    const path = this.#path ?? this.#database().path;
    const sight = sightOf(path);
    if (!isUnchangedByClosing(rest.sight, sight)) return undefined;
    this.#tell({ type: "parked", txid: rest.copy.published.txid });
    const { sinceMs, lastPublishedAtMs } = this.#board;
    return { path, rest: { ...rest, sight }, lease, sinceMs, lastPublishedAtMs };
  }

  async #serveOnce(stop: AbortSignal, before: Before): Promise<RoundEnd> {
    const begun = await this.#deps.parking.begin();
    try {
      this.#deps.abort.throwIfAborted();
      return await this.#openAndServe(stop, before, begun);
    } finally {
      begun.settled();
    }
  }

  async #openAndServe(stop: AbortSignal, before: Before, begun: Begun): Promise<RoundEnd> {
    const { daemon, controlSocket, parking } = this.#deps;
    const { path, sync } = this.#database();
    // before anything is made beside it
    const { paths } = inspectDatabase(path);
    const { database } = paths;
    this.#path = database === path ? path : database; // one string, where it is the same
    const observe = sync.observe || !mayWrite(paths);
    const folder = shadowFolder(database, daemon.shadowDir);
    createShadowFolder(folder);
    const lock = await DatabaseLock.acquireIn(folder, database, controlSocket);
    parking.opened();
    try {
      const writer = await this.#lease(folder, before.parked?.lease, () => begun.settled());
      // one that was open has made its first copy
      const wasOpen = before.parked !== undefined || before.gap !== undefined;
      const opening = { folder, writer, observe, ...(!wasOpen && { room: () => begun.connects() }) };
      const replica = await this.#open(opening, before);
      try {
        if (before.parked === undefined) begun.opened(sizeOf(replica));
        else begun.settled(); // it was woken because it is in use
        const end = await this.#serve(replica, { stop, begun, rest: before.parked?.rest });
        if (end.kind === "gap" && !existsSync(database)) await nameLastFiles(replica, this.#deps);
        return end.kind === "parked" ? { ...end, lease: writer.park() } : end;
      } catch (error) {
        // it may have vanished, for nobody knows how long
        if (toWalrustError(error).exitCode === 3) await nameLastFiles(replica, this.#deps);
        throw error;
      } finally {
        this.#board.left();
        replica.close();
      }
    } finally {
      parking.closed();
      lock.release();
    }
  }

  async #lease(
    folder: ShadowFolder,
    parked: ParkedLease | undefined,
    onWait: () => void,
  ): Promise<ParkableLease> {
    const { storage, clock, self, newWriterId, daemon, onceHeld, log, abort: signal } = this.#deps;
    const { name } = this.#database();
    const options: LeaseOptions = {
      ...{ storage, name, folder, clock, self, newWriterId, signal },
      takeOver: daemon.takeOver && !onceHeld.has(name),
      onTakeOver: ({ host, pid }, waitMs) => {
        onWait();
        log.warn(
          { database: name, host, pid, waitMs },
          `${name}: taking the backup over from process ${pid} on ${host}, which stops as soon as it learns of it`,
        );
      },
    };
    if (parked !== undefined) return resumeWriterLease(options, parked);
    const writer = await takeWriterLease(options);
    if (daemon.takeOver) onceHeld.add(name);
    return writer;
  }

  #open(
    opening: Pick<OpenReplicaOptions, "folder" | "writer" | "observe" | "room">,
    { gap, parked }: Before,
  ): Promise<Replica> {
    const { storage, layout, clock, cores, scanCore, limitWork, self, abort: signal } = this.#deps;
    const { path, name } = this.#database();
    return openReplica({
      ...{ path, name, layout, storage, clock, boot: self.boot, cores, scanCore, limit: limitWork },
      signal,
      ...opening,
      manifestIntervalMs: () => this.#database().sync.manifestIntervalMs,
      ...(gap !== undefined && { gap }),
      ...(parked !== undefined && { known: parked.rest.copy }),
    });
  }

  async #serve(
    replica: Replica,
    { stop, ...options }: Pick<ServingOptions, "stop" | "rest" | "begun">,
  ): Promise<ServingEnd> {
    const { clock, daemon, abort } = this.#deps;
    const { path } = this.#database();
    const how = replica.duty.kind === "none" ? "continue" : replica.duty.kind;
    // that a parked one goes on is no news
    if (options.rest === undefined || how !== "continue")
      this.#tell({ type: "opened", path, how, txid: replica.published?.txid ?? 0n });
    const pace = new Pace(clock, BUSY_WRITER, replica.capture.frames, (isBusy) =>
      this.#deps.watcher.setBusy(path, isBusy),
    );
    const serving = new Serving(replica, {
      ...{ clock, stop, abort, pace },
      sync: () => this.#database().sync,
      ...{
        waker: this.#waker,
        backoff: this.#backoff,
        once: daemon.once,
        shadowMaxSizeBytes: daemon.shadowMaxSizeBytes,
        checkpointers: this.#deps.checkpointers,
        parking: this.#deps.parking,
      },
      ...options,
      tell: (event) => this.#tell(event),
    });
    this.#serving = serving;
    this.#board.serves(() => serving.facts());
    this.#asked?.done(serving.snapshot(this.#asked.trigger));
    this.#asked = undefined;
    this.#opened(undefined);
    const end = await serving.run().finally(() => {
      this.#serving = undefined;
      pace.end();
    });
    if (end.kind === "stopped")
      this.#tell({ type: "closed", txid: replica.published?.txid ?? 0n, unpublished: end.unpublished });
    return end;
  }

  #tell(event: DatabaseEvent): void {
    this.#board.hear(event);
    this.#deps.events({ database: this.#database().name, ...event });
  }

  #hear(news: BackoffNews): void {
    if (news.kind === "failed") this.#opened(news.error);
    this.#trouble.hear(news);
  }
}

/** 0: its log is not settled at this moment. */
function sizeOf({ link }: Replica): number {
  const index = link.index();
  return index === undefined ? 0 : link.commitPages(index) * link.facts.pageSizeBytes;
}

export function notOpen(path: string, cause?: WalrustError): WalrustError {
  return new WalrustError("DATABASE_LOCKED", `${path} is not open at this moment`, {
    ...(cause && { cause }),
    hint: "The log of the running walrust says why; try again.",
  });
}
