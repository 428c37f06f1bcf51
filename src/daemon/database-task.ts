import type { DatabaseSettings } from "../config/settings.ts";
import type { WalrustError } from "../errors.ts";
import type { SnapshotTrigger } from "../events.ts";
import type { DatabaseStatus } from "../observability/database-status.ts";
import type { PublishedFile } from "../replication/publisher.ts";
import { isSameSight, sightOf } from "../sqlite/sight.ts";
import {
  ActiveTask,
  type Beginning,
  notOpen,
  type Parked,
  type SnapshotRequest,
  type TaskDependencies,
  type TaskResult,
} from "./active-task.ts";
import { snapshotAt } from "./schedule.ts";
import { snapshotFactsOf } from "./snapshots.ts";
import { StatusBoard } from "./status-board.ts";

/**
 * One database for as long as it is watched: active, or parked (capture.md). What is parked is a record and nothing else, no promise, no signal, no
 * timer, for there may be many thousands; when it is woken a new active task goes on with it.
 */
export class DatabaseTask {
  #database: DatabaseSettings;
  readonly #deps: TaskDependencies;
  readonly #onEnded: (task: DatabaseTask, result: TaskResult) => void;
  #isStopped = false;
  /** Also of one that ended. */
  #active: ActiveTask | undefined;
  #parked: Parked | undefined;

  constructor(
    database: DatabaseSettings,
    deps: TaskDependencies,
    onEnded: (task: DatabaseTask, result: TaskResult) => void,
  ) {
    this.#database = database;
    this.#deps = deps;
    this.#onEnded = onEnded;
  }

  /**
   * Resolves when it is first open, or with the first trouble before that. Never rejects.
   * @param asked a snapshot to begin with
   */
  begin(asked?: SnapshotRequest): Promise<WalrustError | undefined> {
    return this.#activate({ asked }).firstOpening;
  }

  /** As it is watched now. */
  get database(): DatabaseSettings {
    return this.#database;
  }

  /** Other settings, of the same file under the same name, observed or not as before: they hold from the next round on. */
  adjust(database: DatabaseSettings): void {
    this.#database = database;
    if (this.#parked === undefined) this.#active?.wake();
    else this.look();
  }

  /** @param path absolute, symbolic links resolved */
  isOf(path: string): boolean {
    return path === (this.#parked ?? this.#active)?.path;
  }

  /** What is known of it at this moment. */
  status(): DatabaseStatus {
    if (this.#parked === undefined && this.#active !== undefined) return this.#active.status();
    return new StatusBoard(() => this.#database, this.#deps.clock, this.#parked).status();
  }

  /** A file of the database may have changed. */
  hint(): void {
    if (this.#parked === undefined) this.#active?.hint();
    else this.look();
  }

  /** Goes on with a parked one if there is something to do. Hints come for other reasons too, also from our own closing: this decides. */
  look(): void {
    const parked = this.#parked;
    if (parked === undefined || this.#isStopped) return;
    if (this.#isDue(parked) || mayHaveChanged(parked)) this.#activate({ parked });
  }

  /** Ends this task alone, with a drain. */
  stop(): void {
    if (this.#isStopped) return;
    this.#isStopped = true;
    if (this.#parked === undefined) this.#active?.stop();
    else this.#leave(this.#parked);
  }

  /** Errors: those of the snapshot; DATABASE_LOCKED while the database is not open. */
  snapshot(trigger: SnapshotTrigger): Promise<PublishedFile> {
    const parked = this.#parked;
    if (parked === undefined || this.#isStopped)
      return this.#active?.snapshot(trigger) ?? Promise.reject(notOpen(this.#database.path));
    return new Promise((resolve, reject) => {
      const done: SnapshotRequest["done"] = (taken) => void taken.then(resolve, reject);
      this.#activate({ parked, asked: { trigger, done } });
    });
  }

  #activate(how: Omit<Beginning, "database">): ActiveTask {
    const active = new ActiveTask(this.#deps, { ...how, database: () => this.#database });
    if (this.#parked !== undefined) this.#deps.parking.leave(this);
    this.#parked = undefined;
    this.#active = active;
    if (this.#isStopped) active.stop();
    active.run().then((end) => {
      if (end.kind === "ended") this.#onEnded(this, end.result);
      else this.#park(end.parked);
    });
    return active;
  }

  #park(parked: Parked): void {
    this.#active = undefined;
    this.#parked = parked;
    this.#deps.parking.park(this);
    // there was news, or the stop, while it was being closed
    if (this.#isStopped) this.#leave(parked);
    else this.look();
  }

  /** At the stop: what was written in the last moment is published. */
  #leave(parked: Parked): void {
    if (mayHaveChanged(parked)) {
      this.#activate({ parked });
      return;
    }
    this.#deps.parking.leave(this);
    this.#onEnded(this, { name: this.#database.name, isComplete: true, error: undefined });
  }

  /** A snapshot. */
  #isDue({ rest }: Parked): boolean {
    const facts = snapshotFactsOf(rest.snapshots, rest.copy.published.txid, rest.lastCommitMs);
    const due = snapshotAt(facts, this.#database.sync);
    return due !== undefined && due.atMs <= this.#deps.clock.monotonicMs();
  }
}

/** Whether somebody wrote to it since. One that cannot be looked at is woken: its task meets the error, and tells it. */
function mayHaveChanged({ path, rest }: Parked): boolean {
  try {
    return !isSameSight(rest.sight, sightOf(path));
  } catch {
    return true;
  }
}
