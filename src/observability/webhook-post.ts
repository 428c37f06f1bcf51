import { request as httpRequest } from "node:http";
import { request as httpsRequest } from "node:https";
import type { Clock } from "../clock.ts";

export interface Post {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/**
 * - `taken`: 2xx
 * - `refused`: an answer that will not change by asking again; a redirect is one, since who may know the signature is named in the settings
 * - `failed`: no answer, or one of trouble over there
 */
export type PostOutcome =
  | { readonly kind: "taken" }
  | { readonly kind: "refused" | "failed"; readonly why: string };

/** For all of it: name, connection, sending and the answer. */
const LIMIT_MS = 10_000;
/** Refusals that pass. */
const PASSING: ReadonlySet<number> = new Set([408, 425, 429]);

/** One try to deliver. Never rejects; messages name neither the URL, which may hold a token, nor what was sent. */
export function post({ url, headers, body }: Post, clock: Clock, signal: AbortSignal): Promise<PostOutcome> {
  return new Promise((resolve) => {
    const target = new URL(url);
    const send = target.protocol === "https:" ? httpsRequest : httpRequest;
    const request = send(target, { method: "POST", headers, agent: false }, (response) => {
      response.resume(); // what it says beside its status is not for us
      response.on("error", () => {});
      end(outcomeOf(response.statusCode ?? 0));
    });
    const onAbort = () => end({ kind: "failed", why: "given up at the end" });
    const cancel = clock.schedule(LIMIT_MS, () => end({ kind: "failed", why: "no answer in time" }));
    const end = (outcome: PostOutcome) => {
      cancel();
      signal.removeEventListener("abort", onAbort);
      request.destroy();
      resolve(outcome);
    };
    request.on("error", (error: NodeJS.ErrnoException) => {
      end({ kind: "failed", why: error.code ?? "the connection failed" });
    });
    signal.addEventListener("abort", onAbort, { once: true });
    if (signal.aborted) onAbort();
    else request.end(body);
  });
}

function outcomeOf(status: number): PostOutcome {
  if (status >= 200 && status < 300) return { kind: "taken" };
  const why = `answered ${status}`;
  return status >= 500 || PASSING.has(status) ? { kind: "failed", why } : { kind: "refused", why };
}
