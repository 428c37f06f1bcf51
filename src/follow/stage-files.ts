import { isWalrustError, type WalrustError } from "../errors.ts";
import { decodeLtx } from "../ltx/decoder.ts";
import type { LtxHeader } from "../ltx/format.ts";
import { assertNamed } from "../restore/catalog.ts";
import { Prefetch } from "../restore/prefetch.ts";
import type { RestoreFile } from "../restore/restore-file.ts";
import { cleanUpAfterFailure } from "../shadow/clean-up.ts";
import type { Storage } from "../storage/storage.ts";
import type { Core } from "../wasm/core.ts";
import type { ReplicaPaths } from "./replica-paths.ts";
import type { Applied } from "./replica-state.ts";
import { StagedBatch } from "./staged-batch.ts";

export interface StageOptions {
  readonly storage: Storage;
  readonly core: Core;
  readonly paths: ReplicaPaths;
  readonly signal: AbortSignal;
}

export type Staging =
  /** To be discarded by the caller. */
  | { readonly kind: "staged"; readonly batch: StagedBatch }
  /** The source has another past than the replica. */
  | { readonly kind: "other-history"; readonly error: WalrustError };

const PARALLEL = 4;

/**
 * Reads files that lead on from a replica's position, and proves each of them and that they follow one another. Touches nothing of the
 * replica. Errors: INTEGRITY_*; STORAGE_*, NOT_FOUND for a file that vanished since it was listed; LOCAL_*; the signal's reason.
 */
export async function stageFiles(
  { storage, core, paths, signal }: StageOptions,
  from: Applied,
  files: readonly RestoreFile[],
): Promise<Staging> {
  const batch = new StagedBatch(paths, from);
  const prefetch = new Prefetch(storage, files, { parallel: PARALLEL, signal });
  try {
    for (const file of files) {
      const objectName = file.key;
      const onHeader = (header: LtxHeader) => {
        assertNamed(file, header);
        batch.begin(header, objectName);
      };
      const options = { objectName, onHeader, signal };
      const decoded = await decodeLtx(core, prefetch.take(file), options, (pages) => batch.apply(pages));
      batch.end(decoded, objectName);
    }
    return { kind: "staged", batch };
  } catch (error) {
    cleanUpAfterFailure(() => batch.discard());
    if (batch.isOtherHistory && isWalrustError(error)) return { kind: "other-history", error };
    throw error;
  } finally {
    await prefetch.close();
  }
}
