import { writeFileSync } from "node:fs";
import { type Child, spawnChild } from "./child.ts";
import type { SpreadLoad, SpreadRecord } from "./spread.ts";
import { until } from "./until.ts";
import { VoidRun } from "./workload.ts";

/** The application of a run, in a process of its own. */
export interface Writer {
  /** Makes a closed database of about `megabytes`. */
  fill(path: string, megabytes: number): Promise<Filled>;
  /** Commits at full speed for `seconds`, with SQLite's own autocheckpoint, and keeps its connection until `end`. */
  flood(path: string, seconds: number): Promise<Flood>;
  /** Single commits with pauses (LONE_GAP_SECONDS by itself): one line of stdout each, a LoneCommit. Ends after a line on stdin. */
  lone(path: string, options: LoneOptions): Child;
  /** Commits one large transaction, and keeps its connection until `end`. */
  transact(path: string, megabytes: number): Promise<Transaction>;
  /** Commits that change `pages` pages, one after each line on stdin: one line of stdout each, a RevisionCommit. Ends after one line more. */
  revise(path: string, options: Revisions): Child;
  /** A light writer's own checkpoints: one line of stdout each, a CheckpointTry. Ends after a line on stdin. */
  checkpoint(path: string, options: { readonly count: number; readonly withinMs: number }): Child;
  /** Begins to commit to many databases; `list` is a file of its own. Resolves with the first commit. */
  spread(list: string, paths: readonly string[], load: SpreadLoad): Promise<Spreading>;
  /** Throws VoidRun unless the database is whole and holds exactly the rows 1..rows as they were written and then revised. */
  check(path: string, rows: number, revised?: Revisions): Promise<void>;
}

export interface LoneOptions {
  readonly commits: number;
  readonly seed: number;
  readonly gapSeconds?: { readonly least: number; readonly most: number };
}

export interface Revisions {
  readonly commits: number;
  /** Changed by each of them. */
  readonly pages: number;
}

/** `bytes`: of the whole database after it. */
export interface Transaction extends Filled {
  readonly committedNs: string;
  end(): Promise<void>;
}

export interface Spreading {
  /** When all commits are made. The connections stay until `end`. */
  readonly done: Promise<SpreadRecord>;
  end(): Promise<void>;
}

export interface Filled {
  readonly rows: number;
  readonly bytes: number;
}

export interface Flood {
  readonly rows: number;
  readonly commits: number;
  readonly seconds: number;
  /** The longest time from one commit's return to the next one's. */
  readonly worstStallMs: number;
  end(): Promise<void>;
}

export interface LoneCommit {
  readonly rows: number;
  /** Of process.hrtime (CLOCK_MONOTONIC) when COMMIT had returned, in decimal. */
  readonly committedNs: string;
}

export interface RevisionCommit extends LoneCommit {
  /** Counts from 1. */
  readonly revision: number;
}

export interface CheckpointTry {
  readonly rows: number;
  readonly mode: "FULL" | "RESTART" | "TRUNCATE";
  /** SQLite did all that the mode asks for. */
  readonly isDone: boolean;
  readonly ms: number;
}

/** Lone commits come this far apart: always after a quiet sync interval, at no fixed phase of anybody's timer. */
export const LONE_GAP_SECONDS = { least: 2.5, most: 3.5 } as const;

/** @param program dist/bench-writer.js (writer-process.ts) */
export function writerProcess(program: string): Writer {
  const start = (...args: readonly (string | number)[]): Child =>
    spawnChild(process.execPath, [program, ...args.map(String)]);
  return {
    fill: async (path, megabytes) => {
      const exit = await start("fill", path, megabytes).exited;
      if (exit.code !== 0) throw new VoidRun(`the writer failed: ${exit.stderr}`);
      return JSON.parse(exit.stdout) as Filled;
    },
    flood: async (path, seconds) => {
      const child = start("flood", path, seconds);
      return { ...(await firstLine<Omit<Flood, "end">>(child, seconds)), end: () => endWriter(child) };
    },
    lone: (path, { commits, seed, gapSeconds: { least, most } = LONE_GAP_SECONDS }) =>
      start("lone", path, commits, least, most, seed),
    transact: async (path, megabytes) => {
      const child = start("transact", path, megabytes);
      return {
        ...(await firstLine<Omit<Transaction, "end">>(child, megabytes)),
        end: () => endWriter(child),
      };
    },
    revise: (path, { commits, pages }) => start("revise", path, commits, pages),
    checkpoint: (path, { count, withinMs }) => start("checkpoint", path, count, withinMs),
    spread: async (list, paths, { rate, seconds, seed = 0 }) => {
      writeFileSync(list, `${paths.join("\n")}\n`);
      const child = start("spread", list, rate, seconds, seed);
      await lineNumber(1, child, 60);
      return { done: lineNumber<SpreadRecord>(2, child, seconds), end: () => endWriter(child) };
    },
    check: async (path, rows, revised) => {
      const revisions = revised === undefined ? [] : [revised.commits, revised.pages];
      const exit = await start("check", path, rows, ...revisions).exited;
      if (exit.code !== 0)
        throw new VoidRun(`${path} differs from the writer's record: ${exit.stdout}${exit.stderr}`);
    },
  };
}

/** The last line that a writer printed. */
export function lastLine<T>(child: Child): T {
  return parsed<T>(child, child.lines.at(-1));
}

/** Tells a writer that its work is done, and waits until it has closed its connection. */
export async function endWriter(child: Child): Promise<void> {
  child.write("\n");
  const exit = await child.exited;
  if (exit.code !== 0) throw new VoidRun(`the writer failed: ${exit.stderr}`);
}

function firstLine<T>(child: Child, expectedSeconds: number): Promise<T> {
  return lineNumber<T>(1, child, expectedSeconds);
}

async function lineNumber<T>(count: number, child: Child, expectedSeconds: number): Promise<T> {
  await until("the writer's result", () => child.lines.length >= count || !child.running(), {
    limitMs: expectedSeconds * 1000 + 60_000,
  });
  return parsed<T>(child, child.lines[count - 1]);
}

function parsed<T>(child: Child, line: string | undefined): T {
  if (line === undefined) throw new VoidRun(`the writer failed: ${child.stderr()}`);
  return JSON.parse(line) as T;
}
