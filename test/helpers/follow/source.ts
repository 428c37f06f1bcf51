import { readFileSync } from "node:fs";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import type { Clock } from "../../../src/clock.ts";
import type { WalrustEvent } from "../../../src/events.ts";
import { Follower } from "../../../src/follow/follower.ts";
import type { Storage } from "../../../src/storage/storage.ts";
import { CorePool } from "../../../src/wasm/core-pool.ts";
import { ManualClock } from "../manual-clock.ts";
import { MemoryStorage } from "../memory-storage.ts";
import { History, type HistoryOptions } from "../restore/history.ts";
import { tempDatabase, tempFolder } from "../sqlite/temp-database.ts";

export const cores = new CorePool();

export interface SourceOptions extends Omit<HistoryOptions, "pageSizeBytes"> {
  readonly pageSize?: number;
  readonly storage?: MemoryStorage;
}

/**
 * A real database whose states are published. Its rows: in each transaction a row goes to `a` and one to `b`, and `last` says how many:
 * a state that mixes two transactions shows.
 */
export class Source {
  readonly storage: MemoryStorage;
  readonly history: History;
  readonly #app: ReturnType<typeof tempDatabase>;

  constructor({ pageSize = 4096, storage = new MemoryStorage(), ...options }: SourceOptions = {}) {
    this.storage = storage;
    this.history = new History(storage, { pageSizeBytes: pageSize, ...options });
    this.#app = tempDatabase({ rows: 0, pageSize });
    this.#app.exec(
      "CREATE TABLE a(id INTEGER PRIMARY KEY, v BLOB); CREATE TABLE b(id INTEGER PRIMARY KEY, v BLOB);" +
        "CREATE TABLE last(n INTEGER); INSERT INTO last VALUES (0)",
    );
  }

  /** One transaction. */
  write(rows = 1, bytes = 300): void {
    const { n } = this.#app.prepare<[], { n: number }>("SELECT n FROM last").get() ?? { n: 0 };
    this.#app.transaction(() => {
      for (let i = 0; i < rows; i++) {
        this.#app.prepare("INSERT INTO a(v) VALUES (randomblob(?))").run(bytes);
        this.#app.prepare("INSERT INTO b(v) VALUES (randomblob(?))").run(bytes);
      }
      this.#app.prepare("UPDATE last SET n = ?").run(n + rows);
    })();
  }

  exec(sql: string): void {
    this.#app.exec(sql);
  }

  image(): Uint8Array {
    this.#app.pragma("wal_checkpoint(TRUNCATE)");
    return new Uint8Array(readFileSync(this.#app.name));
  }

  /** What was written since, as an incremental. */
  publish(options: Parameters<History["publish"]>[1] = {}): Promise<void> {
    return this.history.publish(this.image(), options);
  }

  /** What was written since, as a snapshot alone. */
  snapshot(): Promise<void> {
    return this.history.snapshot(this.image());
  }

  /** A transaction, published. */
  async commit(rows = 1): Promise<void> {
    this.write(rows);
    await this.publish();
  }
}

/** A source with a first snapshot. */
export async function aSource(options: SourceOptions = {}): Promise<Source> {
  const source = new Source(options);
  source.write(20);
  await source.snapshot();
  return source;
}

export interface Following {
  readonly follower: Follower;
  readonly path: string;
  readonly events: WalrustEvent[];
  readonly warnings: string[];
  readonly clock: ManualClock;
  readonly stop: AbortController;
  /** Types of the events so far. */
  types(): string[];
  /** Ends it in order, so that another may follow. */
  close(): void;
}

export interface FollowingOptions {
  readonly path?: string;
  readonly name?: string;
  readonly intervalMs?: number;
  /** For who waits for other processes; else time stands still until the test moves it on. */
  readonly clock?: Clock;
}

/** A replica of `storage`, not begun. */
export function following(storage: Storage, options: FollowingOptions = {}): Following {
  const { path = join(tempFolder(), "replica.db"), name = "app", intervalMs = 5000 } = options;
  const events: WalrustEvent[] = [];
  const warnings: string[] = [];
  const clock = new ManualClock(1_000_000);
  const stop = new AbortController();
  const follower = new Follower(
    {
      ...{ storage, cores, clock: options.clock ?? clock },
      random: () => 0.25,
      events: (event) => events.push(event),
      log: { warn: (_, message) => warnings.push(message) },
    },
    { name, path, intervalMs, stop: stop.signal },
  );
  let isOpen = true;
  const close = () => {
    if (isOpen) follower.close();
    isOpen = false;
  };
  onTestFinished(close);
  return {
    ...{ follower, path, events, warnings, clock, stop, close },
    types: () => events.map(({ type }) => type),
  };
}
