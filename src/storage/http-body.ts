import { systemClock } from "../clock.ts";
import { WalrustError } from "../errors.ts";

/** So much may wait for its reader before the connection is held. */
const HIGH_WATER_BYTES = 256 * 1024;

interface Flow {
  pause(): void;
  resume(): void;
  abort(reason: Error): void;
}

/**
 * What a body has to bring while its reader waits: nobody is held for ever by one that drips. In the system's time, like the timeouts of
 * the connection.
 */
export interface LeastSpeed {
  readonly graceMs: number;
  readonly slowestBytesPerMs: number;
}

/** The body of an answer as it comes. One reader; pieces are never used again by the connection. */
export class HttpBody implements AsyncIterable<Uint8Array> {
  readonly #flow: Flow;
  readonly #leastSpeed: LeastSpeed;
  readonly #typed: (error: unknown) => Error;
  readonly #waiting: Uint8Array[] = [];
  #waitingBytes = 0;
  #state: "open" | "ended" | "failed" | "abandoned" = "open";
  #error: unknown;
  #wake: (() => void) | undefined;
  #waitingSinceMs: number | undefined;
  #waitedMs = 0;
  #receivedBytes = 0;

  constructor(flow: Flow, leastSpeed: LeastSpeed, typed: (error: unknown) => Error) {
    this.#flow = flow;
    this.#leastSpeed = leastSpeed;
    this.#typed = typed;
  }

  push(chunk: Uint8Array): void {
    if (this.#state !== "open") return;
    this.#receivedBytes += chunk.length;
    if (this.#isTooSlow()) {
      this.fail(Object.assign(new Error("the answer comes too slowly"), { code: "TOO_SLOW" }));
      this.#flow.abort(new Error("too slow"));
      return;
    }
    this.#waiting.push(chunk);
    this.#waitingBytes += chunk.length;
    if (this.#waitingBytes >= HIGH_WATER_BYTES) this.#flow.pause();
    this.#wake?.();
  }

  end(): void {
    if (this.#state === "open") this.#state = "ended";
    this.#wake?.();
  }

  fail(error: unknown): void {
    if (this.#state !== "open") return;
    this.#state = "failed";
    this.#error = error;
    this.#wake?.();
  }

  /** The next piece; undefined at the end. What came before a failure is given first. */
  async next(): Promise<Uint8Array | undefined> {
    for (;;) {
      const chunk = this.#waiting.shift();
      if (chunk !== undefined) {
        this.#waitingBytes -= chunk.length;
        if (this.#waitingBytes === 0 && this.#state === "open") this.#flow.resume();
        return chunk;
      }
      if (this.#state === "failed") throw this.#typed(this.#error);
      if (this.#state !== "open") return undefined;
      this.#waitingSinceMs ??= systemClock.monotonicMs();
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
      this.#wake = undefined;
    }
  }

  #isTooSlow(): boolean {
    if (this.#waitingSinceMs === undefined) return false;
    this.#waitedMs += systemClock.monotonicMs() - this.#waitingSinceMs;
    this.#waitingSinceMs = undefined;
    return (
      this.#waitedMs > this.#leastSpeed.graceMs + this.#receivedBytes / this.#leastSpeed.slowestBytesPerMs
    );
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    try {
      for (let chunk = await this.next(); chunk !== undefined; chunk = await this.next()) yield chunk;
    } finally {
      this.abandon();
    }
  }

  /** The whole of it. Errors: STORAGE_REJECTED when it is larger than `maxBytes`. */
  async collect(maxBytes: number): Promise<Buffer> {
    const chunks: Uint8Array[] = [];
    let size = 0;
    for await (const chunk of this) {
      size += chunk.length;
      if (size > maxBytes) {
        throw new WalrustError(
          "STORAGE_REJECTED",
          `storage answered with more than the ${maxBytes} bytes that were expected`,
        );
      }
      chunks.push(chunk);
    }
    return chunks.length === 1 && Buffer.isBuffer(chunks[0]) ? chunks[0] : Buffer.concat(chunks);
  }

  /** No one reads on: breaks the connection off unless the answer is complete. */
  abandon(): void {
    if (this.#state !== "open") return;
    this.#state = "abandoned";
    this.#waiting.length = 0;
    this.#flow.abort(new Error("abandoned"));
  }
}
