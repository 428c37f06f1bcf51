import { existsSync } from "node:fs";
import type { Clock } from "../clock.ts";
import type { DaemonSettings, DatabaseSettings } from "../config/settings.ts";
import { toWalrustError, WalrustError } from "../errors.ts";
import type { DatabaseEvent, EventSink, SnapshotTrigger } from "../events.ts";
import type { DatabaseStatus } from "../observability/database-status.ts";
import type { Log } from "../observability/log.ts";
import { type OpenReplicaOptions, openReplica } from "../replication/open-replica.ts";
import type { PublishedFile, WorkLimit } from "../replication/publisher.ts";
import type { RepairReason, Replica } from "../replication/replica.ts";
import { takeWriterLease, type WriterIdentity, type WriterLease } from "../replication/writer-lease.ts";
import { DatabaseLock } from "../shadow/lock.ts";
import { createShadowFolder, type ShadowFolder, shadowFolder } from "../shadow/shadow-folder.ts";
import type { CheckpointerWatch } from "../sqlite/checkpointer-watch.ts";
import { inspectDatabase, mayWrite } from "../sqlite/inspect.ts";
import type { DatabasePaths } from "../sqlite/paths.ts";
import { isSameSight, isUnchangedByClosing, sightOf } from "../sqlite/sight.ts";
import type { LayoutName } from "../storage/keys.ts";
import type { Storage } from "../storage/storage.ts";
import type { WriterId } from "../storage/writer-record.ts";
import type { Core } from "../wasm/core.ts";
import type { CorePool } from "../wasm/core-pool.ts";
import { Backoff, type BackoffNews } from "./backoff.ts";
import { nameLastFiles } from "./last-files.ts";
import type { Parking } from "./parking.ts";
import type { Rest } from "./rest.ts";
import { snapshotAt } from "./schedule.ts";
import { Serving, type ServingEnd, type ServingOptions } from "./serving.ts";
import { StatusBoard } from "./status-board.ts";
import { Waker } from "./waker.ts";

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
  /** Bounds what is opened at once, over all databases. */
  readonly limitOpening: <T>(work: () => Promise<T>) => Promise<T>;
  readonly self: WriterIdentity;
  readonly newWriterId: () => WriterId;
  /** Names of the databases that this process was the writer of: `--take-over` counts once for each. */
  readonly onceHeld: Set<string>;
  readonly log: Log;
  readonly checkpointers: CheckpointerWatch;
  readonly parking: Parking;
  /** Where other commands of walrust on this machine reach this process. */
  readonly controlSocket: string;
  /** Ends every task after a drain. */
  readonly stop: AbortSignal;
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

/** A quiet database that is not open: what is needed to go on with it. */
interface Parked {
  readonly kind: "parked";
  readonly rest: Rest;
  readonly writer: WriterLease;
  readonly paths: DatabasePaths;
}

type TaskEnd = Exclude<ServingEnd, { kind: "parked" }> | Parked;

/** How the database was left. */
interface Before {
  readonly gap?: RepairReason;
  readonly parked?: Parked;
}

/** A snapshot that somebody waits for. */
export interface SnapshotRequest {
  readonly trigger: SnapshotTrigger;
  readonly done: (taken: Promise<PublishedFile>) => void;
}

/**
 * Everything about one database, in one loop that alone owns its state: opens it, serves it until a gap, a failure or the stop, closes it,
 * and opens it again. Whoever has news for it only calls `wake`.
 */
export class DatabaseTask {
  #database: DatabaseSettings;
  readonly #deps: TaskDependencies;
  readonly #waker: Waker;
  readonly #backoff: Backoff;
  readonly #board: StatusBoard;
  /** For when the database is open. */
  #asked: SnapshotRequest | undefined;
  #isParked = false;
  readonly #stop: AbortController = new AbortController();
  /** Settled when it is first open, or with the first trouble before that. */
  readonly firstOpening: Promise<WalrustError | undefined>;
  #opened: (error: WalrustError | undefined) => void = () => {};
  #serving: Serving | undefined;
  /** With symbolic links resolved, once it was found. */
  #databasePath: string | undefined;
  #lastError: WalrustError | undefined;
  /** Storage refused us, and that was told. */
  #isRefused = false;
  /** Storage is left alone for a while, and that was told. */
  #isCircuitOpen = false;

  /** @param first a snapshot to begin with */
  constructor(database: DatabaseSettings, deps: TaskDependencies, first?: SnapshotRequest) {
    this.#database = database;
    this.#asked = first;
    this.#deps = deps;
    this.#waker = new Waker(deps.clock);
    this.#board = new StatusBoard(() => this.#database, deps.clock);
    this.#backoff = new Backoff(deps.clock, (news) => this.#tellTrouble(news));
    this.firstOpening = new Promise((resolve) => {
      this.#opened = resolve;
    });
  }

  /** As it is watched now. */
  get database(): DatabaseSettings {
    return this.#database;
  }

  /** Other settings, of the same file under the same name, observed or not as before: they hold from the next round on. */
  adjust(database: DatabaseSettings): void {
    this.#database = database;
    this.#waker.wake();
  }

  /** @param database absolute path, symbolic links resolved */
  isOf(database: string): boolean {
    return this.#databasePath === database;
  }

  /** What is known of it at this moment. */
  status(): DatabaseStatus {
    return this.#board.status();
  }

  /** Something may have happened to the database. */
  wake(): void {
    this.#waker.wake();
  }

  /** Ends this task alone, with a drain: the file vanished from its pattern. */
  stop(): void {
    this.#stop.abort();
    this.#waker.wake();
  }

  /** Errors: those of the snapshot; DATABASE_LOCKED while the database is not open. */
  async snapshot(trigger: SnapshotTrigger): Promise<PublishedFile> {
    if (this.#serving === undefined && this.#isParked) {
      return new Promise((resolve, reject) => {
        this.#asked = { trigger, done: (taken) => void taken.then(resolve, reject) };
        this.wake();
      });
    }
    if (this.#serving === undefined) {
      throw new WalrustError("DATABASE_LOCKED", `${this.#database.path} is not open at this moment`, {
        ...(this.#lastError && { cause: this.#lastError }),
        hint: "The log of the running walrust says why; try again.",
      });
    }
    return this.#serving.snapshot(trigger);
  }

  /** Never rejects. */
  async run(): Promise<TaskResult> {
    const { name } = this.#database;
    const { clock, daemon } = this.#deps;
    const stop = AbortSignal.any([this.#deps.stop, this.#stop.signal]);
    stop.addEventListener("abort", () => this.#waker.wake(), { once: true });
    let before: Before = {};
    for (;;) {
      try {
        const end = await this.#serveOnce(stop, before);
        before = {};
        if (end.kind === "stopped")
          return { name, isComplete: end.isComplete, error: end.isComplete ? undefined : this.#lastError };
        if (end.kind === "gap") before = { gap: end.reason };
        if (end.kind === "parked") {
          const woken = await this.#rest(end, stop);
          if (woken === "stopped") return { name, isComplete: true, error: undefined };
          before = { parked: end };
        }
      } catch (error) {
        // what was known of a parked one may be wrong; that there is a gap stays so until it is repaired
        before = before.gap === undefined ? {} : { gap: before.gap };
        const failure = toWalrustError(error);
        this.#asked?.done(Promise.reject(failure));
        this.#asked = undefined;
        if (failure.code === "STORAGE_FENCED") return this.#fenced(failure);
        if (stop.aborted && failure.code === "ABORTED") {
          // that an opening ends with its stop is no trouble
          this.#opened(failure);
          return { name, isComplete: false, error: failure };
        }
        if (stop.aborted || daemon.once) {
          this.#backoff.gaveUp(failure);
          return { name, isComplete: false, error: failure };
        }
        const retryAtMs = this.#backoff.failed(failure);
        await clock.sleep(retryAtMs - clock.monotonicMs(), { signal: stop }).catch(() => {});
      }
    }
  }

  /** For good: two that took a database from one another again and again would leave no copy of use. */
  #fenced(error: WalrustError): TaskResult {
    this.#tell({ type: "fenced", error });
    this.#opened(error);
    return { name: this.#database.name, isComplete: false, error };
  }

  /**
   * Nothing of the database is held open until somebody writes to it, asks for a snapshot, or one is due. Hints come for other reasons too, also
   * from our own closing: the look decides.
   */
  async #rest({ rest, paths }: Parked, stop: AbortSignal): Promise<"woken" | "stopped"> {
    const { parking, clock } = this.#deps;
    const sight = sightOf(paths);
    if (!isUnchangedByClosing(rest.sight, sight)) return "woken";
    this.#tell({ type: "parked", txid: rest.copy.published.txid });
    this.#isParked = true;
    try {
      const hasChanged = () => !isSameSight(sight, sightOf(paths));
      while (!hasChanged()) {
        if (stop.aborted) return "stopped";
        const wakeAtMs =
          snapshotAt(rest.snapshotFacts, this.#database.sync)?.atMs ?? Number.POSITIVE_INFINITY;
        if (this.#asked !== undefined || clock.monotonicMs() >= wakeAtMs) return "woken";
        await parking.rest({ waker: this.#waker, hasChanged }, wakeAtMs);
      }
      return "woken";
    } finally {
      this.#isParked = false;
    }
  }

  async #serveOnce(stop: AbortSignal, before: Before): Promise<TaskEnd> {
    const settled = await this.#deps.parking.begin();
    try {
      return await this.#openAndServe(stop, before, settled);
    } finally {
      settled();
    }
  }

  async #openAndServe(stop: AbortSignal, before: Before, settled: () => void): Promise<TaskEnd> {
    const { daemon, controlSocket, parking } = this.#deps;
    // before anything is made beside it
    const { paths } = inspectDatabase(this.#database.path);
    const { database } = paths;
    this.#databasePath = database;
    const observe = this.#database.sync.observe || !mayWrite(paths);
    const folder = shadowFolder(database, daemon.shadowDir);
    createShadowFolder(folder);
    const lock = DatabaseLock.acquire(folder.lock, database, controlSocket);
    parking.opened();
    try {
      // one that was written to while it was parked is drained at the stop like all others
      const signal = daemon.once || before.parked ? this.#deps.abort : stop;
      const writer = before.parked?.writer ?? (await this.#takeLease(folder, signal, settled));
      const replica = await this.#deps.limitOpening(() =>
        this.#open({ folder, writer, signal, observe }, before),
      );
      try {
        const end = await this.#serve(replica, { stop, settled, rest: before.parked?.rest });
        if (end.kind === "gap" && !existsSync(database)) await nameLastFiles(replica, this.#deps);
        return end.kind === "parked" ? { ...end, writer, paths: replica.link.facts.paths } : end;
      } catch (error) {
        // it may have vanished, for nobody knows how long
        if (toWalrustError(error).exitCode === 3) await nameLastFiles(replica, this.#deps);
        throw error;
      } finally {
        this.#serving = undefined;
        this.#board.left();
        replica.close();
      }
    } finally {
      parking.closed();
      lock.release();
    }
  }

  /** Not within the limit of openings: it may wait for another writer. */
  async #takeLease(folder: ShadowFolder, signal: AbortSignal, onWait: () => void): Promise<WriterLease> {
    const { storage, clock, self, newWriterId, daemon, onceHeld, log } = this.#deps;
    const { name } = this.#database;
    const writer = await takeWriterLease({
      ...{ storage, name, folder, clock, self, newWriterId, signal },
      takeOver: daemon.takeOver && !onceHeld.has(name),
      onTakeOver: ({ host, pid }, waitMs) => {
        onWait();
        log.warn(
          { database: name, host, pid, waitMs },
          `${name}: taking the backup over from process ${pid} on ${host}, which stops as soon as it learns of it`,
        );
      },
    });
    onceHeld.add(name);
    return writer;
  }

  #open(
    opening: Pick<OpenReplicaOptions, "folder" | "writer" | "signal" | "observe">,
    { gap, parked }: Before,
  ): Promise<Replica> {
    const { storage, layout, clock, cores, scanCore, limitWork, self } = this.#deps;
    const { path, name } = this.#database;
    return openReplica({
      ...{ path, name, layout, storage, clock, boot: self.boot, cores, scanCore, limit: limitWork },
      ...opening,
      manifestIntervalMs: () => this.#database.sync.manifestIntervalMs,
      ...(gap !== undefined && { gap }),
      ...(parked !== undefined && { known: parked.rest.copy }),
    });
  }

  async #serve(
    replica: Replica,
    { stop, ...options }: Pick<ServingOptions, "stop" | "rest" | "settled">,
  ): Promise<ServingEnd> {
    const { clock, daemon, abort } = this.#deps;
    const { path } = this.#database;
    const how = replica.duty.kind === "none" ? "continue" : replica.duty.kind;
    // that a parked one goes on is no news
    if (options.rest === undefined || how !== "continue")
      this.#tell({ type: "opened", path, how, txid: replica.published?.txid ?? 0n });
    const serving = new Serving(replica, {
      ...{ clock, stop, abort },
      sync: () => this.#database.sync,
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
    const end = await serving.run();
    if (end.kind === "stopped")
      this.#tell({ type: "closed", txid: replica.published?.txid ?? 0n, unpublished: end.unpublished });
    return end;
  }

  #tell(event: DatabaseEvent): void {
    this.#board.hear(event);
    this.#deps.events({ database: this.#database.name, ...event });
  }

  #tellTrouble(news: BackoffNews): void {
    if (news.kind === "recovered") {
      this.#lastError = undefined;
      this.#isRefused = false;
      this.#isCircuitOpen = false;
      this.#tell({ type: "recovered", afterMs: news.afterMs });
      return;
    }
    const { error, attempts } = news;
    this.#opened(error);
    this.#lastError = error;
    if (error.code === "STORAGE_AUTH" && !this.#isRefused) {
      this.#isRefused = true;
      this.#tell({ type: "auth_failure", error });
    }
    if (error.details["circuitOpen"] === true && !this.#isCircuitOpen) {
      this.#isCircuitOpen = true;
      this.#tell({ type: "circuit_breaker_open", error });
    }
    this.#tell({ type: "sync_failed", error, attempts });
  }
}
