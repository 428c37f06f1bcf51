/** Counts of durations by upper bound, in seconds, as Prometheus wants them. A few numbers, whatever is observed. */
export class Histogram {
  readonly boundsSeconds: readonly number[];
  /** How many fell below each bound and above the one before; the last: above all bounds. */
  readonly #counts: number[];
  #sumSeconds = 0;

  constructor(boundsSeconds: readonly number[]) {
    this.boundsSeconds = boundsSeconds;
    this.#counts = new Array<number>(boundsSeconds.length + 1).fill(0);
  }

  observe(durationMs: number): void {
    const seconds = durationMs / 1000;
    const above = this.boundsSeconds.findIndex((bound) => seconds <= bound);
    const bucket = above < 0 ? this.boundsSeconds.length : above;
    this.#counts[bucket] = (this.#counts[bucket] ?? 0) + 1;
    this.#sumSeconds += seconds;
  }

  get sumSeconds(): number {
    return this.#sumSeconds;
  }

  get count(): number {
    return this.#counts.reduce((sum, count) => sum + count, 0);
  }

  /** How many were at most `bound`, for each bound. */
  cumulative(): readonly (readonly [boundSeconds: number, count: number])[] {
    let sum = 0;
    return this.boundsSeconds.map((bound, index) => {
      sum += this.#counts[index] ?? 0;
      return [bound, sum];
    });
  }
}
