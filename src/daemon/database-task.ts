import type { Clock } from "../clock.ts";
import type { DaemonSettings, DatabaseSettings } from "../config/settings.ts";
import { toWalrustError, WalrustError } from "../errors.ts";
import type { DatabaseEvent, EventSink, SnapshotTrigger } from "../events.ts";
import { openReplica } from "../replication/open-replica.ts";
import type { PublishedFile, WorkLimit } from "../replication/publisher.ts";
import type { RepairReason, Replica } from "../replication/replica.ts";
import { DatabaseLock } from "../shadow/lock.ts";
import { createShadowFolder, type ShadowFolder, shadowFolder } from "../shadow/shadow-folder.ts";
import { inspectDatabase } from "../sqlite/inspect.ts";
import type { Storage } from "../storage/storage.ts";
import type { Core } from "../wasm/core.ts";
import type { CorePool } from "../wasm/core-pool.ts";
import { Backoff, type BackoffNews } from "./backoff.ts";
import { Serving, type ServingEnd } from "./serving.ts";
import { Waker } from "./waker.ts";

export interface TaskDependencies {
  readonly daemon: DaemonSettings;
  readonly storage: Storage;
  readonly clock: Clock;
  readonly events: EventSink;
  readonly cores: CorePool;
  readonly scanCore: Core;
  /** Bounds the work with storage, over all databases. */
  readonly limitWork: WorkLimit;
  /** Bounds what is opened at once, over all databases. */
  readonly limitOpening: <T>(work: () => Promise<T>) => Promise<T>;
  readonly nodeId: bigint;
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
  readonly database: DatabaseSettings;
  readonly #deps: TaskDependencies;
  readonly #waker: Waker;
  readonly #backoff: Backoff;
  readonly #first: SnapshotRequest | undefined;
  readonly #stop: AbortController = new AbortController();
  /** Settled by the end of the first try to open: with what went wrong, if something did. */
  readonly firstOpening: Promise<WalrustError | undefined>;
  #opened: (error: WalrustError | undefined) => void = () => {};
  #serving: Serving | undefined;
  /** With symbolic links resolved, once it was found. */
  #databasePath: string | undefined;
  #lastError: WalrustError | undefined;

  /** @param first a snapshot to begin with */
  constructor(database: DatabaseSettings, deps: TaskDependencies, first?: SnapshotRequest) {
    this.database = database;
    this.#first = first;
    this.#deps = deps;
    this.#waker = new Waker(deps.clock);
    this.#backoff = new Backoff(deps.clock, (news) => this.#tellTrouble(news));
    this.firstOpening = new Promise((resolve) => {
      this.#opened = resolve;
    });
  }

  /** @param database absolute path, symbolic links resolved */
  isOf(database: string): boolean {
    return this.#databasePath === database;
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
    if (this.#serving === undefined) {
      throw new WalrustError("DATABASE_LOCKED", `${this.database.path} is not open at this moment`, {
        ...(this.#lastError && { cause: this.#lastError }),
        hint: "The log of the running walrust says why; try again.",
      });
    }
    return this.#serving.snapshot(trigger);
  }

  /** Never rejects. */
  async run(): Promise<TaskResult> {
    const { name } = this.database;
    const { clock, daemon } = this.#deps;
    const stop = AbortSignal.any([this.#deps.stop, this.#stop.signal]);
    stop.addEventListener("abort", () => this.#waker.wake(), { once: true });
    let gap: RepairReason | undefined;
    for (;;) {
      try {
        const end = await this.#serveOnce(stop, gap);
        if (end.kind === "stopped")
          return { name, isComplete: end.isComplete, error: end.isComplete ? undefined : this.#lastError };
        gap = end.kind === "gap" ? end.reason : undefined;
      } catch (error) {
        const failure = toWalrustError(error);
        const retryAtMs = this.#backoff.failed(failure);
        this.#opened(failure);
        if (stop.aborted || daemon.once) return { name, isComplete: false, error: failure };
        await clock.sleep(retryAtMs - clock.monotonicMs(), { signal: stop }).catch(() => {});
      }
    }
  }

  async #serveOnce(stop: AbortSignal, gap: RepairReason | undefined): Promise<ServingEnd> {
    const { daemon, controlSocket } = this.#deps;
    // before anything is made beside it
    const { database } = inspectDatabase(this.database.path).paths;
    this.#databasePath = database;
    const folder = shadowFolder(database, daemon.shadowDir);
    createShadowFolder(folder);
    const lock = DatabaseLock.acquire(folder.lock, database, controlSocket);
    try {
      const replica = await this.#deps.limitOpening(() => this.#open(folder, stop, gap));
      try {
        return await this.#serve(replica, stop);
      } finally {
        this.#serving = undefined;
        replica.close();
      }
    } finally {
      lock.release();
    }
  }

  #open(folder: ShadowFolder, stop: AbortSignal, gap: RepairReason | undefined): Promise<Replica> {
    const { storage, clock, cores, scanCore, limitWork, nodeId, abort } = this.#deps;
    const { path, name, sync } = this.database;
    return openReplica({
      ...{ path, name, storage, folder, clock, cores, scanCore, nodeId, limit: limitWork },
      manifestIntervalMs: sync.manifestIntervalMs,
      signal: this.#deps.daemon.once ? abort : stop,
      ...(gap !== undefined && { gap }),
    });
  }

  async #serve(replica: Replica, stop: AbortSignal): Promise<ServingEnd> {
    const { clock, daemon, abort } = this.#deps;
    const { path, sync } = this.database;
    this.#tell({
      type: "opened",
      path,
      how: replica.duty.kind === "none" ? "continue" : replica.duty.kind,
      txid: replica.published?.txid ?? 0n,
    });
    const serving = new Serving(replica, {
      ...{ sync, clock, stop, abort },
      ...{
        waker: this.#waker,
        backoff: this.#backoff,
        once: daemon.once,
        shadowMaxSizeBytes: daemon.shadowMaxSizeBytes,
      },
      tell: (event) => this.#tell(event),
    });
    this.#serving = serving;
    this.#first?.done(serving.snapshot(this.#first.trigger));
    this.#opened(undefined);
    const end = await serving.run();
    if (end.kind === "stopped")
      this.#tell({ type: "closed", txid: replica.published?.txid ?? 0n, unpublished: end.unpublished });
    return end;
  }

  #tell(event: DatabaseEvent): void {
    this.#deps.events({ database: this.database.name, ...event });
  }

  #tellTrouble(news: BackoffNews): void {
    if (news.kind === "recovered") {
      this.#lastError = undefined;
      this.#tell({ type: "recovered", afterMs: news.afterMs });
      return;
    }
    const { error, attempts } = news;
    this.#lastError = error;
    if (error.code === "STORAGE_AUTH" && attempts === 1) this.#tell({ type: "auth_failure", error });
    this.#tell({ type: "sync_failed", error, attempts });
  }
}
