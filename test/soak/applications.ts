import { type Child, spawnChild } from "../../src/bench/child.ts";
import { until } from "../../src/bench/until.ts";
import type { Course } from "./course.ts";
import type { Role } from "./mix.ts";
import type { Progress } from "./records.ts";

const ANSWER_LIMIT_MS = 60_000;
/** Of what was acknowledged, for questions about the past. */
const REMEMBERED_MS = 120_000;

interface Line {
  readonly paused: boolean;
  readonly commits: number;
  readonly locked: number;
  readonly stallsMs: readonly number[];
  readonly databases: Readonly<
    Record<string, readonly [life: number, seq: number, begun: number, there: boolean]>
  >;
}

interface Known {
  readonly atMs: number;
  readonly acknowledged: Progress;
  /** The last transaction that may have been committed. */
  readonly begun: Progress;
  readonly isThere: boolean;
}

/** What applications did since they were last asked. */
export interface Done {
  readonly commits: number;
  readonly locked: number;
  readonly stallsMs: readonly number[];
}

/** All applications of a run, and their own records. */
export class Applications {
  readonly #course: Course;
  readonly #children: readonly Child[];
  readonly #known = new Map<string, Known[]>();
  readonly #paused = new Map<Child, boolean>();
  #done = { commits: 0, locked: 0, stallsMs: [] as number[] };
  #isStopping = false;

  /** @param script application.py */
  constructor(script: string, mix: readonly Role[], course: Course, seed: number) {
    this.#course = course;
    this.#children = mix.map(({ role, rate, slots, databases }, index) => {
      const options = {
        role,
        rate,
        slots,
        databases: databases.map(({ path }) => path),
        seed: seed * 100 + index,
      };
      const child = spawnChild("python3", [script, JSON.stringify(options)]);
      child.onLine((text) => this.#note(child, JSON.parse(text) as Line));
      void child.exited.then((exit) => {
        if (exit.code !== 0 || !this.#isStopping) course.find(`application ${role} ended: ${exit.stderr}`);
      });
      return child;
    });
  }

  /** Resolves when each of them has said something. */
  async started(): Promise<void> {
    await until("applications start", () => this.#paused.size === this.#children.length, {
      limitMs: ANSWER_LIMIT_MS,
    });
  }

  /** The newest that the application knows to be committed. */
  acknowledged(path: string): Progress | undefined {
    return this.#known.get(path)?.at(-1)?.acknowledged;
  }

  /** What it knew to be committed at that time of the course. */
  acknowledgedAt(path: string, atMs: number): Progress | undefined {
    return this.#known.get(path)?.findLast((known) => known.atMs <= atMs)?.acknowledged;
  }

  isThere(path: string): boolean {
    return this.#known.get(path)?.at(-1)?.isThere === true;
  }

  /** The newest that can be in a copy that exists now. */
  async begunByNow(path: string): Promise<Progress> {
    const nowMs = this.#course.now();
    const known = await until(
      `${path} tells how far it is`,
      () => {
        // the first one may have been on its way
        const [, known] = this.#known.get(path)?.filter(({ atMs }) => atMs > nowMs) ?? [];
        return known ?? (this.#isPaused() && this.#known.get(path)?.at(-1));
      },
      { limitMs: ANSWER_LIMIT_MS },
    );
    return known.begun;
  }

  take(): Done {
    const done = this.#done;
    this.#done = { commits: 0, locked: 0, stallsMs: [] };
    return done;
  }

  /** Resolves when none of them writes any more. */
  async pause(): Promise<void> {
    for (const child of this.#children) child.write("pause\n");
    await until("applications pause", () => this.#isPaused(), { limitMs: ANSWER_LIMIT_MS });
  }

  go(): void {
    for (const child of this.#children) {
      this.#paused.set(child, false);
      child.write("go\n");
    }
  }

  /** Ends them; what they acknowledged stays known. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    for (const child of this.#children) child.write("stop\n");
    await Promise.all(this.#children.map(({ exited }) => exited));
  }

  #isPaused(): boolean {
    return this.#children.every((child) => !child.running() || this.#paused.get(child) === true);
  }

  #note(child: Child, line: Line): void {
    const atMs = this.#course.now();
    this.#paused.set(child, line.paused);
    this.#done.commits += line.commits;
    this.#done.locked += line.locked;
    this.#done.stallsMs.push(...line.stallsMs);
    for (const [path, [life, seq, begun, isThere]] of Object.entries(line.databases)) {
      const known = this.#known.get(path) ?? [];
      known.push({ atMs, acknowledged: { life, seq }, begun: { life, seq: begun }, isThere });
      while ((known[0]?.atMs ?? atMs) < atMs - REMEMBERED_MS) known.shift();
      this.#known.set(path, known);
    }
  }
}
