import { createHash } from "node:crypto";

export class SimulationFailure extends Error {
  /** What does not hold, in one word or two: a schedule is made smaller as long as this stays. */
  readonly kind: string;

  constructor(kind: string, message: string) {
    super(message);
    this.kind = kind;
  }
}

interface Announcement {
  readonly txid: bigint;
  /** How many states there had been by then. */
  readonly states: number;
}

/**
 * Knows every state that the database ever had, byte for byte, in order; and what walrust announced as safe. Restored bytes are looked up, nothing
 * about walrust is believed.
 */
export class Oracle {
  /** SHA-256 of all pages, as of each commit. */
  readonly #states: string[] = [];
  readonly #announced = new Map<bigint, Announcement>();
  /** What a restore point was when it was first restored. */
  readonly #seen = new Map<bigint, string>();

  /** Never smaller than before: of the newest one. */
  get newestTxid(): bigint {
    return [...this.#announced.keys()].reduce((a, b) => (a > b ? a : b), 0n);
  }

  get announced(): readonly bigint[] {
    return [...this.#announced.keys()];
  }

  get states(): number {
    return this.#states.length;
  }

  isNow(image: Buffer): boolean {
    return this.#states.at(-1) === digestOf(image);
  }

  /** The database is this now. */
  becomes(image: Buffer): void {
    const digest = digestOf(image);
    if (this.#states.at(-1) !== digest) this.#states.push(digest);
  }

  announces(txid: bigint): void {
    if (!this.#announced.has(txid)) this.#announced.set(txid, { txid, states: this.#states.length });
  }

  /**
   * A restore point was restored. Its state is one that the database had, not older than that of the point before it, and not younger than its
   * announcement; and it is what it was before.
   * @param from index of the state of the point before
   * @returns the index of its state
   */
  restored(txid: bigint, image: Buffer, from: number): number {
    const digest = digestOf(image);
    const seen = this.#seen.get(txid);
    if (seen !== undefined && seen !== digest) fail("changed point", `TXID ${txid} was another state before`);
    this.#seen.set(txid, digest);
    const at = this.#states.indexOf(digest, from);
    if (at < 0) {
      const earlier = this.#states.lastIndexOf(digest);
      if (earlier >= 0) fail("order", `TXID ${txid} is state ${earlier}, the point before it state ${from}`);
      fail("unknown state", `TXID ${txid} (${image.length} bytes) is a state that the database never had`);
    }
    const announced = this.#announced.get(txid);
    if (announced && at >= announced.states) {
      fail("prophecy", `TXID ${txid} is state ${at}, but was announced when there were ${announced.states}`);
    }
    return at;
  }

  /** What was restored while others went on: a state that the database had, and at least the newest point of which was announced before. */
  restoredMeanwhile(image: Buffer, txid: bigint, least: bigint): void {
    const digest = digestOf(image);
    if (!this.#states.includes(digest))
      fail("unknown state", `TXID ${txid}, restored meanwhile, is a state that the database never had`);
    if (txid < least) fail("stale restore", `TXID ${txid} was restored after ${least} had been announced`);
  }
}

function digestOf(image: Buffer): string {
  return createHash("sha256").update(image).digest("base64");
}

function fail(kind: string, message: string): never {
  throw new SimulationFailure(kind, message);
}
