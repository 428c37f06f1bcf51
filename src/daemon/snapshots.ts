import type { Clock } from "../clock.ts";
import type { SyncSettings } from "../config/settings.ts";
import { toWalrustError, WalrustError } from "../errors.ts";
import type { SnapshotTrigger } from "../events.ts";
import type { PublishedFile } from "../replication/publisher.ts";
import type { NewestSnapshot } from "../replication/remote-head.ts";
import type { Replica, SnapshotPoint } from "../replication/replica.ts";
import { type SnapshotFacts, snapshotAt } from "./schedule.ts";

export type SnapshotNews =
  | {
      readonly kind: "done";
      readonly file: PublishedFile;
      readonly trigger: SnapshotTrigger;
      readonly durationMs: number;
    }
  | { readonly kind: "failed"; readonly error: WalrustError };

const RETRY_MS = 30_000;

/** What is remembered of one that is not open (rest.ts). Times are of the monotonic clock. */
export interface SnapshotMemory {
  readonly lastTxid: bigint;
  readonly lastMs: number;
  readonly firstChangeMs: number;
  readonly retryAtMs: number;
}

/** What decides when the next one is due, of a database that is captured up to `txid`. */
export function snapshotFactsOf(memory: SnapshotMemory, txid: bigint, lastCommitMs: number): SnapshotFacts {
  const { lastTxid, lastMs, firstChangeMs, retryAtMs } = memory;
  return { changes: txid - lastTxid, firstChangeMs, lastCommitMs, lastSnapshotMs: lastMs, retryAtMs };
}

interface Request {
  readonly trigger: SnapshotTrigger;
  readonly resolve: (file: PublishedFile) => void;
  readonly reject: (error: WalrustError) => void;
}

type State =
  | { readonly kind: "none" }
  /** Pinned; increments have to reach it first. */
  | {
      readonly kind: "pinned";
      readonly point: SnapshotPoint;
      readonly trigger: SnapshotTrigger;
      readonly sinceMs: number;
    }
  | { readonly kind: "running"; readonly sinceMs: number };

/** Takes the snapshots of one database: one at a time, when a trigger or somebody asks for it. */
export class Snapshots {
  readonly #replica: Replica;
  readonly #sync: () => SyncSettings;
  readonly #clock: Clock;
  readonly #tell: (news: SnapshotNews) => void;
  #state: State = { kind: "none" };
  #running: Promise<void> = Promise.resolve();
  #lastTxid: bigint;
  #lastMs: number;
  #newest: NewestSnapshot | undefined;
  #firstChangeMs: number;
  #retryAtMs: number;
  #asked: Request | undefined;

  /** @param sync as of now */
  constructor(
    replica: Replica,
    sync: () => SyncSettings,
    clock: Clock,
    tell: (news: SnapshotNews) => void,
    memory?: SnapshotMemory,
  ) {
    this.#replica = replica;
    this.#sync = sync;
    this.#clock = clock;
    this.#tell = tell;
    const nowMs = clock.monotonicMs();
    const newest = replica.newestSnapshot;
    this.#newest = newest;
    this.#retryAtMs = memory?.retryAtMs ?? 0;
    if (memory !== undefined) {
      this.#lastTxid = memory.lastTxid;
      this.#lastMs = memory.lastMs;
      this.#firstChangeMs = memory.firstChangeMs;
      return;
    }
    this.#lastTxid = newest?.txid ?? replica.published?.txid ?? 0n;
    // `on_startup`: the interval counts from the newest snapshot that storage has, else from now
    const ageMs = newest === undefined || !sync().onStartup ? 0 : Math.max(0, clock.now() - newest.takenAtMs);
    this.#lastMs = nowMs - ageMs;
    this.#firstChangeMs = nowMs;
  }

  /** A snapshot was just taken by other means: the first of a chain. */
  took(txid: bigint): void {
    this.#lastTxid = txid;
    this.#lastMs = this.#clock.monotonicMs();
    this.#newest = { txid, takenAtMs: this.#clock.now() };
  }

  /** The newest one in storage, as far as is known. */
  get newest(): NewestSnapshot | undefined {
    return this.#newest;
  }

  /** When the one under way began, on the monotonic clock. */
  get sinceMs(): number | undefined {
    return this.#state.kind === "none" ? undefined : this.#state.sinceMs;
  }

  /** Takes one as soon as it can be. Errors: those of storage; USAGE when one is asked for already. */
  ask(trigger: SnapshotTrigger): Promise<PublishedFile> {
    if (this.#asked !== undefined) {
      return Promise.reject(new WalrustError("USAGE", "a snapshot of this database is under way already"));
    }
    return new Promise((resolve, reject) => {
      this.#asked = { trigger, resolve, reject };
    });
  }

  get memory(): SnapshotMemory {
    return {
      ...{ lastTxid: this.#lastTxid, lastMs: this.#lastMs },
      ...{ firstChangeMs: this.#firstChangeMs, retryAtMs: this.#retryAtMs },
    };
  }

  /** None is under way or asked for. */
  get isIdle(): boolean {
    return this.#state.kind === "none" && this.#asked === undefined;
  }

  get isAsked(): boolean {
    return this.#asked !== undefined;
  }

  dueAtMs(lastCommitMs: number): number | undefined {
    if (this.#state.kind !== "none") return undefined;
    return this.#asked === undefined ? this.#due(lastCommitMs)?.atMs : Number.NEGATIVE_INFINITY;
  }

  /** The one that failed is still due: nobody has to ask for it again. */
  isTriedAgain(lastCommitMs: number): boolean {
    const dueAtMs = this.dueAtMs(lastCommitMs);
    return dueAtMs !== undefined && dueAtMs <= this.#retryAtMs;
  }

  /** Commits were captured. */
  noteChange(): void {
    if (this.#changes === 0n) this.#firstChangeMs = this.#clock.monotonicMs();
  }

  /** Pins if one is due, and begins to write once increments have reached the pin. Errors: DATABASE_*. */
  async proceed(lastCommitMs: number, signal: AbortSignal): Promise<void> {
    const dueAtMs = this.dueAtMs(lastCommitMs);
    if (this.#state.kind === "none" && dueAtMs !== undefined && dueAtMs <= this.#clock.monotonicMs()) {
      const trigger = this.#asked?.trigger ?? this.#due(lastCommitMs)?.trigger ?? "interval";
      const point = await this.#replica.pinForSnapshot({ signal });
      this.#state = { kind: "pinned", point, trigger, sinceMs: this.#clock.monotonicMs() };
    }
    if (this.#state.kind === "pinned" && this.#replica.published?.txid === this.#state.point.txid) {
      this.#running = this.#run(this.#state, signal);
    }
  }

  /** Lets a pin go that waits for a storage that does not answer. */
  abandon(): void {
    if (this.#state.kind === "pinned") {
      this.#state.point.end();
      this.#state = { kind: "none" };
      this.#refuse(
        new WalrustError("STORAGE_UNAVAILABLE", "storage did not take the increments before the snapshot"),
      );
    }
  }

  /** After the signal of a running one was aborted, or to wait for its end. */
  async stop(): Promise<void> {
    await this.#running;
    this.abandon();
    this.#refuse(new WalrustError("ABORTED", "walrust stopped before the snapshot was taken"));
  }

  #refuse(error: WalrustError): void {
    this.#asked?.reject(error);
    this.#asked = undefined;
  }

  get #changes(): bigint {
    return this.#replica.capture.state.txid - this.#lastTxid;
  }

  async #run(
    { point, trigger, sinceMs }: Extract<State, { kind: "pinned" }>,
    signal: AbortSignal,
  ): Promise<void> {
    this.#state = { kind: "running", sinceMs };
    try {
      const file = await this.#replica.publishSnapshot(point, { signal });
      this.took(point.txid);
      this.#asked?.resolve(file);
      this.#asked = undefined;
      this.#tell({ kind: "done", file, trigger, durationMs: this.#clock.monotonicMs() - sinceMs });
    } catch (error) {
      const failure = toWalrustError(error);
      this.#retryAtMs = this.#clock.monotonicMs() + RETRY_MS;
      this.#refuse(failure);
      this.#tell({ kind: "failed", error: failure });
    } finally {
      point.end();
      this.#state = { kind: "none" };
    }
  }

  #due(lastCommitMs: number) {
    const facts = snapshotFactsOf(this.memory, this.#replica.capture.state.txid, lastCommitMs);
    return snapshotAt(facts, this.#sync());
  }
}
