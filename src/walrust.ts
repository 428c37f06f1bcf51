import type { Clock } from "./clock.ts";
import type { Environment } from "./config/environment.ts";
import type { DatabaseSettings, Settings } from "./config/settings.ts";
import type { TaskResult } from "./daemon/database-task.ts";
import type { SnapshotTaken } from "./daemon/snapshot-now.ts";
import type { EventSink } from "./events.ts";
import type { Log } from "./observability/log.ts";
import type { ListedDatabase, RestorePoints } from "./restore/list.ts";
import type { RestorePlan, RestoreTarget } from "./restore/plan.ts";
import type { RestoreOptions, RestoreResult } from "./restore/restore.ts";
import type { VerifyOptions, VerifyReport } from "./restore/verify.ts";
import { openStorage } from "./storage/open.ts";
import type { CallOptions, Storage } from "./storage/storage.ts";
import { CorePool } from "./wasm/core-pool.ts";

export interface WalrustDependencies {
  readonly clock: Clock;
  readonly env: Environment;
  readonly log: Log;
}

export interface WatchOptions {
  /** Ends the watch once everything is published. */
  readonly stop: AbortSignal;
  readonly events: EventSink;
}

/** The composition root: settings -> storage, and what can be done with it. Asks the storage nothing yet. Errors: CONFIG_INVALID. */
export async function openWalrust(
  settings: Pick<Settings, "storage">,
  dependencies: WalrustDependencies,
): Promise<OpenedWalrust> {
  const { clock, env, log } = dependencies;
  return new OpenedWalrust(await openStorage(settings.storage, { clock, env, logger: log }), dependencies);
}

/** Each job's modules are loaded when it is first asked for: `watch` never holds those of `restore`. */
export class OpenedWalrust {
  readonly #storage: Storage;
  readonly #dependencies: WalrustDependencies;
  readonly #cores = new CorePool();

  constructor(storage: Storage, dependencies: WalrustDependencies) {
    this.#storage = storage;
    this.#dependencies = dependencies;
  }

  /** The storage's address without secrets, for messages. */
  get url(): string {
    return this.#storage.url;
  }

  /** See restore() of restore/restore.ts. */
  async restore(name: string, path: string, options: RestoreOptions = {}): Promise<RestoreResult> {
    const { restore } = await import("./restore/restore.ts");
    if (options.integrityCheck !== "none") await assertDriverLoads();
    return restore({ storage: this.#storage, cores: this.#cores }, name, path, options);
  }

  /** What a restore would do. Errors: those of a restore that come before anything is read. */
  async plan(name: string, target: RestoreTarget, options: CallOptions = {}): Promise<RestorePlan> {
    const { prepareRestore } = await import("./restore/prepare.ts");
    return (await prepareRestore(this.#storage, name, target, options)).plan;
  }

  /** Watches the databases of the settings until `stop`; resolves with how each ended. See runDaemon() of daemon/daemon.ts. */
  async watch(settings: Settings, { stop, events }: WatchOptions): Promise<readonly TaskResult[]> {
    const [{ runDaemon }, { expandGlobs }] = await Promise.all([
      import("./daemon/daemon.ts"),
      import("./config/databases.ts"),
    ]);
    await assertDriverLoads();
    const { clock, log } = this.#dependencies;
    const abort = new AbortController().signal; // whoever wants the end at once ends the process
    const matches = () => expandGlobs(settings);
    return runDaemon({ settings, matches, storage: this.#storage, clock, log, events, stop, abort });
  }

  /** One full snapshot now, beside a running watch too. See snapshotNow() of daemon/snapshot-now.ts. */
  async snapshot(
    settings: Settings,
    database: DatabaseSettings,
    { stop, events }: WatchOptions,
  ): Promise<SnapshotTaken> {
    const [{ taskDependencies }, { snapshotNow }] = await Promise.all([
      import("./daemon/daemon.ts"),
      import("./daemon/snapshot-now.ts"),
    ]);
    await assertDriverLoads();
    const { clock, log } = this.#dependencies;
    await this.#storage.check({ signal: stop });
    const options = { settings, storage: this.#storage, clock, log, events, stop, abort: stop };
    return snapshotNow(database, await taskDependencies(options));
  }

  /** The databases that the storage has. */
  async list(options: CallOptions = {}): Promise<readonly ListedDatabase[]> {
    const { listDatabases } = await import("./restore/list.ts");
    await this.#storage.check(options);
    return listDatabases(this.#storage, options);
  }

  async restorePoints(name: string, options: CallOptions = {}): Promise<RestorePoints> {
    const { listRestorePoints } = await import("./restore/list.ts");
    return listRestorePoints(this.#storage, name, options);
  }

  /** See verify() of restore/verify.ts. */
  async verify(name: string, options: VerifyOptions = {}): Promise<VerifyReport> {
    const { verify } = await import("./restore/verify.ts");
    return verify({ storage: this.#storage, cores: this.#cores }, name, options);
  }

  /** Ends the storage's connections. No call may follow. */
  close(): Promise<void> {
    return this.#storage.close();
  }
}

async function assertDriverLoads(): Promise<void> {
  const native = await import("./sqlite/native.ts");
  native.assertDriverLoads();
}
