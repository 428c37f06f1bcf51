import { setImmediate } from "node:timers/promises";
import type { Clock } from "../clock.ts";

/** Few databases are never parked: what a pin costs is nothing then, and a restart of the log is seen as it happens. Each has up to 8 descriptors. */
const KEPT_OPEN = 8;
/** How long a database must have been quiet to be parked. */
const QUIET_MS = 15_000;
/** The same where so many are open that they must not wait for it. */
const CROWD = 128;
const CROWD_QUIET_MS = 2_000;
/**
 * So many databases are begun with at once, from the opening until they are parked or turn out to be in use: each takes 300 KB for that, most of it
 * SQLite's, which is hardly ever given back.
 */
const BEGUN_AT_ONCE = 8;
/** How often all parked databases are looked at: two file system calls for each take about 10 microseconds. */
const SHORTEST_LOOK_MS = 1_000;
const LOOK_MS_PER_DATABASE = 0.5;
/** Looked at without letting others run. */
const LOOKS_AT_ONCE = 200;

export interface ParkedDatabase {
  /** Goes on with it if somebody wrote to it since it was parked, or if something is due; by two file system calls. Throws nothing. */
  look(): void;
}

/**
 * Which databases of a process are held open, and the one look at all that are not (capture.md, "parked"). A parked database has no connection, no
 * descriptor, no timer and no promise: it is woken by a hint of the watcher, by this look, or by somebody's wish.
 */
export class Parking {
  readonly #clock: Clock;
  readonly #parked = new Set<ParkedDatabase>();
  readonly #waiting: (() => void)[] = [];
  #begun = 0;
  #open = 0;
  #cancel: (() => void) | undefined;
  readonly #onMove: () => void;

  /** @param onMove called whenever a database was opened, or parked */
  constructor(clock: Clock, onMove: () => void = () => {}) {
    this.#clock = clock;
    this.#onMove = onMove;
  }

  /** Waits for room to open one more database. The function returned says that it goes its way: parked, closed, or in use. Safe to call twice. */
  async begin(): Promise<() => void> {
    if (this.#begun >= BEGUN_AT_ONCE) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    else this.#begun += 1;
    let isBegun = true;
    return () => {
      if (!isBegun) return;
      isBegun = false;
      const next = this.#waiting.shift(); // it takes over the place
      if (next) next();
      else this.#begun -= 1;
    };
  }

  opened(): void {
    this.#open += 1;
    this.#onMove();
  }

  closed(): void {
    this.#open -= 1;
  }

  /** More are waiting to be opened than may be kept open: whoever is quiet makes room at once. */
  get isCrowded(): boolean {
    return this.#open + this.#waiting.length > KEPT_OPEN;
  }

  /** How long a database must have been quiet to be parked now; undefined: none is. */
  get quietMs(): number | undefined {
    if (!this.isCrowded) return undefined;
    return this.#open + this.#waiting.length > CROWD ? CROWD_QUIET_MS : QUIET_MS;
  }

  get parked(): number {
    return this.#parked.size;
  }

  /** From now on it is looked at; until `leave`. */
  park(database: ParkedDatabase): void {
    this.#parked.add(database);
    this.#onMove();
    this.#cancel ??= this.#clock.schedule(this.#pauseMs, () => this.#look());
  }

  leave(database: ParkedDatabase): void {
    this.#parked.delete(database);
  }

  get #pauseMs(): number {
    return Math.max(SHORTEST_LOOK_MS, this.#parked.size * LOOK_MS_PER_DATABASE);
  }

  async #look(): Promise<void> {
    let looks = 0;
    for (const database of this.#parked) {
      database.look();
      looks += 1;
      if (looks % LOOKS_AT_ONCE === 0) await setImmediate();
    }
    this.#cancel =
      this.#parked.size === 0 ? undefined : this.#clock.schedule(this.#pauseMs, () => this.#look());
  }
}
