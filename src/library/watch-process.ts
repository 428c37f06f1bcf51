import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { createInterface } from "node:readline";
import type { Clock } from "../clock.ts";
import { WalrustError } from "../errors.ts";
import { parse } from "../json.ts";

export interface WatchProcessOptions {
  /** dist/cli.js */
  readonly program: string;
  readonly toml: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly clock: Clock;
  /** Each line of `watch --json`, parsed; integers beyond 2^53 as bigint. */
  readonly onEvent: (event: Readonly<Record<string, unknown>>) => void;
}

const FIRST_PAUSE_MS = 1000;
const LONGEST_PAUSE_MS = 60_000;
/** Who ran this long was well: the next pause is short again. */
const WELL_AFTER_MS = 60_000;
/** A mistake in the configuration is the same the next time. */
const USAGE_EXIT_CODE = 2;

/**
 * The daemon as a child process, started again when it dies. It is a process of its own because POSIX locks belong to a
 * process: touching the application's open database in the same one would drop SQLite's locks (capture.md).
 */
export class WatchProcess {
  /** Settles when it is over: after stop(), or rejected when it cannot go on. */
  readonly ended: Promise<void>;
  readonly #options: WatchProcessOptions;
  readonly #stop = new AbortController();
  #child: ChildProcess | undefined;

  constructor(options: WatchProcessOptions) {
    this.#options = options;
    this.ended = this.#supervise();
    this.ended.catch(() => {}); // who wants to know asks `ended` or stop()
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** Publishes what is pending, and ends. Errors: UNPUBLISHED when commits stay behind that storage does not have. */
  stop(): Promise<void> {
    this.#stop.abort();
    this.#child?.kill("SIGTERM");
    return this.ended;
  }

  async #supervise(): Promise<void> {
    const folder = mkdtempSync(path.join(tmpdir(), "walrust-"));
    const config = path.join(folder, "walrust.toml");
    try {
      writeFileSync(config, this.#options.toml, { mode: 0o600 });
      await this.#keepRunning(config);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  }

  async #keepRunning(config: string): Promise<void> {
    const { clock } = this.#options;
    for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS)) {
      const startedMs = clock.monotonicMs();
      const { code, errorText } = await this.#runOnce(config);
      if (this.#stop.signal.aborted) return endedInOrder(code, errorText);
      if (code === USAGE_EXIT_CODE) throw new WalrustError("CONFIG_INVALID", errorText);
      if (clock.monotonicMs() - startedMs > WELL_AFTER_MS) pauseMs = FIRST_PAUSE_MS;
      await clock.sleep(pauseMs, { signal: this.#stop.signal }).catch(() => {});
      if (this.#stop.signal.aborted) return endedInOrder(code, errorText);
    }
  }

  /** The channel of ipc closes when this process dies, however it dies: the daemon then ends too. */
  #runOnce(config: string): Promise<{ readonly code: number | null; readonly errorText: string }> {
    const { program, env, onEvent } = this.#options;
    const child = spawn(process.execPath, [program, "watch", "--config", config, "--json"], {
      env,
      stdio: ["ignore", "pipe", "pipe", "ipc"],
    });
    this.#child = child;
    const errors = new LastLines();
    if (child.stdout)
      createInterface({ input: child.stdout }).on("line", (line) => onEvent(parseEvent(line)));
    if (child.stderr) createInterface({ input: child.stderr }).on("line", (line) => errors.add(line));
    return new Promise((resolve, reject) => {
      child.on("error", (cause) =>
        reject(new WalrustError("INTERNAL", "the daemon cannot be started", { cause })),
      );
      child.on("close", (code) => resolve({ code, errorText: errors.text() }));
    });
  }
}

function endedInOrder(code: number | null, errorText: string): void {
  if (code === 0) return;
  throw new WalrustError("UNPUBLISHED", `the daemon ended with exit code ${code}: ${errorText}`);
}

/** What it said last: enough for a message, and bounded however much it says. */
class LastLines {
  readonly #lines: string[] = [];

  add(line: string): void {
    this.#lines.push(line);
    if (this.#lines.length > 10) this.#lines.shift();
  }

  text(): string {
    return this.#lines.join("\n");
  }
}

function parseEvent(line: string): Readonly<Record<string, unknown>> {
  return parse(line) as Readonly<Record<string, unknown>>;
}
