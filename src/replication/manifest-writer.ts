import type { Clock } from "../clock.ts";
import type { Position } from "../ltx/format.ts";
import { joinCatalog } from "../restore/catalog.ts";
import { Chains } from "../restore/chains.ts";
import { type CheckedFile, checkFiles, isSound } from "../restore/checked-file.ts";
import { isSnapshotFile, type RestoreFile } from "../restore/restore-file.ts";
import { settledBy } from "../restore/settled.ts";
import { listFiles } from "../storage/database-objects.ts";
import { manifestFileOf } from "../storage/describe-file.ts";
import type { DatabaseKeys } from "../storage/keys.ts";
import type { Manifest, ManifestFile } from "../storage/manifest.ts";
import { PackedFiles } from "../storage/packed-files.ts";
import type { CallOptions, Storage } from "../storage/storage.ts";
import { updateManifest } from "../storage/update-manifest.ts";
import type { CorePool } from "../wasm/core-pool.ts";
import type { WriterLease } from "./writer-lease.ts";

export interface ManifestWriterOptions {
  readonly storage: Storage;
  readonly keys: DatabaseKeys;
  readonly clock: Clock;
  readonly name: string;
  readonly pageSizeBytes: number;
  /** As of now. */
  readonly intervalMs: () => number;
  /** When it was written last by this process, on the monotonic clock. */
  readonly lastWrittenMs?: number;
  readonly cores: CorePool;
  readonly writer: WriterLease;
  /** Files that storage has and the manifest does not name: they are read, and named where they are sound. */
  readonly unnamed: readonly string[];
  /** Storage held nothing of this database when it was opened: what there is was added here. */
  readonly isNew: boolean;
}

/** Of the files that storage has; where the layout knows no manifest, `NO_MANIFEST`. */
export interface ManifestIndex {
  /** Files were published that it does not name yet. */
  readonly isDirty: boolean;
  /** When it should be written, on the monotonic clock: soon after a snapshot, or after a burst ends, and seldom; undefined: nothing to tell. */
  readonly dueAtMs: number | undefined;
  /** The same without waiting for the burst to end. */
  readonly soonestMs: number | undefined;
  /** When it was written last, on the monotonic clock. */
  readonly lastWrittenMs: number;
  add(file: ManifestFile): void;
  /** Writes what was published up to `head`. Errors: those of storage; then nothing is forgotten. */
  write(head: Position, options?: CallOptions): Promise<void>;
}

export const NO_MANIFEST: ManifestIndex = {
  isDirty: false,
  dueAtMs: undefined,
  soonestMs: undefined,
  lastWrittenMs: Number.NEGATIVE_INFINITY,
  add() {},
  async write() {},
};

/** How long a burst must have ended before its files are named in the manifest, and how soon a snapshot is, for a retention that counts those with a name. */
const QUIET_MS = 2000;
const READS_AT_ONCE = 8;

/**
 * Keeps the remote manifest up to date at a bounded rate. Only what was published since it was last written is held here; the rest is read back
 * when it is written again, whoever wrote it meanwhile. It is an index: losing it, or damage to it, loses nothing.
 */
export class ManifestWriter implements ManifestIndex {
  readonly #options: ManifestWriterOptions;
  readonly #added = new PackedFiles();
  #unnamed: readonly string[];
  /** Files that the last write found in storage by itself, and named. */
  #found: readonly ManifestFile[] = [];
  #lastAddedMs = Number.NEGATIVE_INFINITY;
  /** Since when there is something that no write has begun to name. */
  #dirtySinceMs = Number.NEGATIVE_INFINITY;
  /** When the last snapshot was added that has no name yet; infinity: all have one. */
  #snapshotAddedMs = Number.POSITIVE_INFINITY;
  #lastWrittenMs: number;
  #isNew: boolean;

  constructor(options: ManifestWriterOptions) {
    this.#options = options;
    this.#isNew = options.isNew;
    this.#unnamed = options.unnamed;
    this.#lastWrittenMs = options.lastWrittenMs ?? Number.NEGATIVE_INFINITY;
  }

  get isDirty(): boolean {
    return this.#added.length + this.#unnamed.length > 0;
  }

  add(file: ManifestFile): void {
    if (this.#isFound(file)) return;
    this.#lastAddedMs = this.#options.clock.monotonicMs();
    if (!this.isDirty) this.#dirtySinceMs = this.#lastAddedMs;
    if (isSnapshotFile(file)) this.#snapshotAddedMs = this.#lastAddedMs;
    this.#added.add(file); // a snapshot can be taken again at the same TXID: the later one is in storage
  }

  get dueAtMs(): number | undefined {
    const { soonestMs } = this;
    if (soonestMs === undefined) return undefined;
    // A burst may never end.
    const latestMs = Math.min(
      this.#dirtySinceMs + this.#options.intervalMs(),
      this.#snapshotAddedMs + QUIET_MS,
    );
    return Math.max(Math.min(this.#lastAddedMs + QUIET_MS, latestMs), soonestMs);
  }

  get soonestMs(): number | undefined {
    if (!this.isDirty) return undefined;
    return Math.min(this.#lastWrittenMs + this.#options.intervalMs(), this.#snapshotAddedMs);
  }

  get lastWrittenMs(): number {
    return this.#lastWrittenMs;
  }

  async write(head: Position, options: CallOptions = {}): Promise<void> {
    const { storage, keys, clock, writer } = this.#options;
    const adding = this.#added.unpack();
    const snapshotAddedMs = this.#snapshotAddedMs;
    const read = new Map<string, CheckedFile>();
    let found: readonly ManifestFile[] = [];
    const next = async (before: Manifest | undefined, signal: AbortSignal) => {
      const isNew = this.#isNew;
      this.#isNew = false; // if only by a try whose answer was lost
      const writing = { head, adding, read, signal };
      const told = this.#told(before, writing);
      found = isNew ? [] : await this.#untold(before, told, writing);
      return { ...told, files: [...told.files, ...found] };
    };
    await writer.hold((signal) => {
      const change = (before: Manifest | undefined) => next(before, signal);
      return updateManifest(storage, keys, change, { signal, isNew: this.#isNew });
    }, options);
    this.#found = found;
    this.#added.remove([...adding, ...found]);
    this.#unnamed = [];
    if (this.#snapshotAddedMs === snapshotAddedMs) this.#snapshotAddedMs = Number.POSITIVE_INFINITY;
    this.#lastWrittenMs = clock.monotonicMs();
  }

  /**
   * A snapshot lies in storage before we are told of it. One that was found there and named must not be named a second time: a compaction may have
   * taken it away in between.
   */
  #isFound(file: ManifestFile): boolean {
    return this.#found.some((found) => fileName(found) === fileName(file) && found.sha256 === file.sha256);
  }

  /** With what was published since the last write. */
  #told(before: Manifest | undefined, writing: Writing): Manifest {
    const { clock, name, pageSizeBytes } = this.#options;
    const { head } = writing;
    const adding = writing.adding.filter((file) => !isTakenAway(file, before));
    const renewed = new Set(adding.map(fileName));
    const known = [...(before?.files ?? []).filter((file) => !renewed.has(fileName(file))), ...adding];
    return {
      ...{ name, pageSizeBytes, currentTxid: head.txid, lastChecksum: head.postApply },
      ...{ updatedAtMs: clock.now(), files: known },
    };
  }

  /** What storage has beyond that, where it has to be asked. One that is made anew names everything at once: half of one would be wrong about what it leaves out. */
  async #untold(before: Manifest | undefined, told: Manifest, writing: Writing): Promise<ManifestFile[]> {
    if (before !== undefined && this.#unnamed.length === 0) return [];
    const isWanted = (key: string) => before === undefined || this.#unnamed.includes(key);
    return this.#find(told, isWanted, writing);
  }

  /**
   * What storage has beyond `told`. Files are read whole, which proves them too. One that is damaged, or leads
   * nowhere since what it follows is gone, is not named: `verify` says what is lost.
   */
  async #find(
    told: Manifest,
    isWanted: (key: string) => boolean,
    { read, signal }: Writing,
  ): Promise<ManifestFile[]> {
    const { storage, keys, name, cores, clock } = this.#options;
    const manifest = { ...told, etag: "" };
    const listed = await listFiles(storage, keys, { signal });
    const { present } = joinCatalog(name, { state: "ok", manifest, etag: "" }, listed);
    const isTold = ({ bodySha256 }: RestoreFile) => bodySha256 !== undefined;
    const untold = present.filter((file) => !isTold(file) && isWanted(file.key));
    const unread = untold.filter(({ key }) => !read.has(key));
    if (unread.length > 0) {
      const { core, release } = await cores.acquire({ signal });
      const checked = await checkFiles(storage, core, unread, { parallel: READS_AT_ONCE, signal }).finally(
        release,
      );
      for (const one of checked) read.set(one.file.key, one);
    }
    const sound = untold.flatMap(({ key }) => read.get(key) ?? []).filter(isSound);
    const { attached } = new Chains([...present.filter(isTold), ...sound.map(({ file }) => file)]);
    const usable = new Set(attached);
    return sound
      .filter(({ file }) => usable.has(file))
      .map(({ file, decoded }) => manifestFileOf(decoded, file.lastModifiedMs ?? clock.now()));
  }
}

/** What one write works with; `read` is kept when it has to begin again. */
interface Writing {
  readonly head: Position;
  readonly adding: readonly ManifestFile[];
  readonly read: Map<string, CheckedFile>;
  readonly signal: AbortSignal;
}

/**
 * Somebody who knew of it wrote a manifest without this file: it was merged or pruned before we came to name it (a compaction that found no
 * manifest, or one after a `verify --fix`).
 */
function isTakenAway(file: ManifestFile, before: Manifest | undefined): boolean {
  if (before === undefined || !settledBy(before)(file)) return false;
  return !before.files.some((named) => fileName(named) === fileName(file));
}

function fileName(file: ManifestFile): string {
  return `${file.minTxid}-${file.maxTxid}`;
}
