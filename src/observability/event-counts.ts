import type { Clock } from "../clock.ts";
import type { EventSink } from "../events.ts";
import { Histogram } from "./histogram.ts";

export interface DatabaseCounts {
  errors: number;
  snapshots: number;
  gapsRepaired: number;
  validations: number;
  failedValidations: number;
  /** Unix ms; 0: never. */
  lastValidatedAtMs: number;
}

/** Of the time that the write lock is held: 5 ms is the goal. */
const BARRIER_BOUNDS_SECONDS = [0.0005, 0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5];

/** What events add up to: six numbers a database, gone when it is no longer watched. */
export class EventCounts {
  readonly barriers = new Histogram(BARRIER_BOUNDS_SECONDS);
  readonly handovers = new Map<string, number>();
  readonly #databases = new Map<string, DatabaseCounts>();
  readonly #clock: Clock;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Undefined: nothing has happened that is counted. */
  of(database: string): Readonly<DatabaseCounts> | undefined {
    return this.#databases.get(database);
  }

  readonly hear: EventSink = (event) => {
    switch (event.type) {
      case "handover":
        this.handovers.set(event.how, (this.handovers.get(event.how) ?? 0) + 1);
        if (event.how !== "optimistic") this.barriers.observe(event.heldMs);
        return;
      case "closed":
        this.#databases.delete(event.database);
        return;
      case "sync_failed":
        this.#counts(event.database).errors += 1;
        return;
      case "snapshot":
        this.#counts(event.database).snapshots += 1;
        return;
      case "gap_repaired":
        this.#counts(event.database).gapsRepaired += 1;
        return;
      case "validated":
      case "validation_failed": {
        const counts = this.#counts(event.database);
        if (event.type === "validated") counts.validations += 1;
        else counts.failedValidations += 1;
        counts.lastValidatedAtMs = this.#clock.now();
        return;
      }
      default: // counted nowhere
    }
  };

  #counts(database: string): DatabaseCounts {
    let counts = this.#databases.get(database);
    if (counts === undefined) {
      counts = {
        errors: 0,
        snapshots: 0,
        gapsRepaired: 0,
        validations: 0,
        failedValidations: 0,
        lastValidatedAtMs: 0,
      };
      this.#databases.set(database, counts);
    }
    return counts;
  }
}
