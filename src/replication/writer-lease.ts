import { statSync } from "node:fs";
import { isDeepStrictEqual } from "node:util";
import type { Clock } from "../clock.ts";
import { isWalrustError, WalrustError } from "../errors.ts";
import { mayBeAlive } from "../process-identity.ts";
import { localError } from "../shadow/local-error.ts";
import type { ShadowFolder } from "../shadow/shadow-folder.ts";
import { databaseKeys } from "../storage/keys.ts";
import type { CallOptions, PutCondition, Storage } from "../storage/storage.ts";
import {
  formatWriterRecord,
  parseWriterRecord,
  WRITER_RECORD_MAX_BYTES,
  type WriterId,
  type WriterRecord,
} from "../storage/writer-record.ts";
import { decideLease, type LeaseDecision } from "./lease-decision.ts";
import { readWriterNote, type WriterNote, writeWriterNote } from "./writer-note.ts";

/** So old a look at writer.json may be when something is published. */
export const CHECK_MS = 15_000;
/** How long a new writer lets the old one go on: until its next look, and a request beyond that. */
export const GRACE_MS = 20_000;
/** Without conditions on PUT two may write at the same moment: then the last one counts. */
const SETTLE_MS = 2000;
/** Each failure means that somebody else has written the record in between. */
const MAX_TRIES = 8;

/** This process, as other writers of the same remote database know it. */
export interface WriterIdentity {
  readonly host: string;
  readonly pid: number;
  /** See bootId() of process-identity.ts. */
  readonly boot: string;
}

export interface LeaseOptions {
  readonly storage: Storage;
  /** Of the remote database. */
  readonly name: string;
  readonly folder: Pick<ShadowFolder, "path" | "writer">;
  readonly clock: Clock;
  readonly self: WriterIdentity;
  readonly newWriterId: () => WriterId;
  /** Take it from whoever has it, also if it was taken from here before. */
  readonly takeOver: boolean;
  /** Told before the wait for the writer that loses it. */
  readonly onTakeOver: (from: WriterRecord, waitMs: number) => void;
  readonly signal?: AbortSignal;
}

/** The right to write one remote database, as far as storage can tell. */
export interface WriterLease {
  /** The node ID in the headers of the files. */
  readonly id: WriterId;
  /** Storage had no writer.json when it was taken: as far as that tells, nobody ever wrote the database. */
  readonly isFirst: boolean;
  /**
   * Runs work that publishes: looks before it and every 15 s while it goes on whether the right is still ours, and ends it if not. Publications
   * in a row within 15 s cost no request. Errors: those of the work and of storage; STORAGE_FENCED: whatever it did does not count.
   */
  hold<T>(work: (signal: AbortSignal) => Promise<T>, options?: CallOptions): Promise<T>;
  /**
   * Asks storage whether the right is still ours, also if it said so a moment ago; puts the record back where it was deleted or is older than ours.
   * Errors: those of storage; STORAGE_FENCED.
   */
  check(options?: CallOptions): Promise<void>;
}

export interface ParkableLease extends WriterLease {
  /** What it takes to go on with it later, without a request. */
  park(): ParkedLease;
}

/** A right that nobody uses at the moment. */
export interface ParkedLease {
  readonly id: WriterId;
  readonly epoch: number;
  /** When storage last said that it is ours. */
  readonly checked: Moment;
}

/**
 * Takes the right to write a remote database. The local lock of the database must be held. Errors: STORAGE_FENCED when another writer took it
 * from here; INTEGRITY_FORMAT when writer.json cannot be read; STORAGE_*, LOCAL_*.
 */
export function takeWriterLease(options: LeaseOptions): Promise<ParkableLease> {
  return new StoredLease(options).take();
}

/** Goes on with one that was taken by this process: before the next publication it is looked at. Errors: LOCAL_*. */
export function resumeWriterLease(options: LeaseOptions, parked: ParkedLease): ParkableLease {
  return new StoredLease(options, parked);
}

/** A copy of the folder has another one. Errors: LOCAL_IO. */
function inodeOf(folder: string): string {
  try {
    return String(statSync(folder).ino);
  } catch (error) {
    throw localError(error, "look at", folder);
  }
}

interface Stored {
  readonly record: WriterRecord | undefined;
  readonly condition: PutCondition;
  readonly askedAt: Moment;
}

/** On both clocks: the monotonic one stands still while the machine sleeps, the other one jumps. */
interface Moment {
  readonly monotonicMs: number;
  readonly wallMs: number;
}

const NEVER: Moment = { monotonicMs: Number.NEGATIVE_INFINITY, wallMs: Number.NEGATIVE_INFINITY };

class StoredLease implements ParkableLease {
  readonly id: WriterId;
  readonly #options: LeaseOptions;
  readonly #key: string;
  readonly #place: WriterNote["place"];
  /** As it was at the start: what is being asked for since then is ours only if storage says so. */
  readonly #memory: WriterNote | undefined;
  #note: WriterNote | undefined;
  #checked: Moment;
  #epoch: number;
  #isFirst = false;
  #fenced: WalrustError | undefined;

  constructor(options: LeaseOptions, parked?: ParkedLease) {
    const { self, folder, storage, name, newWriterId } = options;
    this.#options = options;
    this.#key = databaseKeys(name).writer();
    this.#place = { host: self.host, boot: self.boot, folder: inodeOf(folder.path) };
    const note = readWriterNote(folder.writer);
    const isOfThisCopy = note?.storageUrl === storage.url && note.name === name;
    const isOfThisPlace = note?.place.host === this.#place.host && note.place.folder === this.#place.folder;
    this.#memory = isOfThisCopy && isOfThisPlace ? note : undefined;
    this.#note = this.#memory;
    this.id = parked?.id ?? this.#memory?.id ?? newWriterId();
    this.#epoch = parked?.epoch ?? 0;
    this.#checked = parked?.checked ?? NEVER;
  }

  get isFirst(): boolean {
    return this.#isFirst;
  }

  park(): ParkedLease {
    return { id: this.id, epoch: this.#epoch, checked: this.#checked };
  }

  async take(): Promise<ParkableLease> {
    const { clock, storage, onTakeOver } = this.#options;
    for (let tries = 1; ; tries += 1) {
      // Where nothing is remembered there is nothing, as a rule: the PUT finds out, and saves asking.
      const isGuess = tries === 1 && this.#memory === undefined && storage.conditionalPut;
      const stored = isGuess ? this.#absentNow() : await this.#look();
      const decision = this.#decide(stored.record);
      if (decision.kind === "refuse") throw this.#fencedBy(decision.holder);
      this.#epoch = decision.epoch;
      this.#checked = stored.askedAt;
      if (decision.kind === "continue") {
        const waitsUntilMs = this.#memory?.waitsUntilMs ?? 0;
        await this.#remember({ epoch: decision.epoch, taking: 0, waitsUntilMs });
        await this.#waitUntil(waitsUntilMs);
        return this;
      }
      const untilKnown = () =>
        Math.max(this.#memory?.waitsUntilMs ?? 0, decision.waits ? clock.now() + GRACE_MS : 0);
      const rememberAsked = () =>
        this.#remember({
          epoch: this.#memory?.epoch ?? 0,
          taking: decision.epoch,
          waitsUntilMs: untilKnown(),
        });
      // A death over the very first PUT is told by its process, which is dead.
      if (!isGuess) await rememberAsked();
      try {
        await this.#put(stored.condition);
      } catch (error) {
        if (tries < MAX_TRIES && isWalrustError(error, "STORAGE_CONFLICT")) continue;
        if (isGuess) await rememberAsked(); // it may have had its effect
        throw error;
      }
      this.#isFirst = stored.record === undefined;
      const waitsUntilMs = untilKnown();
      await this.#remember({ epoch: decision.epoch, taking: 0, waitsUntilMs });
      const from = stored.record;
      if (from !== undefined && from.id !== this.id) onTakeOver(from, decision.waits ? GRACE_MS : 0);
      await this.#waitUntil(
        storage.conditionalPut ? waitsUntilMs : Math.max(waitsUntilMs, clock.now() + SETTLE_MS),
      );
      return this;
    }
  }

  async hold<T>(work: (signal: AbortSignal) => Promise<T>, { signal }: CallOptions = {}): Promise<T> {
    await this.#assertHeld(signal);
    const ended = new AbortController();
    const end = () => ended.abort(signal?.reason);
    signal?.addEventListener("abort", end, { once: true });
    if (signal?.aborted) end();
    const unwatch = this.#watch(ended);
    try {
      const result = await work(ended.signal);
      await this.#assertHeld(signal);
      return result;
    } catch (error) {
      throw this.#fenced ?? error;
    } finally {
      unwatch();
      signal?.removeEventListener("abort", end);
    }
  }

  /** Long work ends soon after the right to do it was lost. */
  #watch(ended: AbortController): () => void {
    const { clock } = this.#options;
    let cancel = () => {};
    let isOver = false;
    let isLooking = false;
    const lookLater = () => {
      isLooking = false;
      cancel = clock.schedule(CHECK_MS, () => {
        isLooking = true;
        this.check({ signal: ended.signal })
          .catch(() => this.#fenced && ended.abort(this.#fenced)) // a look that failed otherwise is made again after the work
          .finally(() => isOver || lookLater());
      });
    };
    lookLater();
    return () => {
      isOver = true;
      cancel();
      if (isLooking) ended.abort();
    };
  }

  async #assertHeld(signal: AbortSignal | undefined): Promise<void> {
    if (this.#fenced) throw this.#fenced;
    const { clock } = this.#options;
    const monotonicAgeMs = clock.monotonicMs() - this.#checked.monotonicMs;
    const wallAgeMs = clock.now() - this.#checked.wallMs;
    const isFresh = monotonicAgeMs < CHECK_MS && wallAgeMs < CHECK_MS && wallAgeMs > -CHECK_MS;
    if (!isFresh) await this.check(signal && { signal });
  }

  async check({ signal }: CallOptions = {}): Promise<void> {
    if (this.#fenced) throw this.#fenced;
    for (let tries = 1; ; tries += 1) {
      const { record, condition, askedAt } = await this.#look(signal);
      const isOurs =
        record?.id === this.id && record.epoch === this.#epoch && record.boot === this.#place.boot;
      if (record !== undefined && !isOurs && record.epoch >= this.#epoch) throw this.#fencedBy(record);
      try {
        if (!isOurs) await this.#put(condition, signal);
        this.#checked = askedAt;
        return;
      } catch (error) {
        if (tries === MAX_TRIES || !isWalrustError(error, "STORAGE_CONFLICT")) throw error;
      }
    }
  }

  #decide(record: WriterRecord | undefined): LeaseDecision {
    const { takeOver } = this.#options;
    return decideLease({
      record,
      memory: this.#memory,
      isSameBoot: record?.boot === this.#place.boot,
      holderMayBeAlive: record !== undefined && mayBeAlive({ ...record, started: "" }),
      takeOver,
    });
  }

  /** Until whoever held it before, or asked for it at the same moment, knows. */
  async #waitUntil(wallMs: number): Promise<void> {
    const { clock, signal } = this.#options;
    const waitMs = Math.min(GRACE_MS, wallMs - clock.now());
    if (waitMs <= 0) return;
    await clock.sleep(waitMs, signal && { signal });
    await this.check(signal && { signal });
  }

  async #look(signal = this.#options.signal): Promise<Stored> {
    const absent = this.#absentNow();
    try {
      const { body, etag } = await this.#options.storage.get(this.#key, {
        maxBytes: WRITER_RECORD_MAX_BYTES,
        ...(signal && { signal }),
      });
      const record = parseWriterRecord(body, this.#key);
      return { ...absent, record, condition: { kind: "match", etag } };
    } catch (error) {
      if (!isWalrustError(error, "STORAGE_NOT_FOUND")) throw error;
      return absent;
    }
  }

  #absentNow(): Stored {
    const { clock } = this.#options;
    const askedAt = { monotonicMs: clock.monotonicMs(), wallMs: clock.now() };
    return { record: undefined, condition: { kind: "absent" }, askedAt };
  }

  async #put(condition: PutCondition, signal = this.#options.signal): Promise<void> {
    const { storage, clock, self } = this.#options;
    const { host, pid, boot } = self;
    const record = { id: this.id, epoch: this.#epoch, host, pid, boot, sinceMs: clock.now() };
    await storage.put(this.#key, formatWriterRecord(record), { condition, ...(signal && { signal }) });
  }

  async #remember(state: Pick<WriterNote, "epoch" | "taking" | "waitsUntilMs">): Promise<void> {
    const { storage, name, folder } = this.#options;
    const note = { storageUrl: storage.url, name, id: this.id, ...state, place: this.#place };
    if (isDeepStrictEqual(note, this.#note)) return;
    await writeWriterNote(folder.writer, note);
    this.#note = note;
  }

  #fencedBy(holder: WriterRecord): WalrustError {
    this.#fenced = fencedError(this.#options.name, holder);
    return this.#fenced;
  }
}

function fencedError(name: string, { host, pid, epoch, sinceMs }: WriterRecord): WalrustError {
  const since = new Date(sinceMs).toISOString();
  return new WalrustError(
    "STORAGE_FENCED",
    `the backup ${name} has another writer: process ${pid} on ${host}, since ${since}`,
    {
      hint: "Nothing is published from here any more. To make this machine its writer: walrust watch --take-over.",
      details: { host, pid, epoch, since },
    },
  );
}
