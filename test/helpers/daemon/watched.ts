import { hostname } from "node:os";
import { onTestFinished } from "vitest";
import { DEFAULT_RETENTION, DEFAULT_SYNC } from "../../../src/config/defaults.ts";
import type { DaemonSettings, DatabaseSettings, SyncSettings } from "../../../src/config/settings.ts";
import type { TaskDependencies, TaskResult } from "../../../src/daemon/active-task.ts";
import { DatabaseTask } from "../../../src/daemon/database-task.ts";
import { Parking } from "../../../src/daemon/parking.ts";
import { Sha256 } from "../../../src/digest.ts";
import type { WalrustEvent } from "../../../src/events.ts";
import { silentLog } from "../../../src/observability/silent-log.ts";
import type { WriterIdentity } from "../../../src/replication/writer-lease.ts";
import { CheckpointerWatch } from "../../../src/sqlite/checkpointer-watch.ts";
import type { Storage } from "../../../src/storage/storage.ts";
import { CorePool } from "../../../src/wasm/core-pool.ts";
import { settled } from "../manual-clock.ts";
import type { Stage } from "../replication/stage.ts";
import { testCore } from "../sqlite/probe.ts";

export interface WatchedOptions {
  readonly sync?: Partial<SyncSettings>;
  readonly daemon?: Partial<DaemonSettings>;
  readonly storage?: Storage;
  readonly parking?: Parking;
  readonly checkpointers?: CheckpointerWatch;
  readonly self?: WriterIdentity;
  /** Called in the moment in which an event is told. */
  readonly onEvent?: (event: WalrustEvent) => void;
}

let writers = 0;

/** Makes the hasher that all share: that WebAssembly is being instantiated, `settled` could not see. */
await Sha256.begin();

export const DAEMON: DaemonSettings = {
  uploaderConcurrency: 16,
  shadowMaxSizeBytes: 1 << 30,
  once: false,
  takeOver: false,
};

export function databaseSettings(
  path: string,
  name: string,
  sync: Partial<SyncSettings> = {},
): DatabaseSettings {
  return { path, name, sync: { ...DEFAULT_SYNC, ...sync }, retention: DEFAULT_RETENTION };
}

/** A task that watches the database of a stage, on its clock. Stopped when the test is over. */
export class Watched {
  readonly events: WalrustEvent[] = [];
  readonly task: DatabaseTask;
  readonly firstOpening: ReturnType<DatabaseTask["begin"]>;
  readonly result: Promise<TaskResult>;
  readonly #abort = new AbortController();
  readonly #stage: Stage;
  #ended = false;

  constructor(stage: Stage, options: WatchedOptions = {}) {
    this.#stage = stage;
    let ended: (result: TaskResult) => void = () => {};
    this.result = new Promise((resolve) => {
      ended = resolve;
    });
    const deps: TaskDependencies = {
      daemon: { ...DAEMON, ...options.daemon },
      storage: options.storage ?? stage.storage,
      clock: stage.clock,
      layout: stage.layout,
      events: (event) => {
        this.events.push(event);
        options.onEvent?.(event);
      },
      cores: new CorePool({ maxCores: 4 }),
      scanCore: testCore(),
      limitWork: (_sizeBytes, work) => work(),
      self: options.self ?? { host: hostname(), pid: process.pid, boot: "1" },
      newWriterId: () => BigInt(++writers),
      onceHeld: new Set(),
      log: silentLog,
      checkpointers:
        options.checkpointers ?? new CheckpointerWatch({ clock: stage.clock, readLocks: () => undefined }),
      parking: options.parking ?? new Parking(stage.clock, stage.storage),
      watcher: { setBusy: () => {} },
      controlSocket: "",
      abort: this.#abort.signal,
    };
    this.task = new DatabaseTask(databaseSettings(stage.path, "app", options.sync), deps, (_, result) => {
      this.#ended = true;
      ended(result);
    });
    this.firstOpening = this.task.begin();
    onTestFinished(async () => {
      stage.storage.fault = () => undefined;
      this.#abort.abort();
      await this.stop();
    });
  }

  /** Until the first snapshot is stored and the manifest names it. */
  static async begin(stage: Stage, options: WatchedOptions = {}): Promise<Watched> {
    const watched = new Watched(stage, options);
    await stage.clock.advanceUntil(() => stage.storage.keys().includes("app/manifest.json"), 120_000);
    return watched;
  }

  /** Drains, however long the clock has to go for it. */
  async stop(): Promise<TaskResult> {
    this.task.stop();
    await settled();
    for (let round = 0; !this.#ended; round += 1) {
      if (round > 200) throw new Error("the task does not end");
      await this.#stage.clock.advance(1000);
    }
    return this.result;
  }

  of<T extends WalrustEvent["type"]>(type: T): Extract<WalrustEvent, { type: T }>[] {
    return this.events.filter((event): event is Extract<WalrustEvent, { type: T }> => event.type === type);
  }
}
