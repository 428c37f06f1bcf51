import { isWalrustError } from "../errors.ts";
import type { Txid } from "../ltx/format.ts";
import { readManifest } from "../storage/database-objects.ts";
import { databaseKeys } from "../storage/keys.ts";
import type { CallOptions, Storage } from "../storage/storage.ts";
import type { Core } from "../wasm/core.ts";
import type { CorePool } from "../wasm/core-pool.ts";
import { type Catalog, type ManifestState, readCatalog } from "./catalog.ts";
import { restorableTxids } from "./chains.ts";
import { checkFiles, type DamagedFile, isSound, type SoundFile } from "./checked-file.ts";
import { type Finding, findingsOf } from "./findings.ts";
import { nothingThere } from "./plan-errors.ts";
import { vanished } from "./prepare.ts";
import { withoutReplaced } from "./replaced-files.ts";
import { knownFiles, type RestoreFile } from "./restore-file.ts";

export interface VerifyOptions extends CallOptions {
  /** Requests at once. */
  readonly parallel?: number;
  readonly onProgress?: (progress: VerifyProgress) => void;
}

export interface VerifyProgress {
  readonly doneBytes: number;
  readonly totalBytes: number;
  readonly doneFiles: number;
  readonly totalFiles: number;
}

export interface VerifyReport {
  readonly name: string;
  /** Empty: everything that is there holds. */
  readonly findings: readonly Finding[];
  /** What can be restored, ascending; the newest one that was ever published is `headTxid`. */
  readonly restorableTxids: readonly Txid[];
  readonly headTxid: Txid;
  /** Without a sound one nobody knows whether the newest objects are gone. */
  readonly manifest: ManifestState;
  /**
   * Every file that was read and is sound, with its header and trailer: from these a manifest can be made
   * again.
   */
  readonly soundFiles: readonly SoundFile[];
  /** Every file that was read and is not what it should be. */
  readonly damagedFiles: readonly DamagedFile[];
  /** What the manifest and a list told before the files were read. */
  readonly catalog: Catalog;
  readonly checkedFiles: number;
  readonly checkedBytes: number;
}

const DEFAULT_PARALLEL = 8;
const MAX_TRIES = 3;

/**
 * Reads every byte of a backup and says exactly what is wrong with it, and what that costs. Changes nothing.
 * Errors: RESTORE_NOTHING where there is nothing to verify; STORAGE_*; the signal's reason. What is found is
 * no error but the result.
 */
export async function verify(
  { storage, cores }: { readonly storage: Storage; readonly cores: CorePool },
  name: string,
  options: VerifyOptions = {},
): Promise<VerifyReport> {
  const { signal } = options;
  const lease = await cores.acquire(signal ? { signal } : {});
  try {
    for (let tries = 1; ; tries++) {
      try {
        const { report, manifestChanged } = await verifyOnce(storage, lease.core, name, options);
        // What differs may have been moved by a merge or a prune while we read.
        if (report.findings.length === 0 || !manifestChanged || tries === MAX_TRIES) return report;
      } catch (error) {
        if (!isWalrustError(error, "STORAGE_NOT_FOUND")) throw error;
        if (tries === MAX_TRIES) throw vanished(name, error);
      }
    }
  } finally {
    lease.release();
  }
}

async function verifyOnce(storage: Storage, core: Core, name: string, options: VerifyOptions) {
  const { signal } = options;
  const call = signal ? { signal } : {};
  const catalog = await readCatalog(storage, name, call);
  if (knownFiles(catalog).length === 0 && catalog.manifestState === "missing") throw nothingThere(name);

  const files = catalog.present.toSorted((a, b) => (a.key < b.key ? -1 : 1));
  const read = await checkFiles(storage, core, files, {
    ...call,
    parallel: options.parallel ?? DEFAULT_PARALLEL,
    ...progressOf(files, options.onProgress),
  });
  const checked = withoutReplaced(catalog, read);
  const soundFiles = checked.filter(isSound);
  const report: VerifyReport = {
    name,
    findings: findingsOf(catalog, checked),
    restorableTxids: restorableTxids(soundFiles.map(({ file }) => file)),
    headTxid: catalog.headTxid,
    manifest: catalog.manifestState,
    soundFiles,
    damagedFiles: checked.filter((one): one is DamagedFile => !isSound(one)),
    catalog,
    checkedFiles: files.length,
    checkedBytes: files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
  };
  if (report.findings.length === 0) return { report, manifestChanged: false };
  const { etag } = await readManifest(storage, databaseKeys(name), call);
  return { report, manifestChanged: etag !== catalog.manifestEtag };
}

function progressOf(files: readonly RestoreFile[], onProgress: VerifyOptions["onProgress"]) {
  const totalBytes = files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  let [doneBytes, doneFiles] = [0, 0];
  const report = () => onProgress?.({ doneBytes, totalBytes, doneFiles, totalFiles: files.length });
  return {
    onBytes: (bytes: number) => {
      doneBytes += bytes;
      report();
    },
    onFile: () => {
      doneFiles += 1;
      report();
    },
  };
}
