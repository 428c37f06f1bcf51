import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";

/** One process of a test or a benchmark, with everything that it printed. */
export interface Child {
  readonly pid: number;
  /** Lines of stdout so far. */
  readonly lines: readonly string[];
  stderr(): string;
  /** Resolves when the process has ended and its output is complete. */
  readonly exited: Promise<Exit>;
  /** Not before its output is complete is it over: what it said last counts too. */
  running(): boolean;
  /** Calls `listener` for every further line of stdout. */
  onLine(listener: (line: string) => void): void;
  write(text: string): void;
  kill(signal?: NodeJS.Signals): void;
}

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface SpawnOptions {
  readonly cwd?: string;
  /** The whole environment: nothing is inherited, so that no credential or proxy of the machine takes part. */
  readonly env?: Readonly<Record<string, string>>;
}

const alive = new Set<ChildProcess>();
process.once("exit", killChildren);

/** What a run left behind that ended before its end. */
export function killChildren(): void {
  for (const child of alive) child.kill("SIGKILL");
}

export function spawnChild(command: string, args: readonly string[], options: SpawnOptions = {}): Child {
  const child = spawn(command, args, {
    cwd: options.cwd,
    env: { PATH: process.env["PATH"], ...options.env },
    stdio: ["pipe", "pipe", "pipe"],
  });
  alive.add(child);
  const lines: string[] = [];
  const listeners: ((line: string) => void)[] = [];
  let stdout = "";
  let stderr = "";
  let isOver = false;
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    stderr += text;
  });
  createInterface({ input: child.stdout }).on("line", (line) => {
    lines.push(line);
    for (const listener of listeners) listener(line);
  });
  // A process that ended meanwhile closes the pipe: its exit tells, not the write.
  child.stdin.on("error", () => {});
  const exited = new Promise<Exit>((resolve, reject) => {
    child.once("error", (error) => {
      isOver = true;
      reject(error);
    });
    child.once("close", (code, signal) => {
      isOver = true;
      alive.delete(child);
      resolve({ code, signal, stdout, stderr });
    });
  });
  // Whoever never asks how it ended must not crash the run; those who ask still get the rejection.
  exited.catch(() => {});
  return {
    pid: child.pid ?? 0,
    lines,
    stderr: () => stderr,
    exited,
    running: () => !isOver,
    onLine: (listener) => {
      listeners.push(listener);
    },
    write: (text) => {
      child.stdin.write(text);
    },
    kill: (signal = "SIGKILL") => {
      child.kill(signal);
    },
  };
}
