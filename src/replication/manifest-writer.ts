import type { Clock } from "../clock.ts";
import { isWalrustError } from "../errors.ts";
import type { Position } from "../ltx/format.ts";
import type { DatabaseKeys } from "../storage/keys.ts";
import {
  formatManifest,
  MANIFEST_MAX_BYTES,
  type Manifest,
  type ManifestFile,
  parseManifest,
} from "../storage/manifest.ts";
import type { CallOptions, Storage } from "../storage/storage.ts";

export interface ManifestWriterOptions {
  readonly storage: Storage;
  readonly keys: DatabaseKeys;
  readonly clock: Clock;
  readonly name: string;
  readonly pageSizeBytes: number;
  readonly intervalMs: number;
}

/** How long a burst must have ended before its files are named in the manifest. */
const QUIET_MS = 2000;

/**
 * Keeps the remote manifest up to date at a bounded rate. Only what was published since it was last written is held here; the rest is read back
 * when it is written again. It is an index: losing or missing it loses nothing.
 */
export class ManifestWriter {
  readonly #options: ManifestWriterOptions;
  #added: ManifestFile[] = [];
  #lastAddedMs = Number.NEGATIVE_INFINITY;
  #lastWrittenMs = Number.NEGATIVE_INFINITY;

  constructor(options: ManifestWriterOptions) {
    this.#options = options;
  }

  get isDirty(): boolean {
    return this.#added.length > 0;
  }

  add(file: ManifestFile): void {
    this.#added.push(file);
    this.#lastAddedMs = this.#options.clock.monotonicMs();
  }

  /** When it should be written, on the monotonic clock: soon after a burst ends, and seldom; undefined: nothing to tell. */
  get dueAtMs(): number | undefined {
    if (!this.isDirty) return undefined;
    return Math.max(this.#lastAddedMs + QUIET_MS, this.#lastWrittenMs + this.#options.intervalMs);
  }

  /** Writes what was published up to `head`. Errors: those of storage; then nothing is forgotten. */
  async write(head: Position, options: CallOptions = {}): Promise<void> {
    const { storage, keys, clock, name, pageSizeBytes } = this.#options;
    const adding = this.#added;
    const known = await this.#read(options);
    const renewed = new Set(adding.map(fileName));
    const manifest: Manifest = {
      name,
      pageSizeBytes,
      currentTxid: head.txid,
      lastChecksum: head.postApply,
      updatedAtMs: clock.now(),
      files: [...known.filter((file) => !renewed.has(fileName(file))), ...adding],
    };
    await storage.put(keys.manifest(), formatManifest(manifest), options);
    this.#added = this.#added.slice(adding.length);
    this.#lastWrittenMs = clock.monotonicMs();
  }

  /** A manifest that is missing or damaged begins anew: readers list what it does not name. */
  async #read(options: CallOptions): Promise<readonly ManifestFile[]> {
    const { storage, keys } = this.#options;
    try {
      const { body } = await storage.get(keys.manifest(), { ...options, maxBytes: MANIFEST_MAX_BYTES });
      return parseManifest(body, keys.manifest()).files;
    } catch (error) {
      if (isWalrustError(error, "STORAGE_NOT_FOUND", "INTEGRITY_FORMAT")) return [];
      throw error;
    }
  }
}

function fileName(file: ManifestFile): string {
  return `${file.minTxid}-${file.maxTxid}`;
}
