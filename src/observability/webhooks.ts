import type { WebhookSettings } from "../config/settings.ts";
import { type EventSink, type WalrustEvent, WEBHOOK_EVENTS } from "../events.ts";
import { webhookPayload } from "./webhook-payload.ts";
import { WebhookQueue, type WebhookQueueOptions } from "./webhook-queue.ts";

/** Of one kind, about one database: trouble that lasts is told at its start and then so often, with what it counts. */
const REPEAT_MS = 60_000;
/** How long the end waits for what is still to be told. */
const CLOSE_LIMIT_MS = 5000;

/** Tells the webhooks of the settings what somebody may have to act on. */
export class Webhooks {
  readonly #queues: readonly WebhookQueue[];
  readonly #options: WebhookQueueOptions;
  /** When each kind of event of each database was last told, on the monotonic clock; forgotten when it may be told again. */
  readonly #told = new Map<string, number>();
  #nextSweepMs = 0;

  constructor(settings: readonly WebhookSettings[], options: WebhookQueueOptions) {
    this.#options = options;
    this.#queues = settings.map((webhook) => new WebhookQueue(webhook, options));
  }

  readonly hear: EventSink = (event) => {
    if (!isWebhookEvent(event)) return;
    const queues = this.#queues.filter((queue) => queue.wants(event.type));
    if (queues.length === 0 || this.#isRepeated(event)) return;
    const { clock, version } = this.#options;
    const body = webhookPayload(event, { timestampMs: clock.now(), version });
    for (const queue of queues) queue.push(body);
  };

  /** Delivers what waits, as far as it goes within a few seconds. */
  async close(): Promise<void> {
    await Promise.all(this.#queues.map((queue) => queue.close(CLOSE_LIMIT_MS)));
  }

  #isRepeated({ type, database }: WalrustEvent): boolean {
    const nowMs = this.#options.clock.monotonicMs();
    const key = `${type} ${database}`;
    const toldMs = this.#told.get(key);
    if (toldMs !== undefined && nowMs - toldMs < REPEAT_MS) return true;
    if (nowMs >= this.#nextSweepMs) {
      for (const [other, atMs] of this.#told) if (nowMs - atMs >= REPEAT_MS) this.#told.delete(other);
      this.#nextSweepMs = nowMs + REPEAT_MS;
    }
    this.#told.set(key, nowMs);
    return false;
  }
}

const TOLD: ReadonlySet<string> = new Set(WEBHOOK_EVENTS);

function isWebhookEvent(event: WalrustEvent): boolean {
  return TOLD.has(event.type);
}
