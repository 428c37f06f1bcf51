import type { Clock } from "../clock.ts";
import type { WalrustError } from "../errors.ts";
import { type ProgramOptions, type RunningProgram, startProgram, withConfigFile } from "./program.ts";

export interface WatchProcessOptions extends ProgramOptions {
  /** The arguments, without `--config`. */
  readonly command: readonly string[];
  readonly toml: string;
  readonly clock: Clock;
}

const FIRST_PAUSE_MS = 1000;
const LONGEST_PAUSE_MS = 60_000;
/** Who ran this long was well: the next pause is short again. */
const WELL_AFTER_MS = 60_000;
/** A mistake in the configuration is the same the next time, and another writer stays the writer. */
const USAGE_EXIT_CODE = 2;

/** The daemon, or what keeps a replica, as a child process, started again when it ends without being asked to. */
export class WatchProcess {
  /** Settles when it is over: after stop(), or rejected when it cannot go on. */
  readonly ended: Promise<void>;
  readonly #options: WatchProcessOptions;
  readonly #stop = new AbortController();
  #running: RunningProgram | undefined;

  constructor(options: WatchProcessOptions) {
    this.#options = options;
    this.ended = withConfigFile(options.toml, (config) => this.#supervise(config));
    this.ended.catch(() => {}); // whoever wants to know asks `ended` or stop()
  }

  /** Of the daemon that runs now. */
  get pid(): number | undefined {
    return this.#running?.pid;
  }

  /** Publishes what is pending, and ends. Errors: UNPUBLISHED when commits stay behind that storage does not have. */
  stop(): Promise<void> {
    this.#stop.abort();
    this.#running?.stop();
    return this.ended;
  }

  async #supervise(config: string): Promise<void> {
    const { clock } = this.#options;
    const { signal } = this.#stop;
    let pauseMs = FIRST_PAUSE_MS;
    while (!signal.aborted) {
      const startedMs = clock.monotonicMs();
      const error = await this.#runOnce(config);
      if (signal.aborted || error?.exitCode === USAGE_EXIT_CODE || error?.code === "STORAGE_FENCED") {
        if (error) throw error;
        return;
      }
      pauseMs = clock.monotonicMs() - startedMs > WELL_AFTER_MS ? FIRST_PAUSE_MS : pauseMs;
      await clock.sleep(pauseMs, { signal }).catch(() => {});
      pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS);
    }
  }

  #runOnce(config: string): Promise<WalrustError | undefined> {
    this.#running = startProgram([...this.#options.command, "--config", config], this.#options);
    return this.#running.ended;
  }
}
