import { isWalrustError } from "../errors.ts";
import { decodeLtx } from "../ltx/decoder.ts";
import { type Checksum, hasChecksums } from "../ltx/format.ts";
import type { PageMarks } from "../ltx/page-marks.ts";
import { checksumAfter } from "../ltx/stated-checksum.ts";
import type { PageTable } from "../shadow/page-table.ts";
import type { Storage } from "../storage/storage.ts";
import type { CorePool } from "../wasm/core-pool.ts";

export interface RollForwardOptions {
  readonly table: PageTable;
  /** Receives which pages the files hold. */
  readonly changed: PageMarks;
  /** Database checksum of the state that the first file must follow. */
  readonly preApply: Checksum;
  readonly storage: Storage;
  /** Of the incrementals to apply, in order. */
  readonly keys: readonly string[];
  readonly cores: CorePool;
  readonly signal?: AbortSignal;
}

/** Reading more files than these costs more than reading the database again. */
const MAX_FILES = 1000;

/**
 * Brings a page table up to what newer remote files made of the database: they are the redo log of a cursor that was written down seldom. It may be
 * applied again to a table that has some of it already. False: a file does not fit or cannot be read as LTX. Whether the result is right, its
 * checksum must prove. Errors: those of storage.
 */
export async function rollTableForward({
  table,
  changed,
  preApply,
  storage,
  keys,
  cores,
  signal,
}: RollForwardOptions): Promise<boolean> {
  if (keys.length === 0) return true;
  if (keys.length > MAX_FILES) return false;
  const options = signal === undefined ? {} : { signal };
  const lease = await cores.acquire(options);
  let before = preApply;
  try {
    for (const key of keys) {
      const source = storage.read(key, options);
      const { header, trailer } = await decodeLtx(
        lease.core,
        source,
        { objectName: key, ...options },
        ({ count, pgnos, checksums }) => {
          for (let row = 0; row < count; row += 1) {
            changed.set(pgnos[row] ?? 0);
            table.write(pgnos[row] ?? 0, 1, checksums.subarray(row * 8, row * 8 + 8));
          }
        },
      );
      const after = checksumAfter(header, trailer);
      // A file of another writer may happen to lead to the head: no chain could ever go on behind it.
      if (after === undefined || (hasChecksums(header) && header.preApply !== before)) return false;
      before = after;
      table.truncate(header.commit);
    }
    return true;
  } catch (error) {
    if (isWalrustError(error, "INTEGRITY_FORMAT", "INTEGRITY_CHECKSUM")) return false;
    throw error;
  } finally {
    lease.release();
  }
}
