import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

/** What writer.py understands. Whatever is not given is off, or as SQLite has it. */
export interface WriterOptions {
  readonly database: string;
  /** Transactions a second; 0 or absent: as fast as it goes. */
  readonly rate?: number;
  /** Stop by itself after so many. */
  readonly transactions?: number;
  readonly rowsPerTransaction?: number;
  /** Each so many transactions one of `largeRows` (2000). */
  readonly largeEvery?: number;
  readonly largeRows?: number;
  /** The application's own checkpoints, in a mode drawn from these, each `checkpointEveryMs` (50). */
  readonly checkpoints?: readonly ("PASSIVE" | "FULL" | "RESTART" | "TRUNCATE")[];
  readonly checkpointEveryMs?: number;
  readonly autocheckpoint?: number;
  readonly vacuumEvery?: number;
  /** A large transaction that spills into the log and is rolled back, each so many. Needs a small `cachePages`. */
  readonly rollbackEvery?: number;
  readonly cachePages?: number;
  /** Close and open the database after each transaction. */
  readonly reopen?: boolean;
  readonly busyTimeoutMs?: number;
  readonly synchronous?: "OFF" | "NORMAL" | "FULL";
  readonly autoVacuum?: "NONE" | "FULL" | "INCREMENTAL";
  readonly pageSize?: number;
  readonly seed?: number;
}

export interface WriterReport {
  readonly transactions: number;
  readonly rows: number;
  /** Transactions that got "database is locked" and were tried again. */
  readonly busy: number;
  readonly slowestCommitMs: number;
  readonly checkpoints: readonly { readonly mode: string; readonly ok: boolean; readonly ms: number }[];
}

export interface Writer {
  readonly pid: number;
  /** Every row up to this one is committed: a later copy must contain at least these. */
  acknowledged(): number;
  /** Ends after the transaction at hand; rejects if the writer had failed. */
  stop(): Promise<WriterReport>;
  /** Ends when `transactions` are done. */
  done(): Promise<WriterReport>;
  /** SIGKILL, in the middle of whatever it does. */
  kill(): Promise<void>;
}

type Line = { readonly ready?: true; readonly acknowledged?: number; readonly report?: WriterReport };

/** Resolves when the tables exist. The caller stops or kills what it started. */
export async function startWriter(options: WriterOptions): Promise<Writer> {
  const script = fileURLToPath(new URL("writer.py", import.meta.url));
  const child = spawn("python3", [script, JSON.stringify(options)], { stdio: ["ignore", "pipe", "pipe"] });
  const stderr = collect(child);
  const exited = once(child, "close");
  let acknowledged = 0;
  let report: WriterReport | undefined;
  const ready = new Promise<void>((resolve, reject) => {
    createInterface({ input: child.stdout }).on("line", (text) => {
      const line = JSON.parse(text) as Line;
      acknowledged = line.acknowledged ?? acknowledged;
      report = line.report ?? report;
      if (line.ready) resolve();
    });
    child.once("error", reject);
    child.once("close", () => reject(new Error(`the writer ended at once: ${stderr()}`)));
  });
  await ready;

  const done = async (): Promise<WriterReport> => {
    await exited;
    if (report === undefined) throw new Error(`the writer failed: ${stderr()}`);
    return report;
  };
  return {
    pid: child.pid ?? 0,
    acknowledged: () => acknowledged,
    done,
    stop: () => {
      child.kill("SIGTERM");
      return done();
    },
    kill: async () => {
      child.kill("SIGKILL");
      await exited;
    },
  };
}

function collect(child: ChildProcess): () => string {
  const pieces: Buffer[] = [];
  child.stderr?.on("data", (piece: Buffer) => pieces.push(piece));
  return () => Buffer.concat(pieces).toString();
}
