import { Histogram } from "./histogram.ts";

/** One request to storage, when it was answered or given up. */
export interface ObservedRequest {
  readonly operation: string;
  readonly outcome: string;
  readonly durationMs: number;
}

const BOUNDS_SECONDS = [0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];

/** Requests to storage by operation and outcome: a handful of combinations. */
export class RequestCounts {
  readonly #byKind = new Map<
    string,
    { readonly operation: string; readonly outcome: string; readonly durations: Histogram }
  >();

  readonly note = ({ operation, outcome, durationMs }: ObservedRequest): void => {
    const key = `${operation} ${outcome}`;
    let kind = this.#byKind.get(key);
    if (kind === undefined) {
      kind = { operation, outcome, durations: new Histogram(BOUNDS_SECONDS) };
      this.#byKind.set(key, kind);
    }
    kind.durations.observe(durationMs);
  };

  get kinds() {
    return [...this.#byKind.values()];
  }
}
