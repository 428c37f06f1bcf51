import { createHmac } from "node:crypto";
import type { WalrustEvent } from "../events.ts";
import { stringify } from "../json.ts";
import { eventFacts } from "./event-facts.ts";

export interface PayloadOptions {
  /** Unix ms, when it happened. */
  readonly timestampMs: number;
  /** Of walrust. */
  readonly version: string;
}

/** The body of a webhook (surface.md, "Events"). `context`: the event's own facts, as `watch --json` tells them. */
export function webhookPayload(event: WalrustEvent, { timestampMs, version }: PayloadOptions): string {
  const { type, database, attempts = null, ...context } = eventFacts(event);
  return stringify({
    event: type,
    database,
    error: "error" in event ? event.error.message : null,
    attempts,
    timestamp: new Date(timestampMs).toISOString(),
    version,
    context,
  }) as string;
}

/** `X-Walrust-Signature`: over the raw bytes of the body. */
export function webhookSignature(body: string, secret: string): string {
  return `sha256=${createHmac("sha256", secret).update(body).digest("hex")}`;
}
