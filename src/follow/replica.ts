import { existsSync } from "node:fs";
import type { Clock } from "../clock.ts";
import { isWalrustError, WalrustError } from "../errors.ts";
import { applyToDatabaseChecksum } from "../ltx/checksum.ts";
import type { Txid } from "../ltx/format.ts";
import { placeOutput } from "../restore/output.ts";
import { DatabaseLock } from "../shadow/lock.ts";
import type { Core } from "../wasm/core.ts";
import { sumOfPage } from "./database-sum.ts";
import { counterOf, disguise, isRollbackMode, nextCounter, sourceFieldsOf, undisguise } from "./page-one.ts";
import { isPageOneIntact, isWhole } from "./prove-replica.ts";
import { changedHere, gone, notOurs, otherSource, unreadable, wrongBatch } from "./replica-errors.ts";
import { newReplicaMode, ReplicaFile } from "./replica-file.ts";
import { createReplicaFolder, type ReplicaPaths, removeScratch } from "./replica-paths.ts";
import { type Applied, type ReplicaState, readState, writeState } from "./replica-state.ts";
import type { RestoredDatabase } from "./restored-database.ts";
import { Rewrite } from "./rewrite.ts";
import type { StagedBatch } from "./staged-batch.ts";
import { withLock } from "./with-lock.ts";

export interface ReplicaOptions {
  readonly paths: ReplicaPaths;
  /** The address of the source: a file follows one alone. */
  readonly source: string;
  readonly clock: Clock;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  readonly signal: AbortSignal;
}

/**
 * The local side of a replica: its file, its state, and the proof that they belong together. Invariant: `state.current` or
 * `state.next` describes the file whenever nobody else wrote to it; `current` is only given out while it is proved.
 */
export class Replica {
  readonly #options: ReplicaOptions;
  readonly #lock: DatabaseLock;
  #state: ReplicaState;
  #file: ReplicaFile | undefined;
  #isProved = false;

  /** Errors: DATABASE_IN_USE; OUTPUT_EXISTS for a file that is no replica; USAGE for one of another source; LOCAL_*. */
  static open(options: ReplicaOptions): Replica {
    const { paths, source } = options;
    // Before anything is made beside it.
    if (existsSync(paths.database) && !existsSync(paths.state)) throw notOurs(paths.database);
    createReplicaFolder(paths);
    const lock = DatabaseLock.acquire(paths.lock, paths.database);
    try {
      const state = readState(paths.state);
      if (state === "unreadable") throw unreadable(paths);
      if (state && state.source !== source) throw otherSource(paths, state.source, source);
      removeScratch(paths);
      return new Replica(options, lock, state ?? { source, current: undefined, next: undefined });
    } catch (error) {
      lock.release();
      throw error;
    }
  }

  private constructor(options: ReplicaOptions, lock: DatabaseLock, state: ReplicaState) {
    this.#options = options;
    this.#lock = lock;
    this.#state = state;
  }

  /** What the file is; undefined: there is none, or it has to be proved first. */
  get current(): Applied | undefined {
    return this.#isProved ? this.#state.current : undefined;
  }

  /** It never goes back behind this. */
  get reachedTxid(): Txid {
    return this.#state.current?.txid ?? 0n;
  }

  /**
   * Rolls back what a crash left, reads the whole file, and finds out which state it is. Returns what is wrong with it.
   * Errors: OUTPUT_EXISTS, DATABASE_LOCKED, DATABASE_UNREADABLE, LOCAL_*.
   */
  async prove(core: Core): Promise<WalrustError | undefined> {
    const { paths } = this.#options;
    this.#forget();
    if (!existsSync(paths.database)) return undefined;
    this.#file = ReplicaFile.open(paths.database);
    const found = await this.#findState(this.#file, core);
    if (found === undefined) {
      // It came while the first copy was made, and was never ours.
      if (this.#state.current === undefined) throw notOurs(paths.database);
      return changedHere(paths.database);
    }
    await this.#become(found);
    return undefined;
  }

  /** What somebody else did to the file since it was proved, as far as a look shows it. Errors: DATABASE_UNREADABLE, LOCAL_IO. */
  look(core: Core): WalrustError | undefined {
    const { current } = this;
    if (current === undefined || this.#file === undefined) return undefined;
    const { database } = this.#options.paths;
    if (!this.#file.isSamePath()) return this.#diverged(gone(database));
    this.#file.keepReadOnly();
    return isPageOneIntact(this.#file, current, core) ? undefined : this.#diverged(changedHere(database));
  }

  /**
   * Applies a batch in one step. Returns what is wrong with the file, which is then as it was.
   * Errors: INTEGRITY_CHAIN where the batch is wrong; DATABASE_LOCKED, LOCAL_*; the signal's reason.
   */
  async apply(batch: StagedBatch, core: Core): Promise<WalrustError | undefined> {
    const { current } = this;
    const file = this.#file;
    if (current === undefined || file === undefined)
      throw new WalrustError("INTERNAL", "a batch for a replica that is not proved");
    const next = await this.#locked(file, "exclusive", async () => {
      if (!isPageOneIntact(file, current, core)) return undefined;
      return this.#rewrite(file, batch, this.#pageAfter(file, current, batch), core, (rewrite, pageOne) => {
        // What was read of the pages that go counts here: were one of them changed, this would be another checksum.
        const replacesOne = batch.has(1) || batch.commitPages === 0;
        const xor = rewrite.xorBefore ^ batch.xor() ^ (replacesOne ? (current.pageOne?.checksum ?? 0n) : 0n);
        const postApply = applyToDatabaseChecksum(current.postApply, xor);
        if (batch.postApply !== undefined && postApply !== batch.postApply) return undefined;
        const { txid, pageSizeBytes, commitPages, timestampMs } = batch;
        return { txid, postApply, pageSizeBytes, commitPages, timestampMs, pageOne };
      });
    });
    if (next) return void (await this.#become(next));
    if (await this.#findState(file, core)) throw wrongBatch(batch.txid);
    return this.#diverged(changedHere(this.#options.paths.database));
  }

  /**
   * Makes the replica what was restored: page by page, so that connections of readers see it; or as a new file, which only new
   * connections see, where that cannot be done. Errors: OUTPUT_EXISTS, DATABASE_LOCKED, LOCAL_*; the signal's reason.
   */
  async replace(restored: RestoredDatabase, core: Core): Promise<"created" | "in-place" | "new-file"> {
    const file = this.#file;
    const next = file && (await this.#replacePages(file, restored, core));
    if (next) {
      await this.#become(next);
      return "in-place";
    }
    return this.#replaceFile(restored, core);
  }

  close(): void {
    this.#forget();
    removeScratch(this.#options.paths);
    this.#lock.release();
  }

  #locked<T>(
    file: ReplicaFile,
    kind: "shared" | "exclusive",
    work: () => Promise<T>,
  ): Promise<T | undefined> {
    const { clock, signal } = this.#options;
    return withLock(file, kind, { clock, signal }, work).catch((error: unknown) => {
      // What SQLite does not even take for a database can be no state of ours.
      if (isWalrustError(error, "DATABASE_NOT_SQLITE", "INTEGRITY_DATABASE")) return undefined;
      throw error;
    });
  }

  #findState(file: ReplicaFile, core: Core): Promise<Applied | undefined> {
    const candidates = [this.#state.next, this.#state.current].filter((one) => one !== undefined);
    return this.#locked(file, "shared", async () => {
      for (const candidate of candidates) if (await isWhole(file, candidate, core)) return candidate;
      return undefined;
    });
  }

  /** The source's page 1 after a batch. */
  #pageAfter(file: ReplicaFile, { pageOne, pageSizeBytes }: Applied, batch: StagedBatch) {
    if (batch.commitPages === 0) return undefined;
    const page = new Uint8Array(pageSizeBytes);
    if (batch.has(1)) batch.read(1, page);
    else {
      file.read(page, 0);
      if (pageOne) undisguise(page, pageOne);
    }
    return { page, counter: nextCounter(pageOne?.counter ?? 0) };
  }

  /**
   * Under EXCLUSIVE. `decide` sees what was read before anything is written, and says what the file becomes; undefined: nothing,
   * it stays.
   */
  async #rewrite(
    file: ReplicaFile,
    pages: StagedBatch | RestoredDatabase,
    after: { readonly page: Uint8Array; readonly counter: number } | undefined,
    core: Core,
    decide: (rewrite: Rewrite, pageOne: Applied["pageOne"]) => Applied | undefined,
  ): Promise<Applied | undefined> {
    const { paths, random } = this.#options;
    const pageOne = after && {
      sourceFields: sourceFieldsOf(after.page),
      counter: after.counter,
      checksum: sumOfPage(core, 1, after.page),
    };
    if (after && pageOne) disguise(after.page, pageOne);
    const nonce = Math.floor(random() * 2 ** 32);
    const options = { file, journalPath: paths.journal, core, nonce, pages, pageOne: after?.page };
    const rewrite = await Rewrite.prepare(options);
    try {
      const next = decide(rewrite, pageOne);
      if (next === undefined) {
        rewrite.abandon();
        return undefined;
      }
      await this.#write({ ...this.#state, next });
      await rewrite.commit();
      return next;
    } catch (error) {
      // Until it is proved again nobody knows which of the two states the file is.
      this.#isProved = false;
      rewrite.abandon();
      throw error;
    }
  }

  /** Undefined where the file cannot take the pages. */
  async #replacePages(
    file: ReplicaFile,
    restored: RestoredDatabase,
    core: Core,
  ): Promise<Applied | undefined> {
    if (!file.isSamePath() || !takesPages(file, restored.pageSizeBytes)) return undefined;
    return this.#locked(file, "exclusive", async () => {
      if (!takesPages(file, restored.pageSizeBytes)) return undefined;
      const before = new Uint8Array(restored.pageSizeBytes);
      file.read(before, 0);
      const counter = nextCounter(counterOf(before));
      const page = restored.commitPages > 0 ? restored.readPageOne() : undefined;
      return this.#rewrite(file, restored, page && { page, counter }, core, () =>
        restored.applied(counter, core),
      );
    });
  }

  async #replaceFile(restored: RestoredDatabase, core: Core): Promise<"created" | "new-file"> {
    const { paths } = this.#options;
    const replaces = this.#file !== undefined;
    const mode = this.#file?.mode ?? newReplicaMode();
    const owner = this.#file?.owner;
    this.#forget();
    const counter = restored.commitPages > 0 ? nextCounter(counterOf(restored.readPageOne())) : 0;
    const next = restored.applied(counter, core);
    restored.disguise(next);
    await this.#write({ ...this.#state, next });
    placeOutput({ path: paths.database, temporaryPath: restored.path, mode, owner, replaces });
    this.#file = ReplicaFile.open(paths.database);
    await this.#become(next);
    return replaces ? "new-file" : "created";
  }

  async #become(applied: Applied): Promise<void> {
    this.#isProved = false;
    if (this.#state.current !== applied || this.#state.next !== undefined)
      await this.#write({ source: this.#state.source, current: applied, next: undefined });
    this.#isProved = true;
  }

  async #write(state: ReplicaState): Promise<void> {
    await writeState(this.#options.paths.state, state);
    this.#state = state;
  }

  #diverged(error: WalrustError): WalrustError {
    this.#isProved = false;
    return error;
  }

  #forget(): void {
    this.#isProved = false;
    this.#file?.close();
    this.#file = undefined;
  }
}

/** A database in rollback mode with pages of that size, and nothing but whole pages: SQLite's lock on it excludes all readers. */
function takesPages(file: ReplicaFile, pageSizeBytes: number): boolean {
  const page = new Uint8Array(512);
  if (file.read(page, 0) !== page.length || !isRollbackMode(page)) return false;
  const stored = ((page[16] ?? 0) << 8) | (page[17] ?? 0);
  return (stored === 1 ? 65536 : stored) === pageSizeBytes && file.sizeBytes % pageSizeBytes === 0;
}
