import { randomBytes } from "node:crypto";
import { setMaxListeners } from "node:events";
import { hostname } from "node:os";
import type { Clock } from "../clock.ts";
import type { DatabaseSettings, Settings } from "../config/settings.ts";
import { toWalrustError, WalrustError } from "../errors.ts";
import type { EventSink } from "../events.ts";
import type { DatabaseStatus } from "../observability/database-status.ts";
import type { Log } from "../observability/log.ts";
import { daemonDocument } from "../observability/status-document.ts";
import { bootId } from "../process-identity.ts";
import { CheckpointerWatch } from "../sqlite/checkpointer-watch.ts";
import type { Storage } from "../storage/storage.ts";
import { CorePool } from "../wasm/core-pool.ts";
import type { TaskDependencies, TaskResult } from "./active-task.ts";
import { ConfigFollower, type ConfigSource, type NewSettings } from "./config-follower.ts";
import { ControlServer } from "./control.ts";
import type { ControlReplies } from "./control-protocol.ts";
import { DatabaseTask } from "./database-task.ts";
import { Draining } from "./draining.ts";
import { Garbage } from "./garbage.ts";
import { lastWrittenFirst } from "./last-written.ts";
import { workLimit } from "./limits.ts";
import { Parking } from "./parking.ts";
import { reconcile, type TaskChanges } from "./reconcile.ts";
import { Upkeep } from "./upkeep.ts";
import { Waker } from "./waker.ts";
import { type BusyFiles, FolderWatcher } from "./watcher.ts";

export interface DaemonOptions {
  readonly settings: Settings;
  /** The files that the patterns of these settings match now. */
  readonly matches: (settings: Settings) => Promise<readonly DatabaseSettings[]>;
  /** Undefined: the settings stay as they are until the end. */
  readonly config?: ConfigSource;
  readonly storage: Storage;
  readonly clock: Clock;
  readonly events: EventSink;
  readonly log: Log;
  /** Of the program, for `walrust status`. */
  readonly version: string;
  /** Called once, at the start, with what tells the status of every database that is watched at the time. */
  readonly onStarted?: (statuses: () => readonly DatabaseStatus[]) => void;
  /** Ends the daemon after a drain, which is given half a minute. */
  readonly stop: AbortSignal;
}

export interface TaskOptions
  extends Pick<DaemonOptions, "settings" | "storage" | "clock" | "events" | "log"> {
  /** Ends all work at once. */
  readonly abort: AbortSignal;
}

/** How often patterns are looked up for files that appeared or vanished. */
const GLOB_INTERVAL_MS = 5000;
/** Three for long work, one for scans. */
const MAX_CORES = 4;

/**
 * Watches every database of the settings until it is told to stop. Resolves with how each of them ended.
 * Errors: STORAGE_* when storage cannot be used at the start; what is wrong with the databases when none of those named can be opened.
 */
export async function runDaemon(options: DaemonOptions): Promise<readonly TaskResult[]> {
  const daemon = new Daemon(options);
  return daemon.run();
}

/** What the tasks of one process share. */
export async function taskDependencies(
  options: TaskOptions,
  {
    controlSocket = "",
    watcher = { setBusy: () => {} },
    onMove,
  }: { readonly controlSocket?: string; readonly watcher?: BusyFiles; readonly onMove?: () => void } = {},
): Promise<TaskDependencies> {
  const { settings, storage, clock, events, log, abort } = options;
  if (!storage.conditionalPut) {
    log.warn(
      { storage: storage.url },
      `${storage.url} has no conditional PUT: two machines that begin to write one backup at the same moment are told apart only some seconds later`,
    );
  }
  // Every database may have work under way that ends with it: more listeners than Node takes for a leak.
  setMaxListeners(0, abort);
  const cores = new CorePool({ maxCores: MAX_CORES });
  const { core: scanCore } = await cores.acquire();
  return {
    ...{
      daemon: settings.daemon,
      storage,
      clock,
      events,
      cores,
      scanCore,
      abort,
      controlSocket,
      watcher,
    },
    layout: settings.storage.layout,
    limitWork: workLimit(settings.daemon.uploaderConcurrency),
    self: { host: hostname(), pid: process.pid, boot: bootId() },
    newWriterId: () => randomBytes(8).readBigUInt64BE() | 1n,
    onceHeld: new Set(),
    log,
    checkpointers: new CheckpointerWatch({ clock }),
    parking: new Parking(clock, storage, onMove),
  };
}

class Daemon {
  readonly #options: DaemonOptions;
  readonly #watcher: FolderWatcher;
  readonly #waker: Waker;
  readonly #garbage: Garbage;
  readonly #running = new Map<string, Running>();
  /** How databases ended that the settings and patterns still name, by path. */
  readonly #ended = new Map<string, Ended>();
  /** Paths of databases that somebody was told about. */
  readonly #refused = new Set<string>();
  readonly #follower: ConfigFollower | undefined;
  readonly #draining: Draining;
  #upkeep: Upkeep | undefined;
  #settings: Settings;
  #next: NewSettings | undefined;

  constructor(options: DaemonOptions) {
    this.#options = options;
    this.#settings = options.settings;
    this.#waker = new Waker(options.clock);
    this.#garbage = new Garbage(options.clock);
    this.#draining = new Draining(options.clock, options.log);
    this.#follower = this.#configFollower();
    this.#watcher = new FolderWatcher(options.clock, (folder, error) => {
      const { message } = toWalrustError(error);
      options.log.warn(
        { folder, reason: message },
        `${folder} cannot be watched: its changes are found by polling alone`,
      );
    });
  }

  #configFollower(): ConfigFollower | undefined {
    const { config: source, settings, clock, log } = this.#options;
    if (source === undefined || settings.daemon.once) return undefined;
    const onSettings = (next: NewSettings) => {
      this.#next = next;
      this.#waker.wake();
    };
    return new ConfigFollower({ source, clock, log, onSettings });
  }

  async run(): Promise<readonly TaskResult[]> {
    const { settings, storage, stop } = this.#options;
    await storage.check({ signal: stop });
    const control = settings.daemon.once ? undefined : await this.#listen();
    this.#options.onStarted?.(() => this.#statuses());
    const drain = () => {
      this.#draining.begin(() => this.#running.size);
      this.#stopAll();
    };
    stop.addEventListener("abort", drain, { once: true });
    if (stop.aborted) drain();
    try {
      const shared = await taskDependencies(
        { ...this.#options, abort: this.#draining.halted },
        { controlSocket: control?.path ?? "", watcher: this.#watcher, onMove: this.#garbage.note },
      );
      const deps = this.#beginUpkeep(shared);
      await this.#refuseIfAllFailed(await this.#adjust(deps));
      if (!settings.daemon.once) await this.#follow(deps);
      await this.#allEnded();
      return [...this.#ended.values()].map(({ result }) => result);
    } finally {
      this.#stopAll();
      await this.#allEnded();
      this.#draining.end();
      this.#garbage.close();
      await this.#upkeep?.close();
      await this.#watcher.close();
      await control?.close();
    }
  }

  /** The tasks of what is returned are heard by it. One who syncs once and ends has no time for it. */
  #beginUpkeep(deps: TaskDependencies): TaskDependencies {
    if (deps.daemon.once) return deps;
    const { stop } = this.#options;
    this.#upkeep = new Upkeep({ ...deps, stop, compaction: () => this.#settings.compaction });
    this.#upkeep.start();
    return { ...deps, events: this.#upkeep.tap };
  }

  async #listen(): Promise<ControlServer> {
    const { clock, storage, version, log } = this.#options;
    const identity = { pid: process.pid, version, startedAtMs: clock.now(), storage: storage.url };
    const control = await ControlServer.listen({
      snapshot: ({ database }) => this.#snapshot(database),
      status: () => daemonDocument({ ...identity, databases: this.#statuses() }),
    });
    if (!control.isFindable) {
      log.warn(
        { socket: control.path },
        "`walrust status` cannot find this process: none of the folders for its socket can be used",
      );
    }
    return control;
  }

  #statuses(): readonly DatabaseStatus[] {
    return [...this.#running.values()].map(({ task }) => task.status());
  }

  async #snapshot(database: string): Promise<ControlReplies["snapshot"]> {
    const running = [...this.#running.values()].find(({ task }) => task.isOf(database));
    if (running === undefined)
      throw new WalrustError("DATABASE_NOT_FOUND", `${database} is not watched by this process`);
    const { key, maxTxid, sizeBytes } = await running.task.snapshot("command");
    return { key, txid: maxTxid, sizeBytes };
  }

  /** Begins and ends tasks until exactly what the settings name is watched. Returns the first openings of those that it began. */
  async #adjust(deps: TaskDependencies): Promise<readonly FirstOpening[]> {
    return this.#apply(await this.#changes(), deps);
  }

  async #changes(): Promise<TaskChanges> {
    const { databases, globs } = this.#settings;
    const matched = globs.length === 0 ? [] : await this.#options.matches(this.#settings);
    const wanted = [...databases, ...matched];
    const paths = new Set(wanted.map(({ path }) => path));
    for (const path of this.#ended.keys()) if (!paths.has(path)) this.#ended.delete(path);
    return reconcile({
      running: [...this.#running.values()].map(({ task, isLeaving }) => ({
        database: task.database,
        isLeaving,
      })),
      ended: [...this.#ended.values()].flatMap(({ database, byItself }) => (byItself ? [database] : [])),
      wanted,
    });
  }

  #apply(
    { start, stop, restart, adjust, refused }: TaskChanges,
    deps: TaskDependencies,
  ): readonly FirstOpening[] {
    for (const { path } of stop) this.#leave(path, "dropped");
    for (const { path } of restart) this.#leave(path, "restarted");
    for (const database of adjust) this.#running.get(database.path)?.task.adjust(database);
    if (adjust.length > 0) this.#upkeep?.wake();
    for (const { database, holder } of refused) {
      if (this.#refused.has(database.path)) continue;
      this.#refused.add(database.path);
      this.#options.log.error(
        { path: database.path },
        `${database.path} is not backed up: it would share the key prefix ${database.name} with ${holder}`,
      );
    }
    return lastWrittenFirst(start).map((database) => this.#start(database, deps));
  }

  #leave(path: string, why: "dropped" | "restarted"): void {
    const running = this.#running.get(path);
    if (running === undefined) return;
    this.#running.set(path, { ...running, isLeaving: true, isDropped: why === "dropped" });
    running.task.stop();
  }

  #start(database: DatabaseSettings, deps: TaskDependencies): FirstOpening {
    const { path } = database;
    const task = new DatabaseTask(database, deps, this.#onEnded);
    this.#ended.delete(path);
    this.#refused.delete(path);
    this.#running.set(path, { task, isLeaving: false, isDropped: false });
    void this.#watcher.watch(path, task);
    this.#upkeep?.attend(task);
    if (this.#options.stop.aborted) task.stop();
    return task.begin();
  }

  readonly #onEnded = (task: DatabaseTask, result: TaskResult): void => {
    const { database } = task;
    const { path } = database;
    this.#watcher.unwatch(path);
    this.#upkeep?.leave(task);
    const { isLeaving = false, isDropped = false } = this.#running.get(path) ?? {};
    // how one ends that nobody wants any more is nobody's trouble
    if (!isDropped) this.#ended.set(path, { database, result, byItself: !isLeaving });
    this.#running.delete(path);
    this.#waker.wake();
  };

  #stopAll(): void {
    for (const { task } of this.#running.values()) task.stop();
  }

  async #allEnded(): Promise<void> {
    while (this.#running.size > 0) await this.#waker.sleepUntil(Number.POSITIVE_INFINITY);
  }

  /** One bad database does not disturb the others; but where none can be opened, somebody has to know at once. */
  async #refuseIfAllFailed(started: readonly FirstOpening[]): Promise<void> {
    const { databases } = this.#settings;
    if (databases.length === 0 || started.length > databases.length) return;
    const failures = await Promise.all(started);
    const first = failures.find((failure) => failure !== undefined);
    if (first === undefined || failures.includes(undefined)) return;
    this.#draining.halt(new WalrustError("ABORTED", "no database could be opened", { cause: first }));
    throw first;
  }

  /**
   * Until the stop, or until no database is left and no pattern may bring one: takes up new files and new settings. What appeared or vanished just
   * before the stop is taken up too: the host may be gone before a next start.
   */
  async #follow(deps: TaskDependencies): Promise<void> {
    const { stop, clock } = this.#options;
    stop.addEventListener("abort", () => this.#waker.wake(), { once: true });
    const over = new AbortController();
    const following = this.#followConfig(AbortSignal.any([stop, over.signal]));
    try {
      while (!stop.aborted && (this.#running.size > 0 || this.#settings.globs.length > 0)) {
        const intervalMs = this.#settings.globs.length > 0 ? GLOB_INTERVAL_MS : Number.POSITIVE_INFINITY;
        await this.#waker.sleepUntil(clock.monotonicMs() + intervalMs);
        if (!stop.aborted) await this.#takeNews(deps);
      }
      await this.#adjust(deps);
    } finally {
      over.abort();
      await following;
    }
  }

  async #followConfig(stop: AbortSignal): Promise<void> {
    const follower = this.#follower;
    if (follower === undefined) return;
    await this.#watcher.watch(follower.path, follower);
    await follower.run(stop).finally(() => this.#watcher.unwatch(follower.path));
  }

  /** Files that appeared or vanished, tasks that ended, or new settings. */
  async #takeNews(deps: TaskDependencies): Promise<void> {
    const next = this.#next;
    this.#next = undefined;
    if (next === undefined) {
      await this.#adjust(deps);
      return;
    }
    this.#settings = next.settings;
    const changes = await this.#changes();
    this.#apply(changes, deps);
    this.#tellReloaded(changes, next);
  }

  #tellReloaded({ start, stop, restart, adjust }: TaskChanges, { isAsked }: NewSettings): void {
    const parts = [
      ["begun", start],
      ["ended", stop],
      ["begun anew", restart],
      ["other settings", adjust],
    ] as const;
    const told = parts
      .filter(([, databases]) => databases.length > 0)
      .map(([what, databases]) => `${what}: ${databases.map(({ name }) => name).join(", ")}`);
    if (told.length === 0 && !isAsked) return;
    this.#options.log.info(
      {},
      `configuration read again; ${told.length === 0 ? "no database changes" : told.join("; ")}`,
    );
  }
}

/** How it went; never rejects. */
type FirstOpening = Promise<WalrustError | undefined>;

interface Running {
  readonly task: DatabaseTask;
  /** Was told to end, and drains. */
  readonly isLeaving: boolean;
  /** Because the settings, or the patterns, no longer name it. */
  readonly isDropped: boolean;
}

interface Ended {
  readonly database: DatabaseSettings;
  readonly result: TaskResult;
  /** Nobody told it to: it is not begun again as it was. */
  readonly byItself: boolean;
}
