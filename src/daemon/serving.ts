import type { Clock } from "../clock.ts";
import type { SyncSettings } from "../config/settings.ts";
import { toWalrustError, type WalrustError } from "../errors.ts";
import type { DatabaseEvent, SnapshotTrigger } from "../events.ts";
import type { Pace } from "../pace.ts";
import type { PublishedFile } from "../replication/publisher.ts";
import type { DutyOutcome, RepairReason, Replica } from "../replication/replica.ts";
import type { CheckpointerWatch } from "../sqlite/checkpointer-watch.ts";
import { type Backoff, isOutwaited } from "./backoff.ts";
import { GivingWay } from "./giving-way.ts";
import { type HandoverNews, Handovers } from "./handovers.ts";
import { nameLastFiles } from "./last-files.ts";
import type { Begun, Parking } from "./parking.ts";
import { type Rest, restOf } from "./rest.ts";
import { isHintOfUse, type PollFacts, pollAt, publishAt, soonest } from "./schedule.ts";
import { type ServingFacts, servingFacts } from "./serving-facts.ts";
import { type SnapshotNews, Snapshots } from "./snapshots.ts";
import { handoverEvent, publishedEvent, snapshotEvent } from "./telling.ts";
import type { Waker } from "./waker.ts";

export interface ServingOptions {
  /** As of now: they may change while it is served. */
  readonly sync: () => SyncSettings;
  readonly clock: Clock;
  readonly waker: Waker;
  readonly backoff: Backoff;
  /** Sync what is there, take a snapshot if one is asked for, then stop; nothing is tried again. */
  readonly once: boolean;
  readonly shadowMaxSizeBytes: number;
  readonly checkpointers: CheckpointerWatch;
  readonly pace: Pace;
  readonly parking: Parking;
  /** It was parked until now. */
  readonly rest?: Rest | undefined;
  /** To be told how far it came. */
  readonly begun: Pick<Begun, "copied" | "settled">;
  readonly tell: (event: DatabaseEvent) => void;
  /** Ends the loop after a drain. */
  readonly stop: AbortSignal;
  /** Ends everything at once. */
  readonly abort: AbortSignal;
}

export type ServingEnd =
  | { readonly kind: "stopped"; readonly isComplete: boolean; readonly unpublished: bigint }
  /** Local frames do not lead on: the database is opened again and repaired. */
  | { readonly kind: "gap"; readonly reason: RepairReason }
  /** Quiet, and done with: it can be let go until somebody writes to it. */
  | { readonly kind: "parked"; readonly rest: Rest }
  /** What storage holds is not what we think: look again. */
  | { readonly kind: "reopen" };

/** A database that could be parked by then would be. */
const SETTLED_MS = 5_000;
const CURSOR_INTERVAL_MS = 10_000;

/** Serves one open database: captures, publishes, hands over, takes snapshots, until a gap or the stop. */
export class Serving {
  readonly #options: ServingOptions;
  readonly #replica: Replica;
  readonly #handovers: Handovers;
  readonly #givingWay: GivingWay;
  readonly #snapshots: Snapshots;
  /** Remote work under way, one at a time; snapshots run beside it. */
  #work: Promise<void> | undefined;
  #end: ServingEnd | undefined;
  #failure: WalrustError | undefined;
  #lastPollMs = Number.NEGATIVE_INFINITY;
  #lastCommitMs: number;
  #lastPublishMs: number;
  readonly #openedMs: number;
  #lastCursorMs: number;
  /** Undefined: nothing has failed. */
  #retryAtMs: number | undefined;

  constructor(replica: Replica, options: ServingOptions) {
    const { sync, clock, checkpointers, waker, rest } = options;
    this.#replica = replica;
    this.#options = options;
    this.#handovers = new Handovers(replica, sync, clock);
    this.#givingWay = new GivingWay(replica, clock, checkpointers, () => waker.wake());
    const tell = (news: SnapshotNews) => this.#toldBySnapshot(news);
    this.#snapshots = new Snapshots(replica, sync, clock, tell, rest?.snapshots);
    this.#openedMs = clock.monotonicMs();
    this.#lastCursorMs = this.#openedMs;
    // what the opening found was committed lately
    this.#lastCommitMs = replica.capture.pending.isEmpty
      ? (rest?.lastCommitMs ?? Number.NEGATIVE_INFINITY)
      : this.#openedMs;
    this.#lastPublishMs = rest?.lastPublishMs ?? Number.NEGATIVE_INFINITY;
  }

  /** Errors: see Snapshots.ask. */
  snapshot(trigger: SnapshotTrigger): Promise<PublishedFile> {
    const taken = this.#snapshots.ask(trigger);
    this.#options.waker.wake();
    return taken;
  }

  /** A file of the database may have changed. Where no look is worth it now, the log may have grown behind the pin all the same. */
  hint(): void {
    if (isHintOfUse(this.#looks, this.#options.sync())) this.#options.waker.wake();
    else this.#givingWay.begin();
  }

  facts(): ServingFacts {
    return servingFacts(this.#replica, this.#snapshots, this.#lastCommitMs);
  }

  /** Errors: DATABASE_*, LOCAL_* that the loop cannot outwait; then the database is opened again. */
  async run(): Promise<ServingEnd> {
    const { stop, waker, once, begun } = this.#options;
    try {
      const reopen = await this.#doDuty().finally(() => begun.copied());
      if (reopen) return reopen;
      this.#givingWay.end(); // who waited meanwhile has given up
      while (!stop.aborted && (!once || this.#snapshots.isAsked)) {
        const end = await this.#round();
        if (end) return end;
        await waker.sleepUntil(this.#nextMs());
      }
      return await this.#drain();
    } finally {
      await this.#work;
      await this.#snapshots.stop();
      this.#givingWay.end(); // last: a hint may begin it
    }
  }

  /** First what the shadow WAL has, then what the opening found missing. Storage that does not answer is waited for. */
  async #doDuty(): Promise<ServingEnd | undefined> {
    const { stop, abort, backoff, waker, clock, once } = this.#options;
    while (this.#replica.duty.kind !== "none" && !abort.aborted) {
      try {
        while (await this.#publish(abort));
        const sinceMs = clock.monotonicMs();
        const outcome = await this.#replica.doDuty({ signal: abort });
        // first: whoever hears of it may kill us, and that costs the files since, not a look at the whole database
        await this.#replica.saveCursor().finally(() => this.#toldByDuty(outcome, sinceMs));
        backoff.succeeded();
      } catch (error) {
        const failure = toWalrustError(error);
        const isStuck = failure.code === "INTEGRITY_CHAIN"; // the duty brings what these frames cannot
        if (stop.aborted || once || !(isStuck || isOutwaited(failure))) throw failure;
        const retryAtMs = backoff.failed(failure);
        this.#options.begun.settled();
        // An earlier try was stored, its answer lost, and the database went on: the same key would never be free again.
        if (failure.code === "STORAGE_CONFLICT") return { kind: "reopen" };
        if (isStuck) this.#replica.capture.pending.drop();
        else await waker.sleepUntil(retryAtMs);
      }
    }
    return undefined;
  }

  async #round(): Promise<ServingEnd | undefined> {
    const { clock, abort, pace } = this.#options;
    const outcome = await this.#replica.capture.capture();
    this.#lastPollMs = clock.monotonicMs();
    if (outcome.kind === "gap") return outcome;
    pace.note(this.#replica.capture.frames);
    if (outcome.commits > 0) {
      this.#snapshots.noteChange();
      this.#lastCommitMs = this.#lastPollMs;
    }
    await this.#snapshots.proceed(this.#lastCommitMs, abort);
    this.#work ??= this.#nextWork()?.finally(() => {
      this.#work = undefined;
      this.#options.waker.wake();
    });
    const publishing = this.#work === undefined ? this.#publishAtMs : "under-way";
    const news = await this.#handovers.doIfDue(this.#lastCommitMs, publishing);
    if (news) this.#toldByHandover(news);
    await this.#giveWay();
    this.#boundShadow();
    if (this.#failure) throw this.#failure;
    this.#noteHealth();
    return this.#end ?? this.#park();
  }

  /** Where many databases are open, a quiet one is let go. */
  #park(): ServingEnd | undefined {
    const { clock, backoff, begun } = this.#options;
    const quietForMs = clock.monotonicMs() - Math.max(this.#openedMs, this.#lastCommitMs);
    if (!this.#isQuiet || clock.monotonicMs() - this.#openedMs > SETTLED_MS) begun.settled();
    if (!this.#isQuiet || this.#work !== undefined || backoff.isTroubled) return undefined;
    const rest = restOf({
      ...{ replica: this.#replica, handovers: this.#handovers, snapshots: this.#snapshots },
      ...{ lastPublishMs: this.#lastPublishMs, lastCommitMs: this.#lastCommitMs },
      ...{ nowMs: clock.now(), quietForMs },
    });
    return rest && { kind: "parked", rest };
  }

  /** So quiet that it is let go as soon as everything is done. */
  get #isQuiet(): boolean {
    const { parking, once, clock } = this.#options;
    const { quietMs } = parking;
    return !once && quietMs !== undefined && clock.monotonicMs() - this.#lastCommitMs >= quietMs;
  }

  async #giveWay(): Promise<void> {
    this.#givingWay.looked(this.#handovers.frames, this.#lastCommitMs);
    if (!this.#givingWay.isAsked) return;
    const outcome = await this.#givingWay.proceed();
    if (outcome === "free") this.#handovers.gaveWay();
    else if (outcome !== "moved") this.#end = outcome;
  }

  /** Opened again after trouble, nothing failed since, and storage has everything: the trouble is over. */
  #noteHealth(): void {
    const { isEmpty } = this.#replica.capture.pending;
    if (this.#retryAtMs === undefined && isEmpty) this.#options.backoff.succeeded();
  }

  #nextWork(): Promise<void> | undefined {
    const { clock, abort: signal } = this.#options;
    const nowMs = clock.monotonicMs();
    const isDue = (atMs: number | undefined) => atMs !== undefined && atMs <= nowMs;
    if (isDue(this.#publishAtMs)) return this.#attempt("storage", () => this.#publish(signal));
    if (isDue(this.#manifestAtMs))
      return this.#attempt("storage", () => this.#replica.writeManifest({ signal }));
    if (isDue(this.#cursorAtMs)) return this.#attempt("disk", () => this.#saveCursor(nowMs));
    if (isDue(this.#checkAtMs)) return this.#attempt("storage", () => this.#replica.checkStorage({ signal }));
    return undefined;
  }

  /** Publishes the next file; false: nothing is pending. */
  async #publish(signal: AbortSignal): Promise<boolean> {
    const { clock, tell } = this.#options;
    const nowMs = clock.monotonicMs();
    const waitingSinceMs = this.#replica.capture.pending.oldestWaitingSinceMs ?? nowMs;
    this.#lastPublishMs = nowMs;
    const file = await this.#replica.publish({ signal });
    if (file === undefined) return false;
    tell(publishedEvent(file, clock.monotonicMs() - waitingSinceMs));
    return true;
  }

  async #saveCursor(nowMs: number): Promise<void> {
    this.#lastCursorMs = nowMs;
    await this.#replica.saveCursor();
  }

  /** An answer of storage ends the trouble. */
  async #attempt(where: "storage" | "disk", work: () => Promise<unknown>): Promise<void> {
    try {
      await work();
      if (where === "storage") this.#options.backoff.succeeded();
    } catch (error) {
      this.#failed(toWalrustError(error));
    }
  }

  #failed(error: WalrustError): void {
    if (error.code === "STORAGE_FENCED") {
      this.#failure = error; // the task ends with it, and says so
      this.#snapshots.abandon();
      return;
    }
    if (error.code === "INTEGRITY_CHAIN") this.#end = { kind: "gap", reason: "pages-missing" };
    else if (error.code === "STORAGE_CONFLICT") this.#end = { kind: "reopen" };
    else if (this.#options.once || !isOutwaited(error)) this.#failure = error;
    this.#retryAtMs = this.#options.backoff.failed(error);
    this.#snapshots.abandon();
  }

  /** Storage is away for too long: the application must not suffer from our copy of its log. */
  #boundShadow(): void {
    const { pending } = this.#replica.capture;
    const limitBytes = this.#options.shadowMaxSizeBytes;
    const sizeBytes = pending.segmentBytes;
    if (sizeBytes <= limitBytes || this.#work !== undefined) return;
    this.#options.tell({ type: "shadow_full", sizeBytes, limitBytes });
    pending.drop();
    this.#end = { kind: "gap", reason: "shadow-full" };
  }

  /** The last sync: everything committed until now is published, if storage lets us. */
  async #drain(): Promise<ServingEnd> {
    const { abort: signal } = this.#options;
    let isCaptured = false;
    try {
      await this.#work;
      await this.#snapshots.stop();
      const outcome = await this.#replica.capture.capture();
      if (outcome.kind === "gap") {
        await nameLastFiles(this.#replica, this.#options);
        return outcome;
      }
      isCaptured = true;
      while (await this.#publish(signal));
      if (this.#replica.manifest.isDirty) await this.#replica.writeManifest({ signal });
    } catch (error) {
      const failure = toWalrustError(error);
      if (failure.code === "STORAGE_FENCED") throw failure;
      this.#options.backoff.gaveUp(failure);
      if (!isCaptured) await nameLastFiles(this.#replica, this.#options);
    }
    // the last close lets SQLite delete the log
    if (!this.#replica.capture.pending.isEmpty) this.#replica.capture.drain();
    await this.#replica.saveCursor();
    const unpublished = this.#replica.capture.state.txid - (this.#replica.published?.txid ?? 0n);
    return { kind: "stopped", isComplete: isCaptured && unpublished === 0n, unpublished };
  }

  get #publishAtMs(): number | undefined {
    const isPending = !this.#replica.capture.pending.isEmpty;
    const facts = { isPending, lastPublishMs: this.#lastPublishMs, retryAtMs: this.#retryAtMs ?? 0 };
    return publishAt(facts, this.#options.sync());
  }

  get #manifestAtMs(): number | undefined {
    const { soonestMs, dueAtMs: afterBurstMs } = this.#replica.manifest;
    const dueAtMs = this.#isQuiet ? soonestMs : afterBurstMs;
    return dueAtMs === undefined ? undefined : Math.max(dueAtMs, this.#retryAtMs ?? 0);
  }

  get #cursorAtMs(): number | undefined {
    return this.#replica.cursorIsStale ? this.#lastCursorMs + CURSOR_INTERVAL_MS : undefined;
  }

  /** Something has failed, the cursor or a snapshot that was asked for, and nothing is left to be done that would show that all is well again. */
  get #checkAtMs(): number | undefined {
    if (!this.#options.backoff.isTroubled || !this.#snapshots.isIdle) return undefined;
    const isDone = this.#replica.capture.pending.isEmpty && !this.#replica.manifest.isDirty;
    const isLeft = this.#replica.cursorIsStale || this.#snapshots.isTriedAgain(this.#lastCommitMs);
    return isDone && !isLeft ? this.#retryAtMs : undefined;
  }

  get #looks(): PollFacts {
    const isPending = !this.#replica.capture.pending.isEmpty;
    const times = { lastPollMs: this.#lastPollMs, lastCommitMs: this.#lastCommitMs };
    return { ...times, lastPublishMs: this.#lastPublishMs, isPending, isBusy: this.#options.pace.isBusy };
  }

  #nextMs(): number {
    const handover = this.#handovers.dueAtMs(this.#lastCommitMs);
    const snapshot = this.#snapshots.dueAtMs(this.#lastCommitMs);
    const work = this.#work
      ? undefined
      : soonest(this.#publishAtMs, this.#manifestAtMs, this.#cursorAtMs, this.#checkAtMs);
    return soonest(pollAt(this.#looks, this.#options.sync()), handover, snapshot, work);
  }

  #toldByDuty(outcome: DutyOutcome, sinceMs: number): void {
    const { tell, clock } = this.#options;
    const txid = this.#replica.published?.txid ?? 0n;
    this.#lastPublishMs = clock.monotonicMs();
    const durationMs = this.#lastPublishMs - sinceMs;
    switch (outcome.kind) {
      case "adopted":
        return;
      case "repaired":
        if (outcome.file === undefined) return; // nothing differs: it went on all the same
        tell({ type: "gap_repaired", reason: outcome.reason, txid, pages: outcome.file.pages });
        return;
      case "snapshot":
        this.#snapshots.took(txid);
        tell(snapshotEvent(outcome.file, "first", durationMs));
        return;
      default:
        outcome satisfies never;
    }
  }

  #toldBySnapshot(news: SnapshotNews): void {
    const { tell, waker } = this.#options;
    if (news.kind === "failed") {
      if (news.error.code === "INTEGRITY_CHAIN") {
        tell({ type: "corruption_detected", error: news.error });
        this.#end = { kind: "gap", reason: "chain-broken" };
      } else if (news.error.code !== "ABORTED") this.#failed(news.error);
    } else {
      const { file, trigger, durationMs } = news;
      this.#options.backoff.succeeded();
      tell(snapshotEvent(file, trigger, durationMs));
    }
    waker.wake();
  }

  #toldByHandover(news: HandoverNews): void {
    const { tell } = this.#options;
    switch (news.kind) {
      case "done":
      case "exceeded":
        tell(handoverEvent(news));
        return;
      case "gap":
        this.#end = news;
        return;
      case "failed":
        this.#failed(news.error);
        return;
      default:
        news satisfies never;
    }
  }
}
