import type { Clock } from "../clock.ts";
import type { RetentionPolicy } from "../config/settings.ts";
import { isWalrustError, WalrustError } from "../errors.ts";
import type { RestoreFile } from "../restore/restore-file.ts";
import { clearScratchFolders } from "../restore/scratch-folder.ts";
import { manifestFileOf } from "../storage/describe-file.ts";
import { databaseKeys } from "../storage/keys.ts";
import type { ManifestFile } from "../storage/manifest.ts";
import type { CallOptions, Storage } from "../storage/storage.ts";
import { updateManifest } from "../storage/update-manifest.ts";
import type { CorePool } from "../wasm/core-pool.ts";
import { mergeFiles } from "./merge.ts";
import type { PlannedMerge } from "./merges.ts";
import { fileId, newManifest } from "./new-manifest.ts";
import type { CompactionPlan } from "./plan.ts";
import { type Planned, type Survey, surveyAndPlan } from "./survey.ts";

export interface CompactDependencies {
  readonly storage: Storage;
  readonly cores: CorePool;
  readonly clock: Clock;
}

export interface CompactOptions extends CallOptions {
  readonly policy: RetentionPolicy;
  /** Without it nothing is changed: the report says what would be. */
  readonly force?: boolean;
  readonly onProgress?: (progress: CompactProgress) => void;
}

/** Stored bytes of the files to merge. */
export interface CompactProgress {
  readonly doneBytes: number;
  readonly totalBytes: number;
}

export interface CompactReport {
  readonly name: string;
  /** It was done, not only planned. */
  readonly isDone: boolean;
  readonly policy: RetentionPolicy;
  readonly plan: CompactionPlan;
  /** Each merge of the plan, with the size of its file once that is made. */
  readonly merges: readonly MergedFile[];
  /** All that is there before. */
  readonly sizeBytesBefore: number;
  /** What is there afterwards; in a dry run at most, since a merged file is smaller than its sources together. */
  readonly sizeBytesAfter: number;
}

export interface MergedFile {
  readonly key: string;
  readonly merge: PlannedMerge;
  /** Of all sources together. */
  readonly sourceBytes: number;
  /** Undefined in a dry run. */
  readonly sizeBytes: number | undefined;
}

const DELETED_AT_ONCE = 100;
const MAX_TRIES = 4;

/**
 * Retention and merging of one database: keeps what the policy keeps, merges older incrementals, deletes what
 * no kept restore point needs, and what crashes left behind. New objects come first, the manifest next, and
 * deletions last, the newest first: wherever it ends, every restore point that is to stay can be restored,
 * and the next compaction finds what is left. A daemon may publish meanwhile; another compaction makes this one
 * plan anew.
 * Errors: RESTORE_NOTHING; USAGE for a replica of Litestream; INTEGRITY_* naming the object; STORAGE_*;
 * LOCAL_* for its scratch files; the signal's reason.
 */
export async function compact(
  dependencies: CompactDependencies,
  name: string,
  options: CompactOptions,
): Promise<CompactReport> {
  const { policy, force = false, signal } = options;
  const call = signal ? { signal } : {};
  for (let tries = 1; ; tries += 1) {
    try {
      const planned = await surveyAndPlan(dependencies, name, policy, dependencies.clock.now(), call);
      const compaction = new Compaction(dependencies, planned, options);
      if (!force || (await compaction.carryOut()) === "done") return compaction.report();
    } catch (error) {
      // What was listed a moment ago is gone: somebody else prunes or merges.
      if (tries === MAX_TRIES || !isWalrustError(error, "STORAGE_NOT_FOUND")) throw error;
    }
    if (tries === MAX_TRIES) throw overtaken(name);
  }
}

/** One plan, carried out once. */
class Compaction {
  readonly #dependencies: CompactDependencies;
  readonly #survey: Survey;
  readonly #plan: CompactionPlan;
  readonly #options: CompactOptions;
  readonly #call: CallOptions;
  readonly #keys: ReturnType<typeof databaseKeys>;
  readonly #made: ManifestFile[] = [];
  readonly #merged: PlannedMerge[] = [];
  #failure: WalrustError | undefined;

  constructor(dependencies: CompactDependencies, { survey, plan }: Planned, options: CompactOptions) {
    this.#dependencies = dependencies;
    this.#survey = survey;
    this.#plan = plan;
    this.#options = options;
    this.#call = options.signal ? { signal: options.signal } : {};
    this.#keys = databaseKeys(survey.name);
  }

  /** One damaged file does not keep all others for ever: what it is a part of stays, and is told in the end. */
  async carryOut(): Promise<"done" | "overtaken"> {
    clearScratchFolders("merge");
    await this.#mergeAll();
    if ((await this.#writeManifest()) === "overtaken") return "overtaken";
    await this.#deleteAll();
    if (this.#failure) throw this.#failure;
    return "done";
  }

  async #mergeAll(): Promise<void> {
    const { merges } = this.#plan;
    const totalBytes = sizeOf(merges.flatMap(({ sources }) => sources));
    let doneBytes = 0;
    const onBytes = (bytes: number) => {
      doneBytes += bytes;
      this.#options.onProgress?.({ doneBytes, totalBytes });
    };
    for (const merge of merges) {
      try {
        this.#made.push(await this.#merge(merge, onBytes));
        this.#merged.push(merge);
      } catch (error) {
        if (!isWalrustError(error, "INTEGRITY_FORMAT", "INTEGRITY_CHECKSUM", "INTEGRITY_CHAIN")) throw error;
        this.#failure ??= error;
      }
    }
  }

  async #merge(
    { minTxid, maxTxid, sources }: PlannedMerge,
    onBytes: (bytes: number) => void,
  ): Promise<ManifestFile> {
    const { cores, storage, clock } = this.#dependencies;
    const key = this.#keys.ltx(minTxid, maxTxid);
    const lease = await cores.acquire(this.#call);
    try {
      const files = { storage, key, sources, core: lease.core };
      return manifestFileOf(await mergeFiles({ ...files, onBytes, ...this.#call }), clock.now());
    } finally {
      lease.release();
    }
  }

  async #writeManifest(): Promise<"done" | "overtaken"> {
    const { storage, clock } = this.#dependencies;
    const added = [...this.#adopted(), ...this.#made];
    const removed = new Set([...this.#gone(), ...this.#plan.forgotten].map(fileId));
    const pageSizeBytes = this.#pageSizeBytes();
    if (pageSizeBytes === undefined || !this.#changesManifest(added, removed)) return "done";
    const { name, headTxid } = this.#survey;
    const premises = this.#premises();
    let outcome: "done" | "overtaken" = "done";
    await updateManifest(
      storage,
      this.#keys,
      (before) => {
        const change = { name, pageSizeBytes, headTxid, added, removed, premises, updatedAtMs: clock.now() };
        const changed = newManifest(before, change);
        outcome = changed === "overtaken" ? changed : "done";
        return changed === "overtaken" ? undefined : changed;
      },
      this.#call,
    );
    return outcome;
  }

  /** Leftovers that no manifest names can go without one being written. */
  #changesManifest(added: readonly ManifestFile[], removed: ReadonlySet<string>): boolean {
    const { manifest } = this.#survey;
    if (manifest === undefined) return removed.size > 0 || this.#made.length > 0;
    return added.length > 0 || manifest.files.some((file) => removed.has(fileId(file)));
  }

  /** Files that stay, were read to their end, and are not named yet: a crash came before their manifest. */
  #adopted(): ManifestFile[] {
    const { read, manifest } = this.#survey;
    const named = new Set(manifest?.files.map(fileId));
    const staying = [...this.#plan.snapshots.map(({ file }) => file), ...this.#plan.untouched];
    return staying.flatMap((file) => {
      const sound = read.get(file.key);
      if (sound === undefined || named.has(fileId(file))) return [];
      return [manifestFileOf(sound.decoded, file.lastModifiedMs ?? this.#dependencies.clock.now())];
    });
  }

  #premises(): ReadonlySet<string> {
    const { snapshots, untouched, merges } = this.#plan;
    const named = new Set(this.#survey.manifest?.files.map(fileId));
    const rests = [
      ...snapshots.map(({ file }) => file),
      ...untouched,
      ...merges.flatMap(({ sources }) => sources),
    ];
    return new Set(rests.map(fileId).filter((id) => named.has(id)));
  }

  #pageSizeBytes(): number | undefined {
    const [sound] = this.#survey.read.values();
    return this.#survey.manifest?.pageSizeBytes ?? sound?.decoded.header.pageSizeBytes;
  }

  /** The newest first: what a crash leaves still hangs together, so that the next plan can tell what it is. */
  async #deleteAll(): Promise<void> {
    const keys = this.#gone()
      .sort((a, b) => (a.maxTxid > b.maxTxid ? -1 : 1))
      .map(({ key }) => key);
    for (let at = 0; at < keys.length; at += DELETED_AT_ONCE) {
      await this.#dependencies.storage.delete(keys.slice(at, at + DELETED_AT_ONCE), this.#call);
    }
  }

  #gone(): RestoreFile[] {
    const expired = this.#plan.deletions.map(({ file }) => file);
    return [...expired, ...this.#merged.flatMap(({ sources }) => sources)];
  }

  report(): CompactReport {
    const { name, present, unusable } = this.#survey;
    const { policy, force = false } = this.#options;
    const sizes = new Map(this.#made.map((file) => [fileId(file), file.sizeBytes]));
    const merges = this.#plan.merges.map((merge) => ({
      key: this.#keys.ltx(merge.minTxid, merge.maxTxid),
      merge,
      sourceBytes: sizeOf(merge.sources),
      sizeBytes: sizes.get(fileId(merge)),
    }));
    const sizeBytesBefore = sizeOf([...present, ...unusable]);
    const deletedBytes = sizeOf(this.#plan.deletions.map(({ file }) => file));
    const saved = merges.reduce(
      (sum, { sourceBytes, sizeBytes }) => sum + sourceBytes - (sizeBytes ?? sourceBytes),
      0,
    );
    const sizeBytesAfter = sizeBytesBefore - deletedBytes - saved;
    return { name, isDone: force, policy, plan: this.#plan, merges, sizeBytesBefore, sizeBytesAfter };
  }
}

function sizeOf(files: readonly RestoreFile[]): number {
  return files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
}

function overtaken(name: string): WalrustError {
  return new WalrustError("STORAGE_CONFLICT", `the files of "${name}" change while they are compacted`, {
    hint: "Another compaction runs: let one of them, and try again when it is done.",
  });
}
