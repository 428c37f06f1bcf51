import { setImmediate } from "node:timers/promises";
import type { Clock } from "../clock.ts";
import type { Storage } from "../storage/storage.ts";
import { Room } from "./room.ts";

/** Few databases are never parked: what a pin costs is nothing then, and a restart of the log is seen as it happens. Each has up to 8 descriptors. */
const KEPT_OPEN = 8;
/** How long a database must have been quiet to be parked. */
const QUIET_MS = 15_000;
/** The same where so many are open that they must not wait for it. */
const CROWD = 128;
const CROWD_QUIET_MS = 2_000;
/** So many databases are begun with at once, from the first look at storage until they are parked or turn out to be in use. */
const BEGUN_AT_ONCE = 8;
/** So few of them have connections before their first copy is made: most of the memory that this takes is SQLite's, which is hardly ever given back. */
const CONNECTED_AT_ONCE = 2;
/** With a storage so far away, or farther, that many times as many: the thread would rest most of the time. */
const FAR_MS = 20;
const FAR_TIMES = 4;
/** A first copy of more takes so long that others do not wait for it: not with their connections, or not at all. */
const LONG_BYTES = 1 << 20;
const LONGEST_BYTES = 64 << 20;
/** How often all parked databases are looked at: two file system calls for each take about 10 microseconds. */
const SHORTEST_LOOK_MS = 1_000;
const LOOK_MS_PER_DATABASE = 0.5;
/** Looked at without letting others run. */
const LOOKS_AT_ONCE = 200;

/** A database that is begun with. */
export interface Begun {
  /** Waits for room for its connections. */
  connects(): Promise<void>;
  /** It is open, and so large. */
  opened(sizeBytes: number): void;
  /** It has its first copy, or needs none. */
  copied(): void;
  /** It goes its way: parked, closed, or in use. Safe to call twice. */
  settled(): void;
}

export interface ParkedDatabase {
  /** Goes on with it if somebody wrote to it since it was parked, or if something is due; by two file system calls. Throws nothing. */
  look(): void;
}

/** With its places in both rooms. A class, since each database that is open has one. */
class InRoom implements Begun {
  readonly #connected: Room;
  #leave: (() => void) | undefined;
  #leaveConnected: (() => void) | undefined;

  constructor(leave: () => void, connected: Room) {
    this.#leave = leave;
    this.#connected = connected;
  }

  async connects(): Promise<void> {
    this.#leaveConnected = await this.#connected.enter();
  }

  opened(sizeBytes: number): void {
    if (sizeBytes > LONGEST_BYTES) this.settled();
    else if (sizeBytes > LONG_BYTES) this.copied();
  }

  copied(): void {
    this.#leaveConnected?.();
    this.#leaveConnected = undefined;
  }

  settled(): void {
    this.#leave?.();
    this.#leave = undefined;
    this.copied();
  }
}

/**
 * Which databases of a process are held open, and the one look at all that are not (capture.md, "parked"). A parked database has no connection, no
 * descriptor, no timer and no promise: it is woken by a hint of the watcher, by this look, or by somebody's wish.
 */
export class Parking {
  readonly #clock: Clock;
  readonly #parked = new Set<ParkedDatabase>();
  readonly #begun: Room;
  readonly #connected: Room;
  #open = 0;
  #cancel: (() => void) | undefined;
  readonly #onMove: () => void;

  /**
   * @param storage whose answers are waited for
   * @param onMove called whenever a database was opened, or parked
   */
  constructor(clock: Clock, storage: Pick<Storage, "distanceMs">, onMove: () => void = () => {}) {
    this.#clock = clock;
    this.#onMove = onMove;
    const times = () => (storage.distanceMs < FAR_MS ? 1 : FAR_TIMES);
    this.#begun = new Room(() => BEGUN_AT_ONCE * times());
    this.#connected = new Room(() => CONNECTED_AT_ONCE * times());
  }

  /** Waits for room to begin with one more database. */
  async begin(): Promise<Begun> {
    return new InRoom(await this.#begun.enter(), this.#connected);
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
    return this.#open + this.#begun.waiting > KEPT_OPEN;
  }

  /** How long a database must have been quiet to be parked now; undefined: none is. */
  get quietMs(): number | undefined {
    if (!this.isCrowded) return undefined;
    return this.#open + this.#begun.waiting > CROWD ? CROWD_QUIET_MS : QUIET_MS;
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
