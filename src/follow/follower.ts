import type { Clock } from "../clock.ts";
import { isWalrustError, toWalrustError, WalrustError } from "../errors.ts";
import type { DatabaseEvent, EventSink } from "../events.ts";
import type { Txid } from "../ltx/format.ts";
import { type RestoreProgress, restore } from "../restore/restore.ts";
import type { RestoreFile } from "../restore/restore-file.ts";
import type { StorageLogger } from "../storage/dependencies.ts";
import type { Storage } from "../storage/storage.ts";
import type { Core } from "../wasm/core.ts";
import type { CorePool } from "../wasm/core-pool.ts";
import { headOf, nextStep } from "./next-step.ts";
import { Replica } from "./replica.ts";
import { anotherHistory, sourceBehind } from "./replica-errors.ts";
import { type ReplicaPaths, replicaPaths } from "./replica-paths.ts";
import type { Applied } from "./replica-state.ts";
import { RestoredDatabase } from "./restored-database.ts";
import { HistoryCheck, listSource } from "./source-files.ts";
import { stageFiles } from "./stage-files.ts";

export interface FollowDependencies {
  readonly storage: Storage;
  readonly cores: CorePool;
  readonly clock: Clock;
  readonly events: EventSink;
  readonly log: Pick<StorageLogger, "warn">;
  /** Uniform in [0, 1). */
  readonly random?: () => number;
}

export interface FollowOptions {
  /** Of the source in its storage. */
  readonly name: string;
  /** The replica's file. */
  readonly path: string;
  /** Between two looks at the source. */
  readonly intervalMs: number;
  /** Ends it in order. */
  readonly stop: AbortSignal;
  readonly onProgress?: (progress: RestoreProgress) => void;
}

export interface ReplicaStatus {
  readonly path: string;
  /** Undefined: there is no copy yet, or it is not proved. */
  readonly txid: Txid | undefined;
  /** The source's newest, when it was last asked. */
  readonly headTxid: Txid | undefined;
  /** When the last commit that the replica has was captured, Unix ms. */
  readonly timestampMs: number | undefined;
  /** The age of that state. */
  readonly lagMs: number | undefined;
  /** What hinders it now. */
  readonly lastError: WalrustError | undefined;
}

/** A merge or a prune may delete what was listed a moment ago: then it is listed again. */
const MAX_LISTS = 3;
const FIRST_PAUSE_MS = 250;

/** Keeps one file a copy of a source: see `walrust replicate`. */
export class Follower {
  readonly #dependencies: FollowDependencies;
  readonly #options: FollowOptions;
  readonly #paths: ReplicaPaths;
  readonly #history: HistoryCheck;
  readonly #replica: Replica;
  #headTxid: Txid | undefined;
  #lastError: WalrustError | undefined;
  /** What is wrong with the file, until it is copied anew. */
  #damage: WalrustError | undefined;
  #isToldUnproven = false;

  /** Takes the file. Errors: DATABASE_IN_USE, OUTPUT_EXISTS, USAGE, LOCAL_*. */
  constructor(dependencies: FollowDependencies, options: FollowOptions) {
    const { storage, clock, random = Math.random } = dependencies;
    const { name, path, stop } = options;
    this.#dependencies = dependencies;
    this.#options = options;
    this.#paths = replicaPaths(path);
    this.#history = new HistoryCheck(storage);
    const source = `${storage.url}/${name}`;
    this.#replica = Replica.open({ paths: this.#paths, source, clock, random, signal: stop });
  }

  get status(): ReplicaStatus {
    const { current } = this.#replica;
    return {
      path: this.#paths.database,
      txid: current?.txid,
      headTxid: this.#headTxid,
      timestampMs: current?.timestampMs,
      lagMs: current && this.#ageOf(current),
      lastError: this.#lastError,
    };
  }

  /** Brings the replica to the source's newest state. Errors: what hinders it; what was wrong with the file, after that is mended. */
  async once(): Promise<void> {
    const damage = await this.#tick();
    if (damage) throw damage;
  }

  /**
   * Follows until `stop`. What goes wrong is told when it begins and when it is over, and does not end it; but before there is a
   * first copy, what only a person can mend is thrown.
   */
  async follow(): Promise<void> {
    const { clock } = this.#dependencies;
    const { stop, intervalMs } = this.#options;
    let [attempts, sinceMs] = [0, 0];
    while (!stop.aborted) {
      const error = await this.#tick().then(() => undefined, toWalrustError);
      if (stop.aborted) return;
      if (error) {
        if (!error.retryable && this.#replica.reachedTxid === 0n) throw error;
        attempts += 1;
        if (attempts === 1) sinceMs = clock.monotonicMs();
        if (this.#lastError?.code !== error.code) this.#tell({ type: "sync_failed", error, attempts });
      } else if (attempts > 0) {
        attempts = 0;
        this.#tell({ type: "recovered", afterMs: clock.monotonicMs() - sinceMs });
      }
      this.#lastError = error;
      const pauseMs = attempts > 0 ? FIRST_PAUSE_MS * 2 ** (attempts - 1) : intervalMs;
      await clock.sleep(Math.min(pauseMs, intervalMs), { signal: stop }).catch(() => {});
    }
  }

  /** Gives the file back. No call may follow. */
  close(): void {
    this.#replica.close();
  }

  /** Returns what was wrong with the file; it is mended by then. */
  async #tick(): Promise<WalrustError | undefined> {
    const { stop } = this.#options;
    const lease = await this.#dependencies.cores.acquire({ signal: stop });
    try {
      const { core } = lease;
      this.#noticeDamage(await this.#look(core));
      for (let lists = 1; !(await this.#goOn(core, lists === MAX_LISTS)); lists++);
      const damage = this.#damage;
      this.#damage = undefined;
      return damage;
    } finally {
      lease.release();
    }
  }

  async #look(core: Core): Promise<WalrustError | undefined> {
    if (this.#replica.current) return this.#replica.look(core);
    return this.#damage ?? this.#replica.prove(core);
  }

  /** Once: until it is mended it is the same damage. */
  #noticeDamage(error: WalrustError | undefined): void {
    if (error === undefined || this.#damage !== undefined) return;
    this.#damage = error;
    this.#tell({ type: "replica_diverged", path: this.#paths.database, error });
  }

  /** One list, and what follows from it. False: what was listed is not there any more, it is worth listing again. */
  async #goOn(core: Core, isLast: boolean): Promise<boolean> {
    const { storage } = this.#dependencies;
    const { name, stop: signal } = this.#options;
    const files = await listSource(storage, name, { signal });
    this.#headTxid = headOf(files);
    if (this.#headTxid < this.#replica.reachedTxid) throw this.#behind(this.#headTxid);
    const { current } = this.#replica;
    if (current && this.#damage === undefined) {
      const other = await this.#history.contradiction(current, files, { signal });
      if (other) this.#noticeDamage(anotherHistory(other.key, current.txid));
    }
    if (current === undefined || this.#damage !== undefined) return this.#copy(core);
    const step = nextStep(current.txid, files);
    switch (step.kind) {
      case "none":
        return true;
      case "apply":
        return this.#apply(current, step.files, core, isLast);
      case "jump":
        // A list is not made at one moment: what leads on may be there, and was asked for too early.
        return isLast ? this.#copy(core) : false;
      default:
        return step satisfies never;
    }
  }

  async #apply(
    current: Applied,
    files: readonly RestoreFile[],
    core: Core,
    isLast: boolean,
  ): Promise<boolean> {
    // SQLite would begin a new database with its lock on an empty file.
    if (current.commitPages === 0) return this.#copy(core);
    try {
      const options = { ...this.#dependencies, core, paths: this.#paths, signal: this.#options.stop };
      const staging = await stageFiles(options, current, files);
      if (staging.kind === "other-history") {
        this.#noticeDamage(staging.error);
        return this.#copy(core);
      }
      const { batch } = staging;
      try {
        this.#noticeDamage(await this.#replica.apply(batch, core));
      } finally {
        batch.discard();
      }
      if (this.#damage) return this.#copy(core);
      this.#history.trust(files);
      this.#sayIfUnproven(batch.unprovenFiles);
      this.#tellApplied("incremental", batch.files);
      return true;
    } catch (error) {
      if (isWalrustError(error, "STORAGE_NOT_FOUND") && !isLast) return false;
      if (!isWalrustError(error) || error.exitCode !== 5) throw error;
      // A newer snapshot may lead past what is damaged; if none does, the copy fails and says why.
      const { name } = this.#options;
      this.#dependencies.log.warn({ database: name }, `${name}: ${error.message}: it is copied anew`);
      return this.#copy(core);
    }
  }

  /** The whole database: the first copy, past a gap, or over what is damaged. */
  async #copy(core: Core): Promise<boolean> {
    const { name, stop: signal, onProgress } = this.#options;
    const progress = onProgress ? { onProgress } : {};
    const result = await restore(this.#dependencies, name, this.#paths.staged, {
      force: true,
      signal,
      ...progress,
    });
    if (result.point.txid < this.#replica.reachedTxid) throw this.#behind(result.point.txid);
    const restored = new RestoredDatabase(result);
    try {
      const how = await this.#replica.replace(restored, core);
      if (how === "new-file") this.#warnOfNewFile();
    } finally {
      restored.discard();
    }
    this.#sayIfUnproven(result.unprovenFiles);
    this.#tellApplied("bootstrap", result.files);
    return true;
  }

  #behind(headTxid: Txid): WalrustError {
    return sourceBehind(this.#options.name, headTxid, this.#replica.reachedTxid, this.#paths);
  }

  #warnOfNewFile(): void {
    const { name } = this.#options;
    const { database } = this.#paths;
    this.#dependencies.log.warn(
      { database: name, path: database },
      `${name}: ${database} is a new file: connections that are open still read the old one`,
    );
  }

  #sayIfUnproven(files: number): void {
    if (files === 0 || this.#isToldUnproven) return;
    this.#isToldUnproven = true;
    const { name } = this.#options;
    this.#dependencies.log.warn(
      { database: name },
      `${name}: files without database checksums: that they belong together is not proved`,
    );
  }

  #tellApplied(how: "bootstrap" | "incremental", files: number): void {
    const { current } = this.#replica;
    if (current === undefined) throw new WalrustError("INTERNAL", "a replica without a state after an apply");
    const path = this.#paths.database;
    this.#tell({
      type: "replica_applied",
      path,
      txid: current.txid,
      how,
      files,
      lagMs: this.#ageOf(current),
    });
  }

  #ageOf({ timestampMs }: { readonly timestampMs: number }): number {
    return Math.max(0, this.#dependencies.clock.now() - timestampMs);
  }

  #tell(event: DatabaseEvent): void {
    this.#dependencies.events({ database: this.#options.name, ...event });
  }
}
