import { appendFileSync } from "node:fs";

/** Something that happened to the daemon, and is drawn into the report. Times are ms since the run began. */
export interface Mark {
  readonly kind: "outage" | "kill" | "idle" | "reload" | "finding";
  readonly fromMs: number;
  readonly toMs: number;
  readonly text: string;
}

/** How long after trouble the numbers may still show it. */
const UNREST_MS = 20_000;

/** What happens in a run, and what was found wrong: known to all of its parts. */
export class Course {
  readonly marks: Mark[] = [];
  readonly #file: string;
  readonly #startMs = performance.now();
  readonly #ending = new AbortController();
  readonly #going = new Map<object, { readonly kind: Mark["kind"]; readonly fromMs: number }>();

  /** @param file gets every mark as a line of JSON */
  constructor(file: string) {
    this.#file = file;
  }

  /** ms since the run began */
  now(): number {
    return Math.round(performance.now() - this.#startMs);
  }

  get ending(): AbortSignal {
    return this.#ending.signal;
  }

  end(): void {
    this.#ending.abort();
  }

  get findings(): readonly string[] {
    return this.marks.filter(({ kind }) => kind === "finding").map(({ text }) => text);
  }

  /** What must not happen. The run goes on, and fails at its end. */
  find(text: string): void {
    const atMs = this.now();
    this.#add({ kind: "finding", fromMs: atMs, toMs: atMs, text });
    console.error(`${(atMs / 1000).toFixed(0)} s: FOUND: ${text}`);
  }

  async during<T>(kind: Mark["kind"], text: string, work: () => Promise<T>): Promise<T> {
    const fromMs = this.now();
    const key = {};
    this.#going.set(key, { kind, fromMs });
    console.error(`${(fromMs / 1000).toFixed(0)} s: ${text}`);
    try {
      return await work();
    } finally {
      this.#going.delete(key);
      this.#add({ kind, fromMs, toMs: this.now(), text });
    }
  }

  /** How often the databases were begun anew: each start of the daemon, and each reload. */
  get beginnings(): number {
    return this.marks.filter(({ kind }) => ["kill", "reload", "idle"].includes(kind)).length;
  }

  /** No trouble now, nor within `forMs` before. */
  isCalm(forMs = UNREST_MS, atMs = this.now()): boolean {
    return !this.disturbedSince(atMs - forMs);
  }

  /** Whether the daemon or its storage was in trouble, or made to rest, at any time since then. */
  disturbedSince(atMs: number): boolean {
    const troubles = ["outage", "kill", "idle"];
    return (
      [...this.#going.values()].some(({ kind }) => troubles.includes(kind)) ||
      this.marks.some(({ kind, toMs }) => troubles.includes(kind) && toMs >= atMs)
    );
  }

  #add(mark: Mark): void {
    this.marks.push(mark);
    appendFileSync(this.#file, `${JSON.stringify(mark)}\n`);
  }
}
