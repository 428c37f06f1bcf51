import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, openSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Course } from "./course.ts";
import type { Place } from "./place.ts";

/** Before a program has read its own code, SIGTERM ends it as it ends any program. */
const YOUNG_MS = 10_000;

/** A `watch` or `replicate` that runs for as long as the run, through restarts. Its output goes to files. */
export class Daemon {
  /** Counts the starts, from 0. */
  life = -1;
  readonly #name: string;
  readonly #place: Place;
  readonly #args: readonly string[];
  readonly #course: Course;
  #child: ChildProcess | undefined;
  #startedMs = 0;

  /** @param args of the program */
  constructor(name: string, place: Place, course: Course, args: readonly string[]) {
    this.#name = name;
    this.#place = place;
    this.#course = course;
    this.#args = args;
    process.once("exit", () => this.#child?.kill("SIGKILL"));
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  get #logFile(): string {
    return join(this.#place.out, `${this.#name}-log.jsonl`);
  }

  start(): void {
    const { out, program, config, env } = this.#place;
    const [events, log] = [join(out, `${this.#name}-events.jsonl`), this.#logFile].map((file) =>
      openSync(file, "a"),
    );
    const child = spawn(
      process.execPath,
      ["--trace-warnings", program, ...this.#args, "--json", "--config", config],
      {
        ...{ cwd: out, env },
        stdio: ["ignore", events ?? "ignore", log ?? "ignore"],
      },
    );
    for (const descriptor of [events, log]) if (descriptor !== undefined) closeSync(descriptor);
    this.life += 1;
    this.#startedMs = performance.now();
    this.#child = child;
    child.once("exit", (code, signal) => {
      // whoever ended it has forgotten it before
      if (this.#child !== child) return;
      this.#child = undefined;
      this.#course.find(`${this.#name} ended by itself: ${code ?? signal}; see ${this.#name}-log.jsonl`);
    });
  }

  /** SIGKILL, in the middle of whatever it does. */
  kill(): Promise<unknown> {
    return this.#end("SIGKILL", 60_000);
  }

  reload(): void {
    this.#child?.kill("SIGHUP");
  }

  /** SIGTERM; a finding unless it ends with 0 in time. */
  async stop(limitMs = 120_000): Promise<void> {
    if (this.#child === undefined) return;
    const isYoung = performance.now() - this.#startedMs < YOUNG_MS;
    const code = await this.#end("SIGTERM", limitMs);
    if (code !== 0 && !(isYoung && code === "SIGTERM"))
      this.#course.find(`${this.#name} ended with ${code} after SIGTERM; see ${this.#name}-log.jsonl`);
  }

  /** What Node warned of: listeners or promises that nobody takes care of. */
  warnings(): readonly string[] {
    const log = readFileSync(this.#logFile, "utf8");
    const found = log.split("\n").filter((line) => /^\(node:\d+\) /.test(line));
    return [...new Set(found.map((line) => `${this.#name} says: ${line.replace(/^\(node:\d+\) /, "")}`))];
  }

  async #end(signal: NodeJS.Signals, limitMs: number): Promise<number | string | undefined> {
    const child = this.#child;
    if (child === undefined) return undefined;
    this.#child = undefined;
    const done = new AbortController();
    const ended = new Promise<number | string>((resolve) => {
      child.once("exit", (code, by) => resolve(code ?? by ?? "nothing"));
    });
    child.kill(signal);
    const late = sleep(limitMs, "nothing within its time", { signal: done.signal }).catch(() => "");
    const how = await Promise.race([ended, late]);
    done.abort();
    child.kill("SIGKILL");
    return how;
  }
}
