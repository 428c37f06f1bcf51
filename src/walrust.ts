import type { Clock } from "./clock.ts";
import type { Environment } from "./config/environment.ts";
import type { DatabaseSettings, Settings } from "./config/settings.ts";
import type { TaskResult } from "./daemon/active-task.ts";
import type { ConfigSource } from "./daemon/config-follower.ts";
import type { SnapshotTaken } from "./daemon/snapshot-now.ts";
import type { EventSink } from "./events.ts";
import type { Follower, FollowOptions } from "./follow/follower.ts";
import type { Log } from "./observability/log.ts";
import { RequestCounts } from "./observability/request-counts.ts";
import type { ManifestState } from "./restore/catalog.ts";
import type { VerifiedAndFixed } from "./restore/fix-manifest.ts";
import type { ListedDatabase, RestorePoints } from "./restore/list.ts";
import type { RestorePlan, RestoreTarget } from "./restore/plan.ts";
import type { RestoreOptions, RestoreResult } from "./restore/restore.ts";
import type { VerifyOptions, VerifyReport } from "./restore/verify.ts";
import type { CompactOptions, CompactReport } from "./retention/compact.ts";
import type { StorageDependencies } from "./storage/dependencies.ts";
import { UnencryptedStorage } from "./storage/encrypted/unencrypted-storage.ts";
import { openStorage } from "./storage/open.ts";
import type { CallOptions, Storage } from "./storage/storage.ts";
import { CorePool } from "./wasm/core-pool.ts";

export interface WalrustDependencies {
  readonly clock: Clock;
  readonly env: Environment;
  readonly log: Log;
  /** See StorageDependencies. */
  readonly mayBlock?: boolean;
  /** See StorageDependencies. */
  readonly compileForSize?: StorageDependencies["compileForSize"];
}

export interface JobOptions {
  /** Ends the job once everything is published. */
  readonly stop: AbortSignal;
  readonly events: EventSink;
}

export interface WatchOptions extends JobOptions {
  /** Of walrust, for whoever asks the daemon. */
  readonly version: string;
  /** Where the settings of a watch come from while it runs. */
  readonly config?: ConfigSource;
}

export interface PlannedRestore {
  readonly plan: RestorePlan;
  readonly manifest: ManifestState;
}

/** The composition root: settings -> storage, and what can be done with it. Asks the storage nothing yet. Errors: CONFIG_INVALID. */
export async function openWalrust(
  settings: Pick<Settings, "storage"> & Partial<Pick<Settings, "metrics">>,
  dependencies: WalrustDependencies,
): Promise<OpenedWalrust> {
  const { clock, env, log, mayBlock, compileForSize } = dependencies;
  const requests = settings.metrics && new RequestCounts();
  const shared = { clock, env, logger: log, mayBlock, compileForSize, onRequest: requests?.note };
  const storage = await openStorage(settings.storage, shared);
  const isEncrypted = settings.storage.encryption !== undefined;
  return new OpenedWalrust(isEncrypted ? storage : new UnencryptedStorage(storage), dependencies, requests);
}

/** Each job's modules are loaded when it is first asked for: `watch` never holds those of `restore`. */
export class OpenedWalrust {
  readonly #storage: Storage;
  readonly #dependencies: WalrustDependencies;
  readonly #requests: RequestCounts | undefined;
  readonly #cores = new CorePool();

  /** @param requests made to the storage, if somebody counts them */
  constructor(storage: Storage, dependencies: WalrustDependencies, requests?: RequestCounts) {
    this.#storage = storage;
    this.#dependencies = dependencies;
    this.#requests = requests;
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
  async plan(name: string, target: RestoreTarget, options: CallOptions = {}): Promise<PlannedRestore> {
    const { prepareRestore } = await import("./restore/prepare.ts");
    const { plan, catalog } = await prepareRestore(this.#storage, name, target, options);
    return { plan, manifest: catalog.manifestState };
  }

  /** Watches the databases of the settings until `stop`; resolves with how each ended. See runDaemon() of daemon/daemon.ts. */
  async watch(settings: Settings, options: WatchOptions): Promise<readonly TaskResult[]> {
    const [{ runDaemon }, { expandGlobs }, { startMonitoring }] = await Promise.all([
      import("./daemon/daemon.ts"),
      import("./config/databases.ts"),
      import("./observability/monitoring.ts"),
    ]);
    await assertDriverLoads();
    const { stop, version, config } = options;
    const { clock, log } = this.#dependencies;
    const requests = this.#requests;
    const asked = { clock, log, version, requests, storage: this.url, events: options.events };
    const { events, onStarted, reload, close } = await startMonitoring(settings, asked);
    const shared = { storage: this.#storage, clock, log, events, stop, version, onStarted };
    try {
      const heard = config && { config: alsoTaken(config, reload) };
      return await runDaemon({ settings, matches: expandGlobs, ...shared, ...heard });
    } finally {
      await close();
    }
  }

  /** One full snapshot now, beside a running watch too. See snapshotNow() of daemon/snapshot-now.ts. */
  async snapshot(
    settings: Settings,
    database: DatabaseSettings,
    { stop, events }: JobOptions,
  ): Promise<SnapshotTaken> {
    const [{ taskDependencies }, { snapshotNow }] = await Promise.all([
      import("./daemon/daemon.ts"),
      import("./daemon/snapshot-now.ts"),
    ]);
    await assertDriverLoads();
    const { clock, log } = this.#dependencies;
    await this.#storage.check({ signal: stop });
    const options = { settings, storage: this.#storage, clock, log, events, abort: stop };
    return snapshotNow(database, await taskDependencies(options));
  }

  /** Holds `path` as a replica of a database for as long as `use` runs. See Follower of follow/follower.ts. */
  async replicate<T>(
    name: string,
    path: string,
    { events, ...options }: Omit<FollowOptions, "name" | "path"> & { readonly events: EventSink },
    use: (follower: Follower) => Promise<T>,
  ): Promise<T> {
    const { Follower } = await import("./follow/follower.ts");
    await assertDriverLoads();
    const { clock, log } = this.#dependencies;
    const shared = { storage: this.#storage, cores: this.#cores, clock, log, events };
    const follower = new Follower(shared, { ...options, name, path });
    try {
      return await use(follower);
    } finally {
      follower.close();
    }
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

  /** The same, and then the manifest is rewritten from the objects. See verifyAndFix() of restore/fix-manifest.ts. */
  async verifyAndFix(name: string, options: VerifyOptions = {}): Promise<VerifiedAndFixed> {
    const { verifyAndFix } = await import("./restore/fix-manifest.ts");
    const { clock } = this.#dependencies;
    return verifyAndFix({ storage: this.#storage, cores: this.#cores, clock }, name, options);
  }

  /** See verify() of restore/verify.ts. */
  async verify(name: string, options: VerifyOptions = {}): Promise<VerifyReport> {
    const { verify } = await import("./restore/verify.ts");
    return verify({ storage: this.#storage, cores: this.#cores }, name, options);
  }

  /** See compact() of retention/compact.ts. */
  async compact(name: string, options: CompactOptions): Promise<CompactReport> {
    const { compact } = await import("./retention/compact.ts");
    const { clock } = this.#dependencies;
    return compact({ storage: this.#storage, cores: this.#cores, clock }, name, options);
  }

  /** Ends the storage's connections. No call may follow. */
  close(): Promise<void> {
    return this.#storage.close();
  }
}

/** Settings that are read again are told to somebody else too. */
function alsoTaken(config: ConfigSource, hear: (settings: Settings) => void): ConfigSource {
  const take = (next: Settings) => {
    const settings = config.take(next);
    hear(settings);
    return settings;
  };
  return { ...config, take };
}

async function assertDriverLoads(): Promise<void> {
  const native = await import("./sqlite/native.ts");
  native.assertDriverLoads();
}
