import { join } from "node:path";
import { setImmediate } from "node:timers/promises";
import { isWalrustError, WalrustError } from "../errors.ts";
import { type DecodedLtx, decodeLtx } from "../ltx/decoder.ts";
import { type HeaderFields, LtxEncoder } from "../ltx/encoder.ts";
import { hasChecksums, isRepair, isSnapshot, LTX_HEADER_SIZE, type LtxHeader } from "../ltx/format.ts";
import { decodeHeader } from "../ltx/header.ts";
import { assertNamed } from "../restore/catalog.ts";
import { Prefetch } from "../restore/prefetch.ts";
import { assertBody } from "../restore/restore.ts";
import type { RestoreFile } from "../restore/restore-file.ts";
import { makeScratchFolder } from "../restore/scratch-folder.ts";
import { withCleanUp } from "../shadow/clean-up.ts";
import { removeLocalFolder } from "../shadow/local-files.ts";
import { ScratchFile } from "../shadow/scratch-file.ts";
import type { DescribedLtx } from "../storage/describe-file.ts";
import type { CallOptions, Storage } from "../storage/storage.ts";
import type { Core } from "../wasm/core.ts";
import { MergedPages } from "./merged-pages.ts";

export interface MergeOptions extends CallOptions {
  readonly storage: Storage;
  /** This merge's alone until it is done. */
  readonly core: Core;
  /** Key of the file to make. */
  readonly key: string;
  /** Incrementals, each behind the one before. */
  readonly sources: readonly RestoreFile[];
  /** Called with the stored bytes of sources as they are read. */
  readonly onBytes?: (bytes: number) => void;
}

/** Requests at once; so many segments are in memory. */
const PARALLEL = 4;

/**
 * Joins incrementals into one file that does what all of them do, and makes it durable in storage; the sources
 * stay. Every source is proved whole, and that each follows the one before. Memory does not depend on their
 * size; disk space for their pages is taken under TMPDIR, and given back whatever happens.
 * Errors: INTEGRITY_* naming the source to blame, then nothing was stored; STORAGE_*, also STORAGE_NOT_FOUND
 * when a source vanished; STORAGE_CONFLICT when something else has the key; LOCAL_*; the signal's reason.
 */
export async function mergeFiles(options: MergeOptions): Promise<DescribedLtx> {
  const folder = makeScratchFolder("merge");
  const merging = new Merging(options, folder);
  return withCleanUp(
    async () => {
      await merging.readSources();
      return merging.store();
    },
    () => {
      merging.close();
      removeLocalFolder(folder);
    },
  );
}

class Merging {
  readonly #options: MergeOptions;
  readonly #folder: string;
  readonly #call: CallOptions;
  #pages: MergedPages | undefined;
  #first: DecodedLtx | undefined;
  #last: DecodedLtx | undefined;
  #hasRepair = false;

  constructor(options: MergeOptions, folder: string) {
    this.#options = options;
    this.#folder = folder;
    this.#call = options.signal ? { signal: options.signal } : {};
  }

  async readSources(): Promise<void> {
    const { storage, sources } = this.#options;
    const prefetch = new Prefetch(storage, sources, { parallel: PARALLEL, ...this.#call });
    try {
      for (const file of sources) await this.#readSource(file, prefetch);
    } finally {
      await prefetch.close();
    }
  }

  async #readSource(file: RestoreFile, prefetch: Prefetch): Promise<void> {
    const decoded = await decodeLtx(
      this.#options.core,
      this.#counted(prefetch.take(file)),
      { objectName: file.key, onHeader: (header) => this.#begin(file, header), ...this.#call },
      async (batch) => {
        this.#known(this.#pages).put(batch);
        await setImmediate();
      },
    );
    assertBody(file, decoded);
    this.#known(this.#pages).truncate(decoded.header.commit);
    this.#first ??= decoded;
    this.#last = decoded;
    this.#hasRepair ||= isRepair(decoded.header);
  }

  /** Before the pages of a source: it must be what its name says, and continue what is here. */
  #begin(file: RestoreFile, header: LtxHeader): void {
    assertNamed(file, header);
    if (isSnapshot(header) || !hasChecksums(header)) {
      throw misfit(file.key, "only incrementals with database checksums can be merged");
    }
    this.#pages ??= new MergedPages(this.#folder, header.pageSizeBytes);
    if (this.#last === undefined) return;
    const { header: before, trailer } = this.#last;
    if (header.minTxid !== before.maxTxid + 1n || header.pageSizeBytes !== before.pageSizeBytes)
      throw misfit(file.key, `it begins at TXID ${header.minTxid}, behind ${before.maxTxid}`);
    if (header.preApply !== trailer.postApply)
      throw misfit(file.key, "its pre-apply checksum is not that of the database so far");
  }

  async *#counted(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    for await (const piece of source) {
      yield piece;
      this.#options.onBytes?.(piece.length);
    }
  }

  async store(): Promise<DescribedLtx> {
    const { storage, key, core, sources } = this.#options;
    const { header, trailer } = this.#known(this.#last);
    const spill = new ScratchFile(join(this.#folder, "index"));
    const upload = storage.upload(key, {
      ...this.#call,
      condition: { kind: "absent" },
      headSizeBytes: LTX_HEADER_SIZE,
      expectedSizeBytes: sources.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
    });
    try {
      const { pageSizeBytes, commit } = header;
      const encoder = await LtxEncoder.open({ core, pageSizeBytes, commit, sink: upload, spill });
      await this.#known(this.#pages).encodeInto(encoder, this.#call);
      const encoded = await encoder.finish(this.#fields(), trailer.postApply);
      await upload.complete(encoded.header, { sha256: encoded.bodySha256 });
      const { sizeBytes, bodySha256 } = encoded;
      return { header: decodeHeader(encoded.header, key), trailer, sizeBytes, bodySha256 };
    } catch (error) {
      await upload.abort();
      if (isWalrustError(error, "STORAGE_CONFLICT")) return this.#adopt(error);
      throw error;
    } finally {
      spill.discard();
    }
  }

  /**
   * The last file tells where in its log the merged one ends, for a resume; and a span whose single commits are
   * not known stays marked as a repair (formats.md, section 2, WAL size).
   */
  #fields(): HeaderFields {
    const { header: first } = this.#known(this.#first);
    const { header: last } = this.#known(this.#last);
    const { maxTxid, timestampMs, walSalt1, walSalt2, nodeId } = last;
    const end = last.walOffset + last.walSize;
    const extent = this.#hasRepair
      ? { walOffset: end > 0n ? end : WAL_HEADER_SIZE, walSize: 0n }
      : { walOffset: last.walOffset, walSize: last.walSize };
    const { minTxid, preApply } = first;
    return { minTxid, maxTxid, timestampMs, preApply, nodeId, walSalt1, walSalt2, ...extent };
  }

  /** A merge that was interrupted made the file already: it is proved whole, and that it does the same. */
  async #adopt(conflict: WalrustError): Promise<DescribedLtx> {
    const { storage, key, core, signal } = this.#options;
    const { header: first } = this.#known(this.#first);
    const { header: last, trailer } = this.#known(this.#last);
    const source = storage.read(key, this.#call);
    const there = await decodeLtx(core, source, { objectName: key, ...(signal && { signal }) }, () => {});
    const isSame =
      there.header.minTxid === first.minTxid &&
      there.header.maxTxid === last.maxTxid &&
      there.header.preApply === first.preApply &&
      there.header.commit === last.commit &&
      there.trailer.postApply === trailer.postApply;
    if (isSame) return there;
    throw new WalrustError("STORAGE_CONFLICT", `${key} exists in ${storage.url} and holds something else`, {
      cause: conflict,
      hint: "Run `walrust verify` to see which of the files that overlap is sound.",
      details: { object: key },
    });
  }

  close(): void {
    this.#pages?.close();
  }

  #known<T>(value: T | undefined): T {
    if (value === undefined) throw new WalrustError("INTERNAL", "a merge without sources");
    return value;
  }
}

/** A WAL offset of 0 would say that the file is no repair; frames begin here. */
const WAL_HEADER_SIZE = 32n;

function misfit(key: string, why: string): WalrustError {
  return new WalrustError("INTEGRITY_CHAIN", `${key} cannot be merged with the files before it: ${why}`, {
    hint: "Run `walrust verify` to see which restore points are good.",
    details: { object: key },
  });
}
