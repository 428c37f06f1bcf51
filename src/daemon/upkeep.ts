import type { Clock } from "../clock.ts";
import type { CompactionSettings, DatabaseSettings, StorageSettings } from "../config/settings.ts";
import { toWalrustError, WalrustError } from "../errors.ts";
import type { DatabaseEvent, EventSink } from "../events.ts";
import type { Log } from "../observability/log.ts";
import type { WorkLimit } from "../replication/publisher.ts";
import type { VerifyReport } from "../restore/verify.ts";
import type { Storage } from "../storage/storage.ts";
import type { CorePool } from "../wasm/core-pool.ts";
import { type UpkeepDue, type UpkeepFacts, type UpkeepJob, upkeepAt } from "./upkeep-schedule.ts";
import { Waker } from "./waker.ts";

export interface UpkeepOptions {
  readonly storage: Storage;
  readonly cores: CorePool;
  readonly clock: Clock;
  readonly limitWork: WorkLimit;
  readonly events: EventSink;
  readonly log: Log;
  /** Only our own layout is compacted. */
  readonly layout: StorageSettings["layout"];
  /** As of now: it may change while the daemon runs. */
  readonly compaction: () => CompactionSettings;
  /** Ends it, in the middle of whatever it does. */
  readonly stop: AbortSignal;
}

/** A job takes a core for long, like the largest snapshots: never all of the cores may be taken so. */
const AS_LARGE_WORK = Number.POSITIVE_INFINITY;

export interface AttendedDatabase {
  /** As of now: its settings may change, its name does not. */
  readonly database: DatabaseSettings;
}

interface Attended {
  readonly task: AttendedDatabase;
  facts: UpkeepFacts;
}

/**
 * Work on the copies beside publishing: compaction and validation, one job at a time over all databases of
 * the process. What goes wrong is told, stops nobody, and is tried again at the next time.
 */
export class Upkeep {
  readonly #options: UpkeepOptions;
  readonly #waker: Waker;
  readonly #over = new AbortController();
  readonly #stop: AbortSignal;
  /** By name. */
  readonly #attended = new Map<string, Attended>();
  #running: Promise<void> = Promise.resolve();
  /** While it sleeps: when something is due, as far as was known when it fell asleep. */
  #sleepsUntilMs = Number.NEGATIVE_INFINITY;

  constructor(options: UpkeepOptions) {
    this.#options = options;
    this.#waker = new Waker(options.clock);
    this.#stop = AbortSignal.any([options.stop, this.#over.signal]);
  }

  /** Listens to what the tasks tell, and passes it on. */
  readonly tap: EventSink = (event) => {
    const attended = this.#attended.get(event.database);
    const nowMs = this.#options.clock.monotonicMs();
    if (attended && tellsOfCopy(event)) {
      attended.facts = { ...attended.facts, lastValidationMs: attended.facts.lastValidationMs ?? nowMs };
      this.#wakeFor(attended);
    }
    if (attended && (event.type === "published" || event.type === "snapshot")) {
      // of the first one: under snapshots in a row it would never be due
      const snapshotMs = attended.facts.snapshotMs ?? (event.type === "snapshot" ? nowMs : undefined);
      attended.facts = { ...attended.facts, isChanged: true, snapshotMs };
      this.#wakeFor(attended);
    }
    this.#options.events(event);
  };

  /** Looks after a database from now on, until `leave`. */
  attend(task: AttendedDatabase): void {
    const lastCompactionMs = this.#options.clock.monotonicMs();
    this.#attended.set(task.database.name, {
      task,
      facts: { isChanged: false, snapshotMs: undefined, lastCompactionMs, lastValidationMs: undefined },
    });
  }

  leave(task: AttendedDatabase): void {
    const { name } = task.database;
    if (this.#attended.get(name)?.task === task) this.#attended.delete(name);
  }

  /** Settings may have changed. */
  wake(): void {
    this.#waker.wake();
  }

  /** Begins; until the stop. */
  start(): void {
    this.#stop.addEventListener("abort", () => this.#waker.wake(), { once: true });
    this.#running = this.#run();
  }

  /** Ends it, in the middle of whatever it does, and waits for that. */
  async close(): Promise<void> {
    this.#over.abort();
    await this.#running;
  }

  /** Only for what is due sooner: with each wake all databases are looked at, and a busy process hears hundreds of events a second. */
  #wakeFor(attended: Attended): void {
    const due = upkeepAt(attended.facts, this.#settingsOf(attended));
    if (due !== undefined && due.atMs < this.#sleepsUntilMs) this.#waker.wake();
  }

  async #run(): Promise<void> {
    while (!this.#stop.aborted) {
      const next = this.#next();
      if (next !== undefined && next.due.atMs <= this.#options.clock.monotonicMs()) {
        await this.#do(next.attended, next.due.job);
      } else {
        this.#sleepsUntilMs = next?.due.atMs ?? Number.POSITIVE_INFINITY;
        await this.#waker.sleepUntil(this.#sleepsUntilMs);
        this.#sleepsUntilMs = Number.NEGATIVE_INFINITY;
      }
    }
  }

  #next(): { readonly attended: Attended; readonly due: UpkeepDue } | undefined {
    const all = [...this.#attended.values()].flatMap((attended) => {
      const due = upkeepAt(attended.facts, this.#settingsOf(attended));
      return due === undefined ? [] : [{ attended, due }];
    });
    return all.sort((a, b) => a.due.atMs - b.due.atMs)[0];
  }

  /** What Litestream's layout holds, is retained by Litestream's means. */
  #settingsOf({ task }: Attended) {
    const { sync } = task.database;
    if (this.#options.layout === "walrust") return sync;
    return { ...sync, compactAfterSnapshot: false, compactIntervalMs: 0 };
  }

  async #do(attended: Attended, job: UpkeepJob): Promise<void> {
    const { limitWork } = this.#options;
    try {
      await limitWork(AS_LARGE_WORK, () =>
        job === "compaction" ? this.#compact(attended) : this.#validate(attended),
      );
    } catch (error) {
      if (!this.#stop.aborted) this.#tellFailure(attended.task.database.name, job, toWalrustError(error));
    }
  }

  async #compact(attended: Attended): Promise<void> {
    const { storage, cores, clock } = this.#options;
    const { name, retention } = attended.task.database;
    const startedMs = clock.monotonicMs();
    attended.facts = {
      ...attended.facts,
      ...{ isChanged: false, snapshotMs: undefined, lastCompactionMs: startedMs },
    };
    try {
      const { compact } = await import("../retention/compact.ts");
      const policy = { retention, compaction: this.#options.compaction() };
      const options = { policy, force: true, signal: this.#stop };
      const { plan, sizeBytesBefore, sizeBytesAfter } = await compact(
        { storage, cores, clock },
        name,
        options,
      );
      const mergedFiles = plan.merges.reduce((sum, { sources }) => sum + sources.length, 0);
      const deletedFiles = mergedFiles + plan.deletions.length;
      if (deletedFiles === 0) return;
      this.#tell(name, {
        ...{ type: "compacted", keptSnapshots: plan.snapshots.length, mergedFiles, deletedFiles },
        freedBytes: sizeBytesBefore - sizeBytesAfter,
        durationMs: clock.monotonicMs() - startedMs,
      });
    } catch (error) {
      attended.facts = { ...attended.facts, isChanged: true };
      throw error;
    }
  }

  async #validate(attended: Attended): Promise<void> {
    const { storage, cores, clock } = this.#options;
    const { name } = attended.task.database;
    const startedMs = clock.monotonicMs();
    attended.facts = { ...attended.facts, lastValidationMs: startedMs };
    const { verify } = await import("../restore/verify.ts");
    // One request at a time: between two pieces the others get their turn.
    const report = await verify({ storage, cores }, name, { parallel: 1, signal: this.#stop });
    if (report.findings.length > 0) {
      this.#tell(name, {
        type: "validation_failed",
        findings: report.findings.length,
        error: errorOf(report),
      });
      return;
    }
    const durationMs = clock.monotonicMs() - startedMs;
    const { checkedFiles: files, checkedBytes: sizeBytes } = report;
    this.#tell(name, { type: "validated", files, sizeBytes, durationMs });
  }

  /** Storage that does not answer says nothing of the copy; everything else does. */
  #tellFailure(name: string, job: UpkeepJob, error: WalrustError): void {
    const isAboutCopy = error.exitCode === 5 || error.exitCode === 6;
    if (isAboutCopy && job === "validation") {
      this.#tell(name, { type: "validation_failed", findings: 1, error });
      return;
    }
    if (isAboutCopy) {
      this.#tell(name, { type: "corruption_detected", error });
      return;
    }
    const hint = error.hint === undefined ? "" : ` (${error.hint})`;
    this.#options.log.warn(
      { database: name, code: error.code },
      `${name}: ${job} failed, and is tried again: ${error.message}${hint}`,
    );
  }

  #tell(database: string, event: DatabaseEvent): void {
    this.#options.events({ database, ...event });
  }
}

/** Before its first snapshot there is nothing to prove. */
function tellsOfCopy(event: DatabaseEvent): boolean {
  return event.type === "snapshot" || (event.type === "opened" && event.how !== "snapshot");
}

/** All that was found, in the words of the first finding. */
function errorOf({ name, findings }: VerifyReport): WalrustError {
  const [first] = findings;
  const others = findings.length > 1 ? `, and ${findings.length - 1} more` : "";
  return new WalrustError(
    first?.code ?? "INTEGRITY_CHECKSUM",
    `${first?.object ?? name}: ${first?.message ?? "it is damaged"}${others}`,
    {
      hint: `Run \`walrust verify ${name}\` to see what it costs.`,
      details: { object: first?.object ?? null, findings: findings.length },
    },
  );
}
