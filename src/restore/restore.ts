import { isWalrustError, WalrustError } from "../errors.ts";
import { type DecodedLtx, decodeLtx } from "../ltx/decoder.ts";
import type { Checksum } from "../ltx/format.ts";
import { checksumAfter } from "../ltx/stated-checksum.ts";
import { cleanUpAfterFailure, withCleanUp } from "../shadow/clean-up.ts";
import { checkIntegrity, type IntegrityLevel } from "../sqlite/integrity.ts";
import type { Storage } from "../storage/storage.ts";
import type { Core } from "../wasm/core.ts";
import type { CorePool } from "../wasm/core-pool.ts";
import { assertNamed, type ManifestState } from "./catalog.ts";
import { Evidence } from "./evidence.ts";
import { closeOutput, type Output, openOutput, placeOutput } from "./output.ts";
import type { RestorePlan, RestoreTarget } from "./plan.ts";
import { Prefetch } from "./prefetch.ts";
import { type PreparedRestore, prepareRestore, vanished } from "./prepare.ts";
import type { RestoreFile, RestorePoint } from "./restore-file.ts";
import { StagedDatabase } from "./staged-database.ts";

export interface RestoreDependencies {
  readonly storage: Storage;
  readonly cores: CorePool;
}

export interface RestoreOptions {
  readonly target?: RestoreTarget;
  /** Replace an existing output. */
  readonly force?: boolean;
  /** Requests at once. */
  readonly parallel?: number;
  readonly integrityCheck?: IntegrityLevel | "none";
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: RestoreProgress) => void;
}

export interface RestoreProgress {
  readonly phase: "planning" | "applying" | "checking" | "finishing";
  /** Stored bytes read and to read; 0 while planning. */
  readonly doneBytes: number;
  readonly totalBytes: number;
  readonly doneFiles: number;
  readonly totalFiles: number;
}

export interface RestoreResult {
  readonly name: string;
  /** The file that was written, symbolic links resolved. */
  readonly path: string;
  readonly point: RestorePoint;
  readonly match: RestorePlan["match"];
  readonly headTxid: bigint;
  /** Without a sound one nobody knows whether newer objects than `headTxid` are gone. */
  readonly manifest: ManifestState;
  readonly sizeBytes: number;
  readonly pageSizeBytes: number;
  readonly databaseChecksum: Checksum;
  readonly files: number;
  /** Keys of files that turned out to be damaged, and that another way was found around. */
  readonly damaged: readonly string[];
  /** Files without database checksums (NoChecksum): that they belong together is not proved. */
  readonly unprovenFiles: number;
  /** Files without a body checksum, of other writers: only their CRC was checked. */
  readonly filesWithoutBodyChecksum: number;
}

const DEFAULT_PARALLEL = 8;
/**
 * A prune or a merge may delete what a plan needs while it is carried out: then there is another way, or an
 * error.
 */
const MAX_PLANS = 5;

/**
 * Restores a database to `path`: into a temporary file beside it, each file and the whole proved, checked by
 * SQLite, synced, then renamed. Whatever goes wrong, what was at `path` is untouched and nothing is left
 * beside it. A file that turns out to be damaged is gone around where others lead to the same state, and else
 * it is the error. Memory does not depend on the database's size.
 * Errors: RESTORE_*, INTEGRITY_*, STORAGE_*, OUTPUT_EXISTS, USAGE, LOCAL_DISK_FULL, LOCAL_IO; the signal's
 * reason.
 */
export async function restore(
  { storage, cores }: RestoreDependencies,
  name: string,
  path: string,
  options: RestoreOptions = {},
): Promise<RestoreResult> {
  const output = openOutput(path, { force: options.force ?? false });
  return withCleanUp(
    () => restoreInto({ storage, cores }, name, output, options),
    () => closeOutput(output),
  );
}

async function restoreInto(
  { storage, cores }: RestoreDependencies,
  name: string,
  output: Output,
  options: RestoreOptions,
): Promise<RestoreResult> {
  const { signal, target = { kind: "latest" } } = options;
  const call = signal ? { signal } : {};
  const lease = await cores.acquire(call);
  const evidence = new Evidence();
  let damage: WalrustError | undefined;
  try {
    for (let vanishings = 0; ; ) {
      options.onProgress?.({ phase: "planning", doneBytes: 0, totalBytes: 0, doneFiles: 0, totalFiles: 0 });
      const prepared = await prepareRestore(storage, name, target, { ...call, evidence }).catch((error) => {
        // without another way, the damage is the reason, and not what it left
        throw damage !== undefined && isWalrustError(error) && error.exitCode >= 5 ? damage : error;
      });
      try {
        return await new Restore(storage, lease.core, name, prepared, output, options, evidence).run();
      } catch (error) {
        if (evidence.isNews(error)) damage ??= error;
        else if (!isWalrustError(error, "STORAGE_NOT_FOUND")) throw error;
        else if (++vanishings === MAX_PLANS) throw vanished(name, error);
      }
    }
  } finally {
    lease.release();
  }
}

/** One plan, carried out once. */
class Restore {
  readonly #storage: Storage;
  readonly #core: Core;
  readonly #name: string;
  readonly #plan: RestorePlan;
  readonly #manifest: ManifestState;
  readonly #output: Output;
  readonly #options: RestoreOptions;
  readonly #evidence: Evidence;
  #doneBytes = 0;
  #doneFiles = 0;
  #unprovenFiles = 0;
  #filesWithoutBodyChecksum = 0;
  #timestampMs: number | undefined;

  constructor(
    storage: Storage,
    core: Core,
    name: string,
    { plan, catalog }: PreparedRestore,
    output: Output,
    options: RestoreOptions,
    evidence: Evidence,
  ) {
    this.#storage = storage;
    this.#core = core;
    this.#name = name;
    this.#plan = plan;
    this.#manifest = catalog.manifestState;
    this.#evidence = evidence;
    this.#output = output;
    this.#options = options;
  }

  async run(): Promise<RestoreResult> {
    const staged = new StagedDatabase(this.#output.temporaryPath);
    try {
      await this.#applyAll(staged);
      const result = this.#result(staged);
      await this.#check(staged);
      this.#options.signal?.throwIfAborted();
      this.#report("finishing");
      staged.close();
      placeOutput(this.#output);
      return result;
    } catch (error) {
      cleanUpAfterFailure(() => staged.discard());
      throw error;
    }
  }

  async #applyAll(staged: StagedDatabase): Promise<void> {
    const { parallel = DEFAULT_PARALLEL, signal } = this.#options;
    const prefetch = new Prefetch(this.#storage, this.#plan.files, { parallel, ...(signal && { signal }) });
    try {
      for (const file of this.#plan.files) await this.#applyFile(file, prefetch, staged);
    } finally {
      await prefetch.close();
    }
  }

  async #applyFile(file: RestoreFile, prefetch: Prefetch, staged: StagedDatabase): Promise<void> {
    const { signal } = this.#options;
    const decoded = await decodeLtx(
      this.#core,
      this.#counted(prefetch.take(file)),
      {
        objectName: file.key,
        onHeader: (header) => {
          assertNamed(file, header);
          this.#evidence.learn(file, header);
          staged.begin(header, file.key);
        },
        ...(signal && { signal }),
      },
      (batch) => staged.apply(batch),
    );
    assertBody(file, decoded);
    this.#evidence.learn(file, decoded.header, decoded.trailer);
    staged.end(decoded, file.key);
    this.#doneFiles += 1;
    this.#timestampMs = decoded.header.timestampMs;
    if (checksumAfter(decoded.header, decoded.trailer) === undefined) this.#unprovenFiles += 1;
    if (decoded.header.bodyChecksum === 0n) this.#filesWithoutBodyChecksum += 1;
  }

  async *#counted(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    for await (const piece of source) {
      yield piece;
      this.#doneBytes += piece.length;
      this.#report("applying");
    }
  }

  /** SQLite reads the pages that are in the cache anyway, while the disk takes them. */
  async #check(staged: StagedDatabase): Promise<void> {
    this.#report("checking");
    const synced = staged.sync();
    const { integrityCheck = "quick" } = this.#options;
    try {
      if (integrityCheck !== "none") checkIntegrity(staged.path, integrityCheck);
    } finally {
      await synced;
    }
  }

  #result(staged: StagedDatabase): RestoreResult {
    const { point, match, headTxid, files } = this.#plan;
    if (staged.checksum === undefined) throw new WalrustError("INTERNAL", "a plan without files");
    return {
      name: this.#name,
      path: this.#output.path,
      point: { txid: point.txid, timestampMs: point.timestampMs ?? this.#timestampMs },
      match,
      headTxid,
      manifest: this.#manifest,
      sizeBytes: staged.sizeBytes,
      pageSizeBytes: staged.pageSizeBytes,
      databaseChecksum: staged.checksum,
      files: files.length,
      damaged: this.#evidence.damaged,
      unprovenFiles: this.#unprovenFiles,
      filesWithoutBodyChecksum: this.#filesWithoutBodyChecksum,
    };
  }

  #report(phase: RestoreProgress["phase"]): void {
    const { totalBytes, files } = this.#plan;
    this.#options.onProgress?.({
      phase,
      doneBytes: this.#doneBytes,
      totalBytes,
      doneFiles: this.#doneFiles,
      totalFiles: files.length,
    });
  }
}

/** The manifest keeps the whole SHA-256; the header, which the decoder checks, only 8 bytes of it. */
export function assertBody(file: RestoreFile, decoded: DecodedLtx): void {
  if (file.bodySha256 === undefined || file.bodySha256 === decoded.bodySha256) return;
  throw new WalrustError(
    "INTEGRITY_CHECKSUM",
    `the body of ${file.key} is not the one that the manifest names`,
    {
      hint: "Run `walrust verify` to see what it costs.",
      details: { object: file.key },
    },
  );
}
