import type { Clock } from "../clock.ts";
import type { DatabaseSettings } from "../config/settings.ts";
import type { WalrustError } from "../errors.ts";
import type { DatabaseEvent } from "../events.ts";
import type { DatabaseState, DatabaseStatus } from "../observability/database-status.ts";
import type { KnownCopy } from "../replication/remote-head.ts";
import type { Rest } from "./rest.ts";
import type { ServingFacts } from "./serving-facts.ts";

/** What was last known of one that is served no more. */
type LastFacts = Pick<
  ServingFacts,
  "capturedTxid" | "publishedTxid" | "publishedTimestampMs" | "pendingBytes" | "newestSnapshot"
>;

/** Of one that is parked: storage has everything. */
export interface ParkedStatus {
  readonly rest: Pick<Rest, "copy">;
  /** Unix ms. */
  readonly sinceMs: number;
  readonly lastPublishedAtMs: number | undefined;
}

type Phase = "opening" | "serving" | "parked" | "fenced" | "stopped";

/** What is known of one database for whoever asks, also while nothing of it is open. A few numbers; it owns nothing. */
export class StatusBoard {
  readonly #database: () => DatabaseSettings;
  readonly #clock: Clock;
  #phase: Phase = "opening";
  /** Unix ms. */
  #phaseSinceMs: number;
  #served: (() => ServingFacts) | undefined;
  /** As of the last time that it was served. */
  #last: LastFacts | undefined;
  #lastPublishedAtMs: number | undefined;
  #trouble: { readonly error: WalrustError; readonly sinceMs: number } | undefined;
  /** Since when storage may lack something, monotonic: while it is not open, nobody knows what is committed. */
  #doubtSinceMs: number | undefined;
  /** Of frames that were given up. */
  #droppedSinceMs: number | undefined;

  /** @param database as of now */
  constructor(database: () => DatabaseSettings, clock: Clock, parked?: ParkedStatus) {
    this.#database = database;
    this.#clock = clock;
    this.#phaseSinceMs = parked?.sinceMs ?? clock.now();
    if (parked === undefined) {
      this.#doubtSinceMs = clock.monotonicMs();
      return;
    }
    this.#phase = "parked";
    this.#last = factsOf(parked.rest.copy);
    this.#lastPublishedAtMs = parked.lastPublishedAtMs;
  }

  /** When its state began; Unix ms. */
  get sinceMs(): number {
    return this.#phaseSinceMs;
  }

  /** By this process; Unix ms. */
  get lastPublishedAtMs(): number | undefined {
    return this.#lastPublishedAtMs;
  }

  /** From now on `facts` tells; until `left`. */
  serves(facts: () => ServingFacts): void {
    this.#served = facts;
    this.#enter("serving");
  }

  /** It is served no more; its last facts are kept. */
  left(): void {
    const facts = this.#served?.();
    this.#served = undefined;
    if (facts === undefined) return;
    this.#last = facts;
    if (this.#phase === "serving") this.#enter("opening");
    if (this.#phase === "parked") return;
    const nowMs = this.#clock.monotonicMs();
    this.#doubtSinceMs =
      facts.duty === "none"
        ? (facts.unpublishedSinceMs ?? this.#droppedSinceMs ?? nowMs)
        : (this.#doubtSinceMs ?? nowMs);
    this.#droppedSinceMs = undefined;
  }

  hear(event: DatabaseEvent): void {
    switch (event.type) {
      case "parked":
        this.#doubtSinceMs = undefined;
        this.#enter("parked");
        return;
      case "closed":
        this.#enter("stopped");
        return;
      case "fenced":
        this.#troubled(event.error);
        this.#enter("fenced");
        return;
      case "sync_failed":
        this.#troubled(event.error);
        return;
      case "recovered":
        this.#trouble = undefined;
        return;
      case "shadow_full":
        this.#droppedSinceMs = this.#served?.().unpublishedSinceMs;
        return;
      case "published":
      case "snapshot":
      case "gap_repaired":
        this.#lastPublishedAtMs = this.#clock.now();
        return;
      default: // says nothing about the state
    }
  }

  status(): DatabaseStatus {
    const { path, name, sync } = this.#database();
    const served = this.#served?.();
    const facts = served ?? this.#last;
    const nextMs = served?.nextSnapshotMs;
    return {
      ...{ name, path, syncIntervalMs: sync.walSyncIntervalMs },
      ...this.#state(served),
      capturedTxid: facts?.capturedTxid,
      publishedTxid: facts?.publishedTxid,
      lagMs: this.#lagMs(served),
      pendingBytes: facts?.pendingBytes ?? 0,
      walSizeBytes: served?.walSizeBytes,
      lastPublishedAtMs: this.#lastPublishedAtMs ?? facts?.publishedTimestampMs,
      lastSnapshot: facts?.newestSnapshot,
      // one that is overdue, or asked for, has no time of its own
      nextSnapshotAtMs: nextMs === undefined ? undefined : Math.max(this.#clock.now(), this.#wall(nextMs)),
      lastError: this.#trouble && { code: this.#trouble.error.code, message: this.#trouble.error.message },
    };
  }

  #enter(phase: Phase): void {
    this.#phase = phase;
    this.#phaseSinceMs = this.#clock.now();
  }

  #troubled(error: WalrustError): void {
    if (this.#served === undefined) this.#doubtSinceMs ??= this.#clock.monotonicMs();
    this.#trouble = { error, sinceMs: this.#trouble?.sinceMs ?? this.#clock.now() };
  }

  #state(served: ServingFacts | undefined): Pick<DatabaseStatus, "state" | "sinceMs"> {
    const at = (state: DatabaseState, sinceMs = this.#phaseSinceMs) => ({ state, sinceMs });
    if (this.#phase === "fenced" || this.#phase === "stopped") return at(this.#phase);
    if (this.#trouble) return at(served === undefined ? "failed" : "waiting", this.#trouble.sinceMs);
    if (served === undefined) return at(this.#phase === "serving" ? "opening" : this.#phase);
    if (served.duty !== "none") return at(served.duty === "repair" ? "repairing" : "snapshotting");
    const { snapshottingSinceMs } = served;
    if (snapshottingSinceMs !== undefined) return at("snapshotting", this.#wall(snapshottingSinceMs));
    return at("serving");
  }

  #lagMs(served: ServingFacts | undefined): number {
    const sinceMs = served?.duty === "none" ? served.unpublishedSinceMs : this.#doubtSinceMs;
    return sinceMs === undefined ? 0 : Math.max(0, this.#clock.monotonicMs() - sinceMs);
  }

  /** Unix ms of a moment of the monotonic clock. */
  #wall(monotonicMs: number): number {
    return Math.round(this.#clock.now() + monotonicMs - this.#clock.monotonicMs());
  }
}

function factsOf({ published, newestSnapshot }: KnownCopy): LastFacts {
  const { txid, timestampMs } = published;
  return {
    ...{ capturedTxid: txid, publishedTxid: txid, publishedTimestampMs: timestampMs },
    ...{ pendingBytes: 0, newestSnapshot },
  };
}
