import type { Clock } from "../clock.ts";
import type { WebhookSettings } from "../config/settings.ts";
import type { Log } from "./log.ts";
import { webhookSignature } from "./webhook-payload.ts";
import type { PostOutcome } from "./webhook-post.ts";

export interface WebhookQueueOptions {
  readonly clock: Clock;
  readonly log: Log;
  readonly version: string;
}

/** Beyond it the oldest but the first go: how trouble began matters, and how it is now. */
const MAX_WAITING = 100;
const FIRST_RETRY_MS = 1000;
const LONGEST_RETRY_MS = 60_000;

/**
 * What one webhook is to be told, in order, one at a time, each tried again until it is taken or pushed out by newer ones. Bounded in memory, and
 * nobody waits for it but `close`.
 */
export class WebhookQueue {
  readonly #settings: WebhookSettings;
  readonly #options: WebhookQueueOptions;
  /** Without path, query and credentials, which may hold a token. */
  readonly #origin: string;
  readonly #abort = new AbortController();
  readonly #hurry = new AbortController();
  readonly #waiting: string[] = [];
  #working: Promise<void> | undefined;
  #lost = 0;
  #isTroubled = false;

  constructor(settings: WebhookSettings, options: WebhookQueueOptions) {
    this.#settings = settings;
    this.#options = options;
    this.#origin = new URL(settings.url).origin;
  }

  wants(event: string): boolean {
    const { events } = this.#settings;
    return events.length === 0 || events.includes(event);
  }

  push(body: string): void {
    this.#waiting.push(body);
    if (this.#waiting.length > MAX_WAITING) {
      this.#waiting.splice(1, 1); // the first is on its way
      this.#lost += 1;
    }
    this.#working ??= this.#work().finally(() => {
      this.#working = undefined;
    });
  }

  /** Each that waits is tried once more; what is not taken within `limitMs` is given up, and said. */
  async close(limitMs: number): Promise<void> {
    const { clock, log } = this.#options;
    this.#hurry.abort();
    const cancel = clock.schedule(limitMs, () => this.#abort.abort());
    await this.#working;
    cancel();
    const lost = this.#lost + this.#waiting.length;
    if (lost > 0)
      log.warn(
        { webhook: this.#origin, lost },
        `webhook ${this.#origin}: events that were not delivered: ${lost}`,
      );
  }

  async #work(): Promise<void> {
    for (let retryMs = FIRST_RETRY_MS; ; ) {
      const [body] = this.#waiting;
      if (body === undefined) return;
      const isLastTry = this.#hurry.signal.aborted;
      const outcome = await this.#post(body);
      if (outcome.kind === "failed") {
        this.#troubled(outcome.why);
        if (isLastTry) return;
        await this.#pause(retryMs);
        retryMs = Math.min(2 * retryMs, LONGEST_RETRY_MS);
        continue;
      }
      retryMs = FIRST_RETRY_MS;
      this.#waiting.shift();
      if (outcome.kind === "taken") this.#delivered();
      else this.#refused(outcome.why);
    }
  }

  async #post(body: string): Promise<PostOutcome> {
    const { url, secret } = this.#settings;
    const { clock, version } = this.#options;
    const { post } = await import("./webhook-post.ts"); // an HTTP client, for nobody before there is something to tell
    const headers = {
      "content-type": "application/json",
      "content-length": String(Buffer.byteLength(body)),
      "user-agent": `walrust/${version}`,
      ...(secret !== undefined && { "x-walrust-signature": webhookSignature(body, secret) }),
    };
    return post({ url, headers, body }, clock, this.#abort.signal);
  }

  async #pause(ms: number): Promise<void> {
    const { signal } = this.#hurry;
    await this.#options.clock.sleep(ms, { signal }).catch(() => {}); // told to hurry
  }

  #troubled(why: string): void {
    if (this.#isTroubled) return;
    this.#isTroubled = true;
    this.#options.log.warn(
      { webhook: this.#origin, reason: why },
      `webhook ${this.#origin} does not take events (${why}): they are tried again`,
    );
  }

  #refused(why: string): void {
    this.#options.log.warn(
      { webhook: this.#origin, reason: why },
      `webhook ${this.#origin} refused an event (${why}): it is not tried again`,
    );
  }

  #delivered(): void {
    if (!this.#isTroubled) return;
    const lost = this.#lost;
    this.#isTroubled = false;
    this.#lost = 0;
    const also = lost === 0 ? "" : `; ${lost} older ones were given up`;
    this.#options.log.info(
      { webhook: this.#origin, lost },
      `webhook ${this.#origin} takes events again${also}`,
    );
  }
}
