import { randomBytes } from "node:crypto";
import type { Clock } from "../clock.ts";
import type { DatabaseSettings, Settings } from "../config/settings.ts";
import { toWalrustError, WalrustError } from "../errors.ts";
import type { EventSink } from "../events.ts";
import type { Log } from "../observability/log.ts";
import type { Storage } from "../storage/storage.ts";
import { CorePool } from "../wasm/core-pool.ts";
import { type ControlReply, type ControlRequest, ControlServer } from "./control.ts";
import { DatabaseTask, type TaskDependencies, type TaskResult } from "./database-task.ts";
import { openingLimit, workLimit } from "./limits.ts";
import { FolderWatcher } from "./watcher.ts";

export interface DaemonOptions {
  readonly settings: Settings;
  /** The files that the patterns of the settings match now. */
  readonly matches: () => Promise<readonly DatabaseSettings[]>;
  readonly storage: Storage;
  readonly clock: Clock;
  readonly events: EventSink;
  readonly log: Log;
  /** Ends the daemon after a drain. */
  readonly stop: AbortSignal;
  /** Ends it at once. */
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
  options: Omit<DaemonOptions, "matches">,
  controlSocket = "",
): Promise<TaskDependencies> {
  const { settings, storage, clock, events, stop, abort } = options;
  const cores = new CorePool({ maxCores: MAX_CORES });
  const { core: scanCore } = await cores.acquire();
  return {
    ...{ daemon: settings.daemon, storage, clock, events, cores, scanCore, stop, abort, controlSocket },
    limitWork: workLimit(settings.daemon.uploaderConcurrency),
    limitOpening: openingLimit(),
    nodeId: randomBytes(8).readBigUInt64BE() | 1n,
  };
}

class Daemon {
  readonly #options: DaemonOptions;
  readonly #watcher: FolderWatcher;
  readonly #running = new Map<string, Running>();
  readonly #ended: TaskResult[] = [];
  /** Their files vanished from the patterns: how they end is nobody's trouble. */
  readonly #dropped = new WeakSet<DatabaseTask>();

  constructor(options: DaemonOptions) {
    this.#options = options;
    this.#watcher = new FolderWatcher((folder, error) => {
      const { message } = toWalrustError(error);
      options.log.warn(
        { folder, reason: message },
        `${folder} cannot be watched: its changes are found by polling alone`,
      );
    });
  }

  async run(): Promise<readonly TaskResult[]> {
    const { settings, storage, stop } = this.#options;
    await storage.check({ signal: stop });
    const control = settings.daemon.once
      ? undefined
      : await ControlServer.listen((request) => this.#answer(request));
    try {
      const deps = await taskDependencies(this.#options, control?.path ?? "");
      const named = settings.databases.map((database) => this.#start(database, deps));
      await this.#lookUpGlobs(deps);
      await this.#refuseIfAllFailed(named);
      if (settings.globs.length > 0 && !settings.daemon.once) await this.#followGlobs(deps);
      await this.#allEnded();
      return this.#ended;
    } finally {
      for (const { task } of this.#running.values()) task.stop();
      await this.#allEnded();
      await this.#watcher.close();
      await control?.close();
    }
  }

  async #answer({ database }: ControlRequest): Promise<ControlReply> {
    const running = [...this.#running.values()].find(({ task }) => task.isOf(database));
    if (running === undefined)
      throw new WalrustError("DATABASE_NOT_FOUND", `${database} is not watched by this process`);
    const { key, maxTxid, sizeBytes } = await running.task.snapshot("command");
    return { key, txid: maxTxid.toString(), sizeBytes };
  }

  #start(database: DatabaseSettings, deps: TaskDependencies): DatabaseTask {
    const task = new DatabaseTask(database, deps);
    const unwatch = this.#watcher.watch(database.path, () => task.wake());
    const ended = task.run().then(async (result) => {
      (await unwatch)();
      if (!this.#dropped.has(task)) this.#ended.push(result);
      this.#running.delete(database.path);
    });
    this.#running.set(database.path, { task, ended });
    return task;
  }

  async #allEnded(): Promise<void> {
    while (this.#running.size > 0) await Promise.all([...this.#running.values()].map(({ ended }) => ended));
  }

  /** One bad database does not disturb the others; but where none can be opened, somebody has to know at once. */
  async #refuseIfAllFailed(named: readonly DatabaseTask[]): Promise<void> {
    if (named.length === 0 || this.#running.size > named.length) return;
    const failures = await Promise.all(named.map((task) => task.firstOpening));
    const [first] = failures;
    if (first && failures.every((failure) => failure !== undefined)) throw first;
  }

  async #followGlobs(deps: TaskDependencies): Promise<void> {
    const { stop, clock } = this.#options;
    while (!stop.aborted) {
      await clock.sleep(GLOB_INTERVAL_MS, { signal: stop }).catch(() => {});
      if (!stop.aborted) await this.#lookUpGlobs(deps);
    }
  }

  /** Begins with files that appeared, ends with those that vanished. */
  async #lookUpGlobs(deps: TaskDependencies): Promise<void> {
    const { settings, matches, log } = this.#options;
    if (settings.globs.length === 0) return;
    const found = await matches();
    const names = new Map(
      [...this.#running.values()].map(({ task }) => [task.database.name, task.database.path]),
    );
    for (const database of found) {
      if (this.#running.has(database.path)) continue;
      const taken = names.get(database.name);
      if (taken !== undefined) {
        log.error(
          { path: database.path },
          `${database.path} is not backed up: it would share the key prefix ${database.name} with ${taken}`,
        );
        continue;
      }
      names.set(database.name, database.path);
      this.#start(database, deps);
    }
    const paths = new Set([...found, ...settings.databases].map(({ path }) => path));
    for (const [path, { task }] of this.#running) {
      if (paths.has(path)) continue;
      this.#dropped.add(task);
      task.stop();
    }
  }
}

interface Running {
  readonly task: DatabaseTask;
  readonly ended: Promise<void>;
}
