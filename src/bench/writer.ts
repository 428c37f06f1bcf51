import { type Child, spawnChild } from "./child.ts";
import { until } from "./until.ts";
import { VoidRun } from "./workload.ts";

/** The application of a run, in a process of its own. */
export interface Writer {
  /** Makes a closed database of about `megabytes`. */
  fill(path: string, megabytes: number): Promise<Filled>;
  /** Commits at full speed for `seconds`, and keeps its connection until `end`. */
  flood(path: string, seconds: number): Promise<Flood>;
  /** Single commits with pauses: one line of stdout each, a LoneCommit. Ends after a line on stdin. */
  lone(path: string, options: { readonly commits: number; readonly seed: number }): Child;
  /** Throws VoidRun unless the database is whole and holds exactly the rows 1..rows as they were written. */
  check(path: string, rows: number): Promise<void>;
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

/** Lone commits come this far apart: always after a quiet sync interval, at no fixed phase of anybody's timer. */
export const LONE_GAP_SECONDS = { least: 2.5, most: 3.5 } as const;

/** @param program dist/bench-writer.js (writer-process.ts) */
export function writerProcess(program: string): Writer {
  const start = (...args: readonly (string | number)[]): Child =>
    spawnChild(process.execPath, [program, ...args.map(String)]);
  return {
    fill: async (path, megabytes) => {
      const exit = await start("fill", path, megabytes).exited;
      if (exit.code !== 0) throw new Error(`the writer failed: ${exit.stderr}`);
      return JSON.parse(exit.stdout) as Filled;
    },
    flood: async (path, seconds) => {
      const child = start("flood", path, seconds);
      await until("the writer's result", () => child.lines.length > 0 || !child.running(), {
        limitMs: seconds * 1000 + 60_000,
      });
      const [line] = child.lines;
      if (line === undefined) throw new Error(`the writer failed: ${child.stderr()}`);
      const end = async () => {
        child.write("\n");
        await child.exited;
      };
      return { ...(JSON.parse(line) as Omit<Flood, "end">), end };
    },
    lone: (path, { commits, seed }) =>
      start("lone", path, commits, LONE_GAP_SECONDS.least, LONE_GAP_SECONDS.most, seed),
    check: async (path, rows) => {
      const exit = await start("check", path, rows).exited;
      if (exit.code !== 0)
        throw new VoidRun(`${path} differs from the writer's record: ${exit.stdout}${exit.stderr}`);
    },
  };
}
