import { rmSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Exit } from "../../src/bench/child.ts";
import { dice } from "../../src/bench/dice.ts";
import type { Applications } from "./applications.ts";
import type { Course } from "./course.ts";
import { FOLLOWED, type LiveDatabase, type Role } from "./mix.ts";
import { type Place, walrust } from "./place.ts";
import { compareProgress, type Progress, recordOf } from "./records.ts";

export interface ChecksOptions {
  readonly place: Place;
  readonly course: Course;
  readonly applications: Applications;
  readonly mix: readonly Role[];
  readonly seed: number;
}

/** In calm, a copy is never older than this; far above what is promised, since the machine may be busy with other things. */
const STALE_MS = 60_000;
const PAUSE_MS = 1000;
const FINAL_AT_ONCE = 2;
const STORAGE_EXIT = 4;
const NOTHING_THERE_EXIT = 6;
/** Of the crowd, how many are restored in the end; all are verified. */
const FINAL_OF_A_ROLE = 12;

/** Restores, compares with the applications' own records, verifies, asks for the status: again and again, one after the other. */
export class Checks {
  readonly #options: ChecksOptions;
  readonly #databases: readonly LiveDatabase[];
  /** What the restore before has shown of each: no later one may show less. */
  readonly #shown = new Map<LiveDatabase, Progress>();
  #restoresMs: number[] = [];
  /** How many of each kind were made and passed. */
  readonly passed = { restore: 0, verify: 0, status: 0, replica: 0 };

  constructor(options: ChecksOptions) {
    this.#options = options;
    this.#databases = options.mix.flatMap(({ databases }) => databases);
  }

  takeRestores(): readonly number[] {
    const taken = this.#restoresMs;
    this.#restoresMs = [];
    return taken;
  }

  /** Until the run ends; while an application rests or storage is away it waits. */
  async keepChecking(): Promise<void> {
    const { course, seed } = this.#options;
    const random = dice(seed + 7);
    const followed = this.#databases.find(({ name }) => name === FOLLOWED);
    for (let round = 0; !course.ending.aborted; round++) {
      const any = this.#databases[Math.floor(random() * this.#databases.length)];
      const database = round % 2 === 0 ? followed : any;
      if (database !== undefined && course.isCalm(0)) {
        await this.#checkRestore(database);
        if (round % 5 === 0) await this.#checkVerify(["verify", database.name]);
        if (round % 7 === 0) await this.#checkStatus();
      }
      await sleep(PAUSE_MS, undefined, { signal: course.ending }).catch(() => {});
    }
  }

  /** After all applications and the daemon have ended: what was acknowledged is restored, neither less nor more. */
  async finally(replica: string): Promise<void> {
    const { course, mix, applications } = this.#options;
    const left = mix.flatMap(({ databases }) => databases.slice(0, FINAL_OF_A_ROLE));
    const next = async () => {
      for (let database = left.pop(); database !== undefined; database = left.pop()) {
        if (!applications.isThere(database.path)) continue;
        const expected = applications.acknowledged(database.path);
        const { name } = database;
        await this.#restored(database, ({ exit, file }) => {
          if (exit.code !== 0)
            return course.find(`the last state of ${name} is not restored: ${exit.stderr}`);
          this.#expectExactly(file, database, expected);
        });
      }
    };
    await Promise.all(Array.from({ length: FINAL_AT_ONCE }, next));
    await this.#checkVerify(["verify", "--all"]);
    const followed = this.#databases.find(({ name }) => name === FOLLOWED);
    if (followed !== undefined)
      this.#expectExactly(replica, followed, applications.acknowledged(followed.path));
  }

  /** A replica that nobody changes at this moment. */
  checkReplica(file: string): void {
    this.#try(`the replica`, () => {
      recordOf(file, this.#slotsOf(FOLLOWED));
      this.passed.replica += 1;
    });
  }

  #expectExactly(file: string, { name, slots }: LiveDatabase, expected: Progress | undefined): void {
    this.#try(name, () => {
      const found = recordOf(file, slots);
      if (found?.life !== expected?.life || found?.seq !== expected?.seq)
        throw new Error(`${file} of ${name} is ${text(found)}, and ${text(expected)} was acknowledged`);
    });
  }

  async #checkRestore(database: LiveDatabase): Promise<void> {
    const { course, applications } = this.#options;
    const { name, path, slots, comesAndGoes } = database;
    const startMs = course.now();
    const old = applications.acknowledgedAt(path, startMs - STALE_MS);
    const wasCalm = course.isCalm(STALE_MS);
    await this.#restored(database, async ({ exit, file }) => {
      const disturbed = course.disturbedSince(startMs);
      if (exit.code !== 0) {
        const excused =
          (disturbed && exit.code === STORAGE_EXIT) ||
          ((comesAndGoes || startMs < STALE_MS || old === undefined) && exit.code === NOTHING_THERE_EXIT);
        if (!excused) course.find(`restore of ${name} ended with ${exit.code}: ${exit.stderr}`);
        return;
      }
      const begun = await applications.begunByNow(path);
      this.#try(`restore of ${name}`, () => {
        const found = recordOf(file, slots) ?? { life: 0, seq: 0 };
        const shown = this.#shown.get(database);
        if (compareProgress(found, begun) > 0)
          throw new Error(`${text(found)} is more than was written: ${text(begun)}`);
        if (shown !== undefined && compareProgress(found, shown) < 0)
          throw new Error(`${text(found)} is older than what was restored before: ${text(shown)}`);
        if (wasCalm && !disturbed && !comesAndGoes && old !== undefined && compareProgress(found, old) < 0)
          throw new Error(
            `${text(found)} lacks what was acknowledged ${STALE_MS / 1000} s before: ${text(old)}`,
          );
        this.#shown.set(database, found);
        this.passed.restore += 1;
      });
    });
  }

  async #restored(
    { name }: LiveDatabase,
    look: (result: { readonly exit: Exit; readonly file: string }) => void | Promise<void>,
  ): Promise<void> {
    const { place, course } = this.#options;
    const file = join(place.restored, `${name.replaceAll("/", "-")}.db`);
    const startMs = course.now();
    const exit = await walrust(place, "restore", name, "-o", file, "--force").exited;
    if (exit.code === 0) this.#restoresMs.push(course.now() - startMs);
    await look({ exit, file });
    rmSync(file, { force: true });
  }

  async #checkVerify(args: readonly string[]): Promise<void> {
    const { place, course } = this.#options;
    const startMs = course.now();
    const exit = await walrust(place, ...args).exited;
    const excused =
      (exit.code === STORAGE_EXIT && course.disturbedSince(startMs)) ||
      (exit.code === NOTHING_THERE_EXIT &&
        (startMs < STALE_MS || args.some((name) => name.startsWith("visits/"))));
    if (exit.code === 0) this.passed.verify += 1;
    else if (!excused) course.find(`${args.join(" ")} ended with ${exit.code}: ${troubleIn(exit)}`);
  }

  async #checkStatus(): Promise<void> {
    const { place, course } = this.#options;
    const startMs = course.now();
    const exit = await walrust(place, "status", "--json").exited;
    if (exit.code === 0) this.passed.status += 1;
    else if (!course.disturbedSince(startMs)) course.find(`status ended with ${exit.code}: ${exit.stderr}`);
  }

  #slotsOf(wanted: string): number {
    return this.#databases.find(({ name }) => name === wanted)?.slots ?? 0;
  }

  #try(what: string, look: () => void): void {
    try {
      look();
    } catch (error) {
      this.#options.course.find(`${what}: ${error instanceof Error ? error.message : error}`);
    }
  }
}

/** Without the databases that are in order. */
function troubleIn({ stdout, stderr }: Exit): string {
  const lines = stdout.split("\n").filter((line) => !/^\S+: ok;/.test(line));
  return `${lines.join("\n")}${stderr}`;
}

const text = (progress: Progress | undefined): string =>
  progress === undefined ? "nothing" : `${progress.life}.${progress.seq}`;
