import type { StorageRequest } from "./dependencies.ts";

/** The first answers wait for connections to be made, and for code that never ran before. */
const TELLING = 16;

/** How far away a storage is, by the least time that an answer took: what makes others slower, a load here or there, says nothing of the way. */
export class Distance {
  #leastMs = Number.POSITIVE_INFINITY;
  #answers = 0;

  note({ outcome, durationMs }: StorageRequest): void {
    if (outcome === "unreachable" || outcome === "aborted") return;
    this.#answers += 1;
    this.#leastMs = Math.min(this.#leastMs, durationMs);
  }

  /** 0 until enough answers came. */
  get ms(): number {
    return this.#answers < TELLING ? 0 : this.#leastMs;
  }
}
