import type { RealConnection } from "./simulated-driver.ts";

/** Whatever a process does that others could notice, or that it may die in. */
export interface Operation {
  readonly kind: "file" | "sqlite" | "storage" | "pause";
  /** `write`, `PRAGMA wal_checkpoint(PASSIVE)`, `put` */
  readonly name: string;
  /** A path, or a key. */
  readonly target: string;
}

/** What becomes of an operation. */
export type Fate =
  | { readonly kind: "done" }
  /** It has no effect, and fails. */
  | { readonly kind: "refused"; readonly error: Error }
  /** It has its effect, and fails. */
  | { readonly kind: "unanswered"; readonly error: Error }
  /** The process is killed before it, in the middle of it, or behind it. */
  | { readonly kind: "death"; readonly at: "before" | "half-way" | "behind" };

/** Decides what becomes of what processes do. */
export interface Supervisor {
  /** At once: others may move before it. */
  fateOf(operation: Operation, process: SimulatedProcess): Fate;
  /** When the schedule says so. */
  defer(deferred: Deferred): void;
  died(process: SimulatedProcess): void;
}

/** An operation that waits for the schedule. */
export interface Deferred {
  readonly process: SimulatedProcess;
  readonly operation: Operation;
  /** Ends it. Of a dead process only the effect is left. */
  readonly end: (fate: Exclude<Fate, { kind: "death" }>) => void;
}

/** Thrown out of whatever a killed process was doing. */
export class ProcessDied extends Error {}

/** One life of a program. When it is killed, nothing that it began has any effect any more. */
export class SimulatedProcess {
  readonly name: string;
  readonly pid: number;
  /** What it has open. */
  readonly connections = new Set<RealConnection>();
  readonly descriptors = new Map<number, string>();
  readonly #supervisor: Supervisor;
  #isAlive = true;

  constructor(name: string, pid: number, supervisor: Supervisor) {
    this.name = name;
    this.pid = pid;
    this.#supervisor = supervisor;
  }

  get isAlive(): boolean {
    return this.#isAlive;
  }

  kill(): void {
    if (!this.#isAlive) return;
    this.#isAlive = false;
    this.#supervisor.died(this);
  }

  /** @param half what of the effect is there if it is killed half-way */
  now<T>(operation: Operation, effect: () => T, half: () => void = () => {}): T {
    if (!this.#isAlive) throw new ProcessDied();
    const fate = this.#supervisor.fateOf(operation, this);
    // killed by somebody who moved before it
    if (!this.#isAlive) throw new ProcessDied();
    switch (fate.kind) {
      case "done":
        return effect();
      case "refused":
        throw fate.error;
      case "unanswered":
        effect();
        throw fate.error;
      case "death":
        if (fate.at === "half-way") half();
        if (fate.at === "behind") effect();
        this.kill();
        throw new ProcessDied();
      default:
        return fate satisfies never;
    }
  }

  /** Its effect comes when the schedule says so, all at once. A dead process never hears of it. */
  later<T>(operation: Operation, effect: () => T | Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      if (!this.#isAlive) return;
      const end: Deferred["end"] = async (fate) => {
        try {
          if (fate.kind === "refused") throw fate.error;
          const result = await (operation.kind === "storage" ? effect() : this.now(operation, effect));
          if (fate.kind === "unanswered") throw fate.error;
          if (this.#isAlive) resolve(result);
        } catch (error) {
          if (this.#isAlive) reject(error);
        }
      };
      const deferred = { process: this, operation, end };
      // Other operations meet their fate when their turn comes. A request leaves now, or it does not, and is out of our hands then.
      const fate = operation.kind === "storage" ? this.#supervisor.fateOf(operation, this) : undefined;
      if (!this.#isAlive) return;
      if (fate?.kind !== "death" || fate.at !== "before") this.#supervisor.defer(deferred);
      if (fate?.kind === "death") this.kill();
    });
  }
}
