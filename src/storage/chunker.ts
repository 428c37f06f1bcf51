import { WalrustError } from "../errors.ts";

/** Delivers chunk `index`. A chunk whose delivery returns undefined is kept by the receiver and never reused. */
export type DeliverChunk = (chunk: Uint8Array, index: number) => Promise<void> | undefined;

export interface ChunkerOptions {
  /** All chunks but the last have exactly this size. */
  readonly chunkSizeBytes: number;
  /** Room left at the start of the first chunk, counted as written. */
  readonly reservedBytes: number;
  /** A guess of the whole, so that a small body costs a small buffer. */
  readonly expectedSizeBytes: number;
  /** Deliveries at once. Memory is at most one chunk more than that, and what a single write brings beyond it. */
  readonly parallel: number;
  readonly deliver: DeliverChunk;
}

const SMALLEST_BUFFER_BYTES = 4096;
const NOTHING = Buffer.alloc(0);

/** Copies what is written into chunks of one size and hands full ones on, several at once; slow deliveries hold the writer. */
export class Chunker {
  readonly #options: ChunkerOptions;
  readonly #queue: Buffer[] = [];
  readonly #free: Buffer[] = [];
  #filling: Buffer;
  #filled: number;
  #nextIndex = 0;
  #underWay = 0;
  #failure: { readonly error: unknown } | undefined;
  #waiters: { readonly isDone: () => boolean; readonly settle: () => void }[] = [];

  constructor(options: ChunkerOptions) {
    this.#options = options;
    const wanted = options.reservedBytes + Math.max(options.expectedSizeBytes, SMALLEST_BUFFER_BYTES);
    this.#filling = Buffer.allocUnsafeSlow(Math.min(wanted, options.chunkSizeBytes));
    this.#filling.fill(0, 0, options.reservedBytes);
    this.#filled = options.reservedBytes;
  }

  /** Copies before it returns; a promise means: wait before the next write. Rejects when a delivery failed. */
  write(bytes: Uint8Array): Promise<void> | undefined {
    for (let done = 0; done < bytes.length; ) {
      // A full chunk waits for one more byte: only then is it known not to be the last one.
      if (this.#filled === this.#options.chunkSizeBytes) this.#enqueue();
      const take = Math.min(bytes.length - done, this.#options.chunkSizeBytes - this.#filled);
      this.#makeRoom(take);
      this.#filling.set(bytes.subarray(done, done + take), this.#filled);
      this.#filled += take;
      done += take;
    }
    const mayGoOn = () => this.#queue.length === 0;
    return this.#failure === undefined && mayGoOn() ? undefined : this.#until(mayGoOn);
  }

  /** What was not handed on: the last chunk, or all if there was just one. Valid until the chunker is dropped. */
  rest(): { readonly chunk: Uint8Array; readonly index: number } {
    return { chunk: this.#filling.subarray(0, this.#filled), index: this.#nextIndex };
  }

  /** Waits for all deliveries. Rejects when one failed. */
  settle(): Promise<void> {
    return this.#until(() => this.#queue.length === 0 && this.#underWay === 0);
  }

  /** Hands nothing more on and waits for the deliveries under way, however they end. */
  async stop(): Promise<void> {
    this.#queue.length = 0;
    this.#failure ??= { error: new WalrustError("ABORTED", "the upload was given up") };
    this.#wake();
    await new Promise<void>((resolve) => {
      this.#waiters.push({ isDone: () => this.#underWay === 0, settle: resolve });
      this.#wake();
    });
  }

  #makeRoom(count: number): void {
    const needed = this.#filled + count;
    if (needed <= this.#filling.length) return;
    const larger = this.#free.pop() ?? Buffer.allocUnsafeSlow(this.#sizeFor(needed));
    larger.set(this.#filling.subarray(0, this.#filled));
    this.#filling = larger;
  }

  /** Of a buffer for so many bytes of the present chunk. */
  #sizeFor(needed: number): number {
    const { chunkSizeBytes } = this.#options;
    // the writer waits behind this write, and goes on with a chunk that is free by then
    if (this.#queue.length > 0) return needed;
    return this.#nextIndex > 0
      ? chunkSizeBytes
      : Math.min(chunkSizeBytes, Math.max(needed, this.#filling.length * 2));
  }

  #enqueue(): void {
    this.#queue.push(this.#filling);
    this.#filling = NOTHING;
    this.#filled = 0;
    this.#pump();
  }

  #pump(): void {
    while (this.#failure === undefined && this.#underWay < this.#options.parallel) {
      const chunk = this.#queue.shift();
      if (chunk === undefined) break;
      const delivery = this.#options.deliver(chunk, this.#nextIndex++);
      if (delivery === undefined) continue;
      this.#underWay++;
      delivery.then(
        () => this.#delivered(chunk),
        (error: unknown) => {
          this.#failure ??= { error };
          this.#delivered(undefined);
        },
      );
    }
  }

  #delivered(chunk: Buffer | undefined): void {
    this.#underWay--;
    if (chunk !== undefined) this.#free.push(chunk);
    this.#pump();
    this.#wake();
  }

  async #until(isDone: () => boolean): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#waiters.push({ isDone: () => this.#failure !== undefined || isDone(), settle: resolve });
      this.#wake();
    });
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  #wake(): void {
    const waiting = this.#waiters;
    this.#waiters = waiting.filter((waiter) => !waiter.isDone());
    for (const waiter of waiting) if (!this.#waiters.includes(waiter)) waiter.settle();
  }
}
