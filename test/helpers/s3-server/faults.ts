import type { Answer } from "./operations.ts";
import type { RequestRecord } from "./server.ts";

/** What goes wrong with a request. */
export type Fault =
  /** Answered with a refusal; nothing happens. */
  | {
      readonly kind: "refuse";
      readonly status: number;
      readonly code?: string;
      readonly headers?: Readonly<Record<string, string>>;
    }
  /** An answer that is not S3's: a proxy, a captive portal. */
  | { readonly kind: "html"; readonly status: number }
  /** The connection breaks before anything happens, or after it happened: the lost answer. */
  | { readonly kind: "reset"; readonly when: "before" | "after" }
  /** Never answered; ends when the client gives up or the server closes. */
  | { readonly kind: "stall"; readonly when: "before" | "after" }
  /** The answer's body ends early: the connection breaks, or stays and says nothing more. */
  | { readonly kind: "cut"; readonly afterBytes: number; readonly how: "reset" | "stall" }
  /** Content-Length says so much more (or less) than the body has. */
  | { readonly kind: "length"; readonly differenceBytes: number }
  /** Another answer than the true one; nothing happens, or it happened. */
  | {
      readonly kind: "answer";
      readonly when: "instead" | "after";
      readonly change: (answer: Answer, request: RequestRecord) => Answer;
    }
  /** The true answer, a byte at a time. */
  | { readonly kind: "drip"; readonly everyMs: number; readonly what: "head" | "body" }
  /** The true answer's head without a length, and zeros for as long as somebody reads. */
  | { readonly kind: "endless" }
  /** The true answer, after a while. */
  | { readonly kind: "late"; readonly afterMs: number }
  /** The request's body is not read to its end: the connection breaks there, or the rest is left where it is. */
  | { readonly kind: "unread"; readonly afterBytes: number; readonly how: "reset" | "stall" };

interface Plan {
  readonly fault: Fault;
  readonly matches: (request: RequestRecord) => boolean;
  left: number;
}

/** Faults on demand, each for the next requests that match. */
export class Faults {
  readonly #plans: Plan[] = [];

  /**
   * @param match an operation (`PutObject`), or a test of the request
   * @param options `skip`: so many matching requests pass first; `times`: so many fail (1)
   */
  add(
    fault: Fault,
    match: string | ((request: RequestRecord) => boolean) = () => true,
    options: { readonly skip?: number; readonly times?: number } = {},
  ): void {
    let skip = options.skip ?? 0;
    const fits = typeof match === "string" ? (request: RequestRecord) => request.operation === match : match;
    this.#plans.push({
      fault,
      left: options.times ?? 1,
      matches: (request) => fits(request) && skip-- <= 0,
    });
  }

  clear(): void {
    this.#plans.length = 0;
  }

  /** @param of faults that show while the request's body comes, or behind it */
  take(request: RequestRecord, of: "body" | "answer" = "answer"): Fault | undefined {
    const plan = this.#plans.find(
      (one) => (one.fault.kind === "unread") === (of === "body") && one.left > 0 && one.matches(request),
    );
    if (plan === undefined) return undefined;
    plan.left--;
    return plan.fault;
  }
}
