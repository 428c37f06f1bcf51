import type { Clock } from "../clock.ts";
import { isWalrustError } from "../errors.ts";
import { decodeLtx } from "../ltx/decoder.ts";
import type { Position } from "../ltx/format.ts";
import type { DatabaseKeys } from "../storage/keys.ts";
import type { Manifest, ManifestFile } from "../storage/manifest.ts";
import type { CallOptions, Storage } from "../storage/storage.ts";
import { updateManifest } from "../storage/update-manifest.ts";
import type { Core } from "../wasm/core.ts";
import type { CorePool } from "../wasm/core-pool.ts";

export interface ManifestWriterOptions {
  readonly storage: Storage;
  readonly keys: DatabaseKeys;
  readonly clock: Clock;
  readonly name: string;
  readonly pageSizeBytes: number;
  readonly intervalMs: number;
  readonly cores: CorePool;
  /** Files that storage has and the manifest does not name: they are read and named. */
  readonly unnamed: readonly string[];
}

/** How long a burst must have ended before its files are named in the manifest. */
const QUIET_MS = 2000;
/** A manifest that was lost is made anew over several writes. */
const DESCRIBED_AT_ONCE = 500;

/**
 * Keeps the remote manifest up to date at a bounded rate. Only what was published since it was last written is held here; the rest is read back
 * when it is written again, whoever wrote it meanwhile. It is an index: losing it, or damage to it, loses nothing.
 */
export class ManifestWriter {
  readonly #options: ManifestWriterOptions;
  #added: ManifestFile[] = [];
  #unnamed: readonly string[];
  #lastAddedMs = Number.NEGATIVE_INFINITY;
  #lastWrittenMs = Number.NEGATIVE_INFINITY;

  constructor(options: ManifestWriterOptions) {
    this.#options = options;
    this.#unnamed = options.unnamed;
  }

  get isDirty(): boolean {
    return this.#added.length + this.#unnamed.length > 0;
  }

  add(file: ManifestFile): void {
    // A snapshot can be taken again at the same TXID: the later one is in storage.
    this.#added = [...this.#added.filter((other) => fileName(other) !== fileName(file)), file];
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
    const unnamed = this.#unnamed.slice(0, DESCRIBED_AT_ONCE);
    const described = await this.#describe(unnamed, options);
    const renewed = new Set([...described, ...adding].map(fileName));
    const named = (known: readonly ManifestFile[] = []): Manifest => ({
      name,
      pageSizeBytes,
      currentTxid: head.txid,
      lastChecksum: head.postApply,
      updatedAtMs: clock.now(),
      files: [...known.filter((file) => !renewed.has(fileName(file))), ...described, ...adding],
    });
    await updateManifest(storage, keys, (before) => named(before?.files), options);
    this.#added = this.#added.filter((file) => !adding.includes(file));
    this.#unnamed = this.#unnamed.slice(unnamed.length);
    this.#lastWrittenMs = clock.monotonicMs();
  }

  /** Reads files whole, which proves them too. One that is damaged or gone is not named: `verify` says what is lost. */
  async #describe(unnamed: readonly string[], options: CallOptions): Promise<readonly ManifestFile[]> {
    if (unnamed.length === 0) return [];
    const { cores, storage, clock } = this.#options;
    const described: ManifestFile[] = [];
    const lease = await cores.acquire(options);
    try {
      for (const key of unnamed) {
        const file = await describeFile(lease.core, storage, key, clock.now(), options);
        if (file !== undefined && !this.#added.some((added) => fileName(added) === fileName(file)))
          described.push(file);
      }
    } finally {
      lease.release();
    }
    return described;
  }
}

async function describeFile(
  core: Core,
  storage: Storage,
  key: string,
  createdAtMs: number,
  options: CallOptions,
): Promise<ManifestFile | undefined> {
  try {
    const source = storage.read(key, options);
    const { header, trailer, sizeBytes, bodySha256 } = await decodeLtx(
      core,
      source,
      { objectName: key, ...options },
      () => {},
    );
    const { minTxid, maxTxid, timestampMs, bodyChecksum, preApply } = header;
    const { postApply } = trailer;
    return {
      minTxid,
      maxTxid,
      sizeBytes,
      createdAtMs,
      timestampMs,
      bodyChecksum,
      sha256: bodySha256,
      preApply,
      postApply,
    };
  } catch (error) {
    if (isWalrustError(error, "STORAGE_NOT_FOUND", "INTEGRITY_FORMAT", "INTEGRITY_CHECKSUM"))
      return undefined;
    throw error;
  }
}

function fileName(file: ManifestFile): string {
  return `${file.minTxid}-${file.maxTxid}`;
}
