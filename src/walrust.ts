import type { Clock } from "./clock.ts";
import type { Environment } from "./config/environment.ts";
import type { Settings } from "./config/settings.ts";
import type { Log } from "./observability/log.ts";
import type { RestorePlan, RestoreTarget } from "./restore/plan.ts";
import type { RestoreOptions, RestoreResult } from "./restore/restore.ts";
import { openStorage } from "./storage/open.ts";
import type { CallOptions, Storage } from "./storage/storage.ts";
import { CorePool } from "./wasm/core-pool.ts";

export interface WalrustDependencies {
  readonly clock: Clock;
  readonly env: Environment;
  readonly log: Log;
}

/** The composition root: settings -> storage, and what can be done with it. Asks the storage nothing yet. Errors: CONFIG_INVALID. */
export async function openWalrust(
  settings: Pick<Settings, "storage">,
  dependencies: WalrustDependencies,
): Promise<OpenedWalrust> {
  const { clock, env, log } = dependencies;
  return new OpenedWalrust(await openStorage(settings.storage, { clock, env, logger: log }));
}

/** Each job's modules are loaded when it is first asked for: `watch` never holds those of `restore`. */
export class OpenedWalrust {
  readonly #storage: Storage;
  readonly #cores = new CorePool();

  constructor(storage: Storage) {
    this.#storage = storage;
  }

  /** The storage's address without secrets, for messages. */
  get url(): string {
    return this.#storage.url;
  }

  /** See restore() of restore/restore.ts. */
  async restore(name: string, path: string, options: RestoreOptions = {}): Promise<RestoreResult> {
    const { restore } = await import("./restore/restore.ts");
    return restore({ storage: this.#storage, cores: this.#cores }, name, path, options);
  }

  /** What a restore would do. Errors: those of a restore that come before anything is read. */
  async plan(name: string, target: RestoreTarget, options: CallOptions = {}): Promise<RestorePlan> {
    const { prepareRestore } = await import("./restore/prepare.ts");
    return (await prepareRestore(this.#storage, name, target, options)).plan;
  }

  /** Ends the storage's connections. No call may follow. */
  close(): Promise<void> {
    return this.#storage.close();
  }
}
