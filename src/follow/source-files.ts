import { isWalrustError } from "../errors.ts";
import { type Checksum, LTX_TRAILER_SIZE, type Txid } from "../ltx/format.ts";
import { decodeTrailer } from "../ltx/trailer.ts";
import type { RestoreFile } from "../restore/restore-file.ts";
import { type ListedFile, listAllFiles, readRange } from "../storage/database-objects.ts";
import { databaseKeys } from "../storage/keys.ts";
import type { CallOptions, Storage } from "../storage/storage.ts";

/**
 * The files of a source, whichever layout they lie in, as one list of its objects shows them: asking what is new costs one request.
 * Errors: STORAGE_*.
 */
export async function listSource(
  storage: Storage,
  name: string,
  options: CallOptions,
): Promise<readonly RestoreFile[]> {
  const { walrust, litestream } = await listAllFiles(storage, databaseKeys(name), options);
  return (walrust.length > 0 ? walrust : litestream).map(listedFile);
}

/** A file of which nothing is known but what a list shows. */
export function listedFile(file: Omit<ListedFile, "lastModifiedMs"> & Partial<ListedFile>): RestoreFile {
  return {
    lastModifiedMs: undefined,
    timestampMs: undefined,
    isRepair: undefined,
    preApply: undefined,
    postApply: undefined,
    bodySha256: undefined,
    ...file,
  };
}

/**
 * Notices a source that was begun anew and has come to the replica's TXID by another way. A file that ends at that TXID and was not
 * seen before is asked for its post-apply checksum, once: 16 bytes.
 */
export class HistoryCheck {
  readonly #storage: Storage;
  readonly #seen = new Set<string>();

  constructor(storage: Storage) {
    this.#storage = storage;
  }

  /** Files that were read whole, and proved. */
  trust(files: readonly RestoreFile[]): void {
    for (const file of files) this.#seen.add(identityOf(file));
  }

  /** A file that leaves another database at the replica's TXID; undefined where none is known. Errors: STORAGE_*. */
  async contradiction(
    { txid, postApply }: { readonly txid: Txid; readonly postApply: Checksum },
    files: readonly RestoreFile[],
    options: CallOptions,
  ): Promise<RestoreFile | undefined> {
    for (const file of files) {
      if (file.maxTxid !== txid || this.#seen.has(identityOf(file))) continue;
      const claimed = await this.#postApplyOf(file, options).catch((error: unknown) => {
        if (isWalrustError(error, "STORAGE_NOT_FOUND")) return 0n; // merged or pruned since it was listed
        throw error;
      });
      this.#seen.add(identityOf(file));
      // 0: the file has no checksums, and proves nothing.
      if (claimed !== 0n && claimed !== postApply) return file;
    }
    return undefined;
  }

  async #postApplyOf({ key, sizeBytes }: RestoreFile, options: CallOptions): Promise<Checksum> {
    const range = { offset: Math.max(0, sizeBytes - LTX_TRAILER_SIZE), length: LTX_TRAILER_SIZE };
    const bytes = await readRange(this.#storage, key, range, options);
    return bytes.length < LTX_TRAILER_SIZE ? 0n : decodeTrailer(bytes).postApply;
  }
}

/** LTX files don't change, but somebody may have deleted one and published another under its name. */
function identityOf({ key, sizeBytes, lastModifiedMs }: RestoreFile): string {
  return `${key} ${sizeBytes} ${lastModifiedMs}`;
}
