import { type ChildProcess, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Mutation } from "../helpers/mutation.ts";
import { bundleProgram, bundleWorker } from "./bundle.ts";
import type { Schedule } from "./moves.ts";
import type { Answer, Task } from "./worker.ts";

type Unplaced<T> = T extends unknown ? Omit<T, "program"> : never;

export interface SeedRange {
  readonly from?: number;
  readonly seeds: number;
  /** Processes at once. */
  readonly parallel: number;
  readonly stopAtFailure?: boolean;
}

export type Failed = Extract<Answer, { kind: "failed" }>;

/** Plays schedules in processes of their own. What they run is bundled into a folder from which packages are found. */
export class Workers {
  readonly #folder: string;
  readonly #children = new Set<ChildProcess>();

  private constructor(folder: string) {
    this.#folder = folder;
  }

  /** @param mutation a bug to put into the program */
  static async open(projectFolder: string, mutation?: Mutation): Promise<Workers> {
    const cache = join(projectFolder, "node_modules/.cache");
    mkdirSync(cache, { recursive: true });
    const workers = new Workers(mkdtempSync(join(cache, "walrust-simulation-")));
    writeFileSync(workers.#program, await bundleProgram(projectFolder, mutation));
    writeFileSync(workers.#worker, await bundleWorker(projectFolder));
    return workers;
  }

  get #program(): string {
    return join(this.#folder, "program.cjs");
  }

  get #worker(): string {
    return join(this.#folder, "worker.mjs");
  }

  /** Answers as they come. Throws when the worker ends by itself with an error. */
  async *ask(task: Unplaced<Task>): AsyncGenerator<Answer> {
    const argument = JSON.stringify({ ...task, program: this.#program });
    const child = spawn(process.execPath, [this.#worker, argument], { stdio: ["pipe", "pipe", "inherit"] });
    this.#children.add(child);
    const ended = new Promise<number | null>((resolve) => child.once("exit", resolve));
    for await (const line of createInterface({ input: child.stdout })) yield JSON.parse(line) as Answer;
    const code = await ended;
    this.#children.delete(child);
    if (code !== 0 && code !== null)
      throw new Error(`a worker of the simulation ended with exit code ${code}`);
  }

  /** Plays one schedule: its story, and what is wrong in the end. */
  async tell(schedule: Schedule | number): Promise<Extract<Answer, { kind: "told" }>> {
    for await (const answer of this.ask({ kind: "schedule", schedule, shrinks: false }))
      if (answer.kind === "told") return answer;
    throw new Error("the worker told nothing");
  }

  /** Plays seeds, up to the first failure if that is asked for. Resolves with the failures. */
  async play(range: SeedRange, onAnswer: (answer: Answer) => void = () => {}): Promise<readonly Failed[]> {
    const { from = 0, seeds, parallel, stopAtFailure = false } = range;
    const failures: Failed[] = [];
    const playEvery = async (first: number) => {
      const task = { kind: "seeds", from: first, to: from + seeds, step: parallel, stopAtFailure } as const;
      for await (const answer of this.ask(task)) {
        onAnswer(answer);
        if (answer.kind === "failed") failures.push(answer);
        if (answer.kind === "failed" && stopAtFailure) this.#kill();
      }
    };
    await Promise.all(Array.from({ length: parallel }, (_, index) => playEvery(from + index)));
    return failures;
  }

  close(): void {
    this.#kill();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  #kill(): void {
    for (const child of this.#children) child.kill("SIGKILL");
  }
}
