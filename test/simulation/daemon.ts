import { DEFAULT_RETENTION, DEFAULT_SYNC } from "../../src/config/defaults.ts";
import type { TaskDependencies, TaskResult } from "../../src/daemon/active-task.ts";
import type { DatabaseTask } from "../../src/daemon/database-task.ts";
import type { WalrustEvent } from "../../src/events.ts";
import { SimulationFailure } from "./oracle.ts";
import type { SimulatedProcess } from "./simulated-process.ts";
import { NAME } from "./simulated-storage.ts";
import type { World } from "./world.ts";

const POLL_MS = 1000;
let writers = 0;

/** One life of `walrust watch`: the program's task for the one database of the world. */
export class SimulatedDaemon {
  readonly process: SimulatedProcess;
  readonly task: DatabaseTask;
  readonly #world: World;
  #result: TaskResult | undefined;

  private constructor(
    world: World,
    process: SimulatedProcess,
    newTask: (ended: (task: DatabaseTask, result: TaskResult) => void) => DatabaseTask,
  ) {
    this.#world = world;
    this.process = process;
    this.task = newTask((_, result) => {
      this.#result = result;
      this.#world.ended(this.process);
    });
    void this.task.begin();
  }

  static async begin(world: World): Promise<SimulatedDaemon> {
    const { process, production } = world.begin("daemon");
    const { setup } = world;
    // WebAssembly is compiled in another thread, which the schedule does not see
    await production.Sha256.begin();
    const clock = world.clock.of(process);
    const parking = new production.Parking(clock, { distanceMs: 0 });
    Object.defineProperty(parking, "quietMs", { get: () => (setup.parks ? 2000 : undefined) });
    const sync = {
      ...DEFAULT_SYNC,
      ...{ walSyncIntervalMs: setup.syncIntervalMs, monitorIntervalMs: POLL_MS },
      ...{ snapshotIntervalMs: setup.snapshotIntervalMs, maxChanges: setup.maxChanges },
      ...{ checkpointIntervalMs: setup.checkpointIntervalMs, minCheckpointPages: setup.minCheckpointPages },
      ...{ walTruncateThresholdPages: setup.walTruncateThresholdPages, observe: setup.observe },
    };
    const database = { path: world.path, name: NAME, sync, retention: DEFAULT_RETENTION };
    const daemon = {
      ...{
        uploaderConcurrency: 4,
        shadowMaxSizeBytes: setup.shadowMaxSizeBytes,
        once: false,
        takeOver: true,
      },
      ...(setup.observe && { shadowDir: world.shadowFolder }),
    };
    const dependencies: TaskDependencies = {
      ...{
        daemon,
        clock,
        parking,
        storage: world.storage.of(process, production.WalrustError),
        layout: setup.layout,
      },
      events: (event) => hear(world, process, event),
      cores: new production.CorePool({ maxCores: 4 }),
      scanCore: new production.Core(production.compileCore()),
      limitWork: (_sizeBytes, work) => work(),
      self: { host: world.identity.host, pid: process.pid, boot: world.identity.boot },
      newWriterId: () => BigInt(++writers),
      onceHeld: new Set(),
      log: production.silentLog,
      checkpointers: new production.CheckpointerWatch({ clock, readLocks: () => undefined }),
      watcher: { setBusy: () => {} },
      controlSocket: "",
      abort: new AbortController().signal,
    };
    return new SimulatedDaemon(
      world,
      process,
      (ended) => new production.DatabaseTask(database, dependencies, ended),
    );
  }

  get isAlive(): boolean {
    return this.process.isAlive && this.#result === undefined;
  }

  /** How it ended by itself. */
  get result(): TaskResult | undefined {
    return this.#result;
  }

  stop(): void {
    this.task.stop();
  }
}

/** Codes that no trouble of the simulated world explains. */
const NEVER = new Set(["INTERNAL", "STORAGE_FENCED", "INTEGRITY_DATABASE", "SQLITE_UNSUPPORTED"]);
/** Nor is anything damaged in it: what says so has damaged it itself. */
const NEVER_TOLD: ReadonlySet<WalrustEvent["type"]> = new Set(["corruption_detected", "fenced"]);

function hear(world: World, process: SimulatedProcess, event: WalrustEvent): void {
  if (!process.isAlive) return;
  const { type } = event;
  world.tell(
    `    ${type} ${"txid" in event ? event.txid : ""}${"maxTxid" in event ? event.maxTxid : ""}${"error" in event ? `${event.error.code}: ${event.error.message}` : ""}${"reason" in event ? event.reason : ""}`,
  );
  if (type === "published") world.oracle.announces(event.maxTxid);
  if (type === "snapshot" || type === "gap_repaired") world.oracle.announces(event.txid);
  if ("error" in event && (NEVER.has(event.error.code) || NEVER_TOLD.has(type))) {
    world.failWith(
      new SimulationFailure(
        `error ${event.error.code}`,
        `${event.error.stack}\n${String((event.error.cause as Error | undefined)?.stack ?? "")}`,
      ),
    );
  }
}
