import { fileURLToPath } from "node:url";
import { expect, onTestFinished } from "vitest";
import { spawnChild } from "../../../src/bench/child.ts";
import { NoHope, until } from "../../../src/bench/until.ts";

export interface ReaderOptions {
  readonly holdMs?: number;
  readonly readOnly?: boolean;
  readonly mayBeHot?: boolean;
}

export interface Reader {
  /** The newest state that it has seen, as its number of rows. */
  newest(): number;
  /** States seen so far. */
  states(): number;
  /** Waits until it has seen so many rows; fails as soon as it saw a state that is none. */
  untilSeen(rows: number, limitMs?: number): Promise<void>;
  /** Fails if it ever saw a state that is none. Returns how many transactions it read. */
  stop(): Promise<number>;
}

/** Every column of every row counts, so that all pages are read. */
const SOURCE = {
  last: "SELECT n FROM last",
  counts: ["SELECT count(v) FROM a", "SELECT count(v) FROM b"],
};
const WRITER = {
  last: "SELECT seq FROM last",
  counts: [
    "SELECT count(body) FROM log NOT INDEXED",
    "SELECT max(seq) FROM log",
    "SELECT count(*) FROM log WHERE body > ''",
  ],
};

/** A process that reads a replica of a Source in a loop: see reader.py. */
export function startReader(path: string, options: ReaderOptions = {}): Reader {
  return start(path, { ...SOURCE, ...options });
}

/** The same of a replica of what writer.py writes. */
export function startRowReader(path: string, options: ReaderOptions = {}): Reader {
  return start(path, { ...WRITER, ...options });
}

function start(path: string, options: object): Reader {
  const script = fileURLToPath(new URL("reader.py", import.meta.url));
  const child = spawnChild("python3", [script, path, JSON.stringify(options)]);
  onTestFinished(() => child.kill());
  const seen: number[] = [];
  let reads = 0;
  child.onLine((line) => {
    const fields = JSON.parse(line) as { readonly n?: number; readonly reads?: number };
    if (fields.n !== undefined) seen.push(fields.n);
    reads = fields.reads ?? reads;
  });
  return {
    newest: () => seen.at(-1) ?? 0,
    states: () => seen.length,
    untilSeen: async (rows, limitMs = 45_000) => {
      await until(
        `a reader sees ${rows} rows`,
        () => {
          if (!child.running()) throw new NoHope(`the reader ended: ${child.stderr()}`);
          return (seen.at(-1) ?? 0) >= rows;
        },
        { limitMs },
      );
    },
    stop: async () => {
      child.kill("SIGTERM");
      const exit = await child.exited;
      expect(exit.code, exit.stderr).toBe(0);
      return reads;
    },
  };
}
