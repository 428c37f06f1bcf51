import { readFile } from "node:fs/promises";
import type { Clock } from "../clock.ts";
import type { Settings } from "../config/settings.ts";
import { toWalrustError } from "../errors.ts";
import type { Log } from "../observability/log.ts";
import { Waker } from "./waker.ts";

/** Where settings come from while the daemon runs. */
export interface ConfigSource {
  /** The file, absolute. It need not be there. */
  readonly path: string;
  /** What it said when the daemon's settings were read; undefined: it was not there. */
  readonly text: string | undefined;
  /** What all sources say now, flags and environment included. Errors: CONFIG_INVALID, CONFIG_NOT_FOUND. */
  read(): Promise<Settings>;
  /** They hold from now on. Applies what lies outside the daemon, and returns those that the daemon goes on with. */
  take(settings: Settings): Settings;
  /** Calls `ask` whenever somebody wants the file to be read again (SIGHUP); the function returned ends that. */
  onAsked(ask: () => void): () => void;
}

export interface NewSettings {
  readonly settings: Settings;
  /** Somebody asked, and waits for a word. */
  readonly isAsked: boolean;
}

export interface ConfigFollowerOptions {
  readonly source: ConfigSource;
  readonly clock: Clock;
  readonly log: Log;
  readonly onSettings: (settings: NewSettings) => void;
}

/** How often the file is looked at where nothing hints at a change (network file systems, mounted ConfigMaps). */
const POLL_MS = 3000;
/** An editor may write in pieces, or take the file away before it puts the new one in its place. */
const QUIET_MS = 500;

/**
 * Reads the configuration again when its file changes, by content (neither size nor time prove anything), or when somebody asks. What cannot be
 * used is reported once for each content, and what runs goes on as it is.
 */
export class ConfigFollower {
  readonly #options: ConfigFollowerOptions;
  readonly #waker: Waker;
  readonly #endAsking: () => void;
  #known: string | undefined;
  #isAsked = false;

  constructor(options: ConfigFollowerOptions) {
    this.#options = options;
    this.#waker = new Waker(options.clock);
    this.#known = options.source.text;
    this.#endAsking = options.source.onAsked(() => {
      this.#isAsked = true;
      this.#waker.wake();
    });
  }

  get path(): string {
    return this.#options.source.path;
  }

  /** The file may have changed. */
  hint(): void {
    this.#waker.wake();
  }

  /** Until the stop. What was asked before counts too. */
  async run(stop: AbortSignal): Promise<void> {
    const { clock } = this.#options;
    stop.addEventListener("abort", () => this.#waker.wake(), { once: true });
    try {
      while (!stop.aborted) {
        await this.#waker.sleepUntil(clock.monotonicMs() + POLL_MS);
        if (!stop.aborted) await this.#look(stop);
      }
    } finally {
      this.#endAsking();
    }
  }

  async #look(stop: AbortSignal): Promise<void> {
    const { clock } = this.#options;
    const isAsked = this.#isAsked;
    this.#isAsked = false;
    const text = await this.#text();
    if (isAsked) return this.#take(text, true);
    if (text === this.#known) return;
    await clock.sleep(QUIET_MS, { signal: stop }).catch(() => {});
    if (stop.aborted) return;
    if ((await this.#text()) === text) await this.#take(text, false);
    else this.#waker.wake();
  }

  async #take(text: string | undefined, isAsked: boolean): Promise<void> {
    const { source, log, onSettings } = this.#options;
    const before = this.#known;
    this.#known = text;
    if (text === undefined) {
      const what =
        before === undefined ? "there is no configuration file" : "the configuration cannot be read any more";
      log.warn({}, `${what} (${source.path}): everything stays as it is`);
      return;
    }
    try {
      const settings = await source.read();
      if ((await this.#text()) === text) {
        onSettings({ settings: source.take(settings), isAsked });
        return;
      }
      this.#known = before; // it was changed under our hands, and is looked at once more
      this.#isAsked ||= isAsked;
      this.#waker.wake();
    } catch (error) {
      const { message, hint, details } = toWalrustError(error);
      const advice = hint === undefined ? "" : ` (${hint})`;
      log.error(details, `${message}${advice}: everything stays as it is`);
    }
  }

  /** What cannot be read counts as absent: a folder that is unmounted for a moment must not end a backup. */
  #text(): Promise<string | undefined> {
    return readFile(this.#options.source.path, "utf8").catch(() => undefined);
  }
}
