import type { Clock } from "../clock.ts";
import { isWalrustError, WalrustError } from "../errors.ts";
import { type DecodedLtx, decodeLtx } from "../ltx/decoder.ts";
import type { EncodedLtx } from "../ltx/encoder.ts";
import type { TxidRange } from "../ltx/filename.ts";
import { LTX_HEADER_SIZE, type LtxHeader, type Txid } from "../ltx/format.ts";
import { decodeHeader, encodeHeader } from "../ltx/header.ts";
import { checksumAfter } from "../ltx/stated-checksum.ts";
import type { PublishedState } from "../shadow/cursor.ts";
import type { PageTable } from "../shadow/page-table.ts";
import { ScratchFile } from "../shadow/scratch-file.ts";
import type { ShadowFolder } from "../shadow/shadow-folder.ts";
import { TableChanges } from "../shadow/table-changes.ts";
import { manifestFileOf } from "../storage/describe-file.ts";
import type { Storage, Upload } from "../storage/storage.ts";
import type { Core } from "../wasm/core.ts";
import type { CorePool } from "../wasm/core-pool.ts";
import type { CopyLayout } from "./copy-layout.ts";
import { encodeRuns } from "./encode-runs.ts";
import { encodeRepair, encodeSnapshot } from "./encode-whole.ts";
import type { ManifestIndex } from "./manifest-writer.ts";
import type { PendingFrames } from "./pending-frames.ts";
import type { RemoteHead } from "./remote-head.ts";
import type { PinnedDatabase } from "./whole-database.ts";
import type { WriterLease } from "./writer-lease.ts";

/** Runs work that reads and stores about so many bytes, once there is room for it beside that of other databases. */
export type WorkLimit = <T>(sizeBytes: number, work: () => Promise<T>) => Promise<T>;

export interface PublisherOptions {
  readonly storage: Storage;
  readonly layout: CopyLayout;
  readonly cores: CorePool;
  readonly limit: WorkLimit;
  readonly folder: ShadowFolder;
  readonly clock: Clock;
  readonly writer: WriterLease;
  readonly manifest: ManifestIndex;
}

/** A file that storage has acknowledged. */
export interface PublishedFile {
  readonly key: string;
  readonly minTxid: Txid;
  readonly maxTxid: Txid;
  readonly pages: number;
  readonly sizeBytes: number;
}

interface FileToStore extends TxidRange {
  /** About. */
  readonly sizeBytes: number;
  /** Of the last commit in it. */
  readonly timestampMs: number;
}

interface Stored {
  readonly encoded: EncodedLtx;
  readonly next: PublishedState;
}

interface EncodeIo {
  readonly core: Core;
  readonly upload: Upload;
  readonly spill: ScratchFile;
}

/**
 * Makes LTX files durable in storage, in order, and knows what storage has: the state behind the last acknowledged file, and the page table of
 * that state. Both move only after an acknowledgement. One publication or repair at a time; a snapshot may run beside it.
 */
export class Publisher {
  readonly #options: PublisherOptions;
  readonly #table: PageTable;
  #published: PublishedState;

  constructor(options: PublisherOptions, table: PageTable, published: PublishedState) {
    this.#options = options;
    this.#table = table;
    this.#published = published;
  }

  get published(): PublishedState {
    return this.#published;
  }

  get table(): PageTable {
    return this.#table;
  }

  /**
   * Publishes what is pending; undefined: nothing is. After a failure the same call repeats exactly the same file until storage has given a
   * definite answer. Errors: those of storage, LOCAL_*; INTEGRITY_CHAIN when the frames cannot be published and a repair is needed.
   */
  async publishPending(
    pending: PendingFrames,
    options: { readonly signal?: AbortSignal } = {},
  ): Promise<PublishedFile | undefined> {
    const runs = pending.seal();
    const [first] = runs;
    const last = runs.at(-1);
    if (first === undefined || last === undefined) return undefined;
    const { layout, writer, folder } = this.#options;
    const [minTxid, maxTxid] = [first.txidBefore + 1n, last.txidBefore + last.commits];
    if (minTxid !== this.#published.txid + 1n) {
      throw new WalrustError(
        "INTEGRITY_CHAIN",
        `captured TXID ${minTxid} does not follow the published ${this.#published.txid}`,
      );
    }
    const changes = new TableChanges(`${folder.scratch}changes`);
    try {
      const sizeBytes = Math.min(pending.bytes, last.commitPages * last.header.pageSizeBytes);
      const timestampMs = Math.max(this.#published.timestampMs, last.capturedAtMs);
      const file = { minTxid, maxTxid, sizeBytes, timestampMs };
      const stored = await this.#store(file, options, (io) =>
        encodeRuns({
          ...{ ...io, runs, base: this.#published, table: this.#table, changes, timestampMs },
          ...{ layout, nodeId: writer.id },
        }),
      );
      if (stored === undefined) throw new Error("a publication always makes a file");
      this.#advance(stored.next, changes);
      pending.settle();
      return this.#announce(stored, minTxid);
    } finally {
      changes.discard();
    }
  }

  /** Publishes the difference between a pinned database and what storage has. Undefined: there is none; the state is then at the pin all the same. */
  async publishRepair(
    database: PinnedDatabase,
    options: { readonly signal?: AbortSignal } = {},
  ): Promise<PublishedFile | undefined> {
    const { layout, writer, folder, clock } = this.#options;
    const base = this.#published;
    const txid = base.txid + 1n;
    const timestampMs = Math.max(base.timestampMs, clock.now());
    const changes = new TableChanges(`${folder.scratch}changes`);
    try {
      const file = { minTxid: txid, maxTxid: txid, sizeBytes: sizeOf(database), timestampMs };
      const stored = await this.#store(file, options, (io) =>
        encodeRepair({
          ...io,
          ...options,
          database,
          txid,
          timestampMs,
          nodeId: writer.id,
          layout,
          base,
          table: this.#table,
          changes,
        }),
      );
      if (stored === undefined) {
        this.#published = { ...base, log: database.position };
        return undefined;
      }
      this.#advance(stored.next, changes);
      return this.#announce(stored, txid);
    } finally {
      changes.discard();
    }
  }

  /**
   * Publishes a snapshot that the chain of incrementals leads to as well: its checksum must be the chain's at that TXID.
   * Errors: INTEGRITY_CHAIN when it is not; then nothing is published.
   */
  async publishSnapshot(
    database: PinnedDatabase,
    at: PublishedState,
    options: { readonly signal?: AbortSignal } = {},
  ): Promise<PublishedFile> {
    const { layout, writer } = this.#options;
    const { txid, timestampMs } = at;
    const file = { minTxid: 1n, maxTxid: txid, sizeBytes: sizeOf(database), timestampMs };
    const stored = await this.#store(file, options, async (io) => {
      const nodeId = writer.id;
      const whole = await encodeSnapshot({ ...io, ...options, database, txid, timestampMs, nodeId, layout });
      if (whole.next.postApply === at.postApply) return whole;
      throw new WalrustError(
        "INTEGRITY_CHAIN",
        `the database at TXID ${txid} is not what its published files lead to`,
        {
          hint: "walrust begins a new chain with a snapshot; run `walrust verify` on the older files.",
        },
      );
    });
    if (stored === undefined) throw new Error("a snapshot always makes a file");
    return this.#announce(stored, 1n);
  }

  /**
   * Publishes the first snapshot of a chain, at `txid`, and fills `table`; the publisher of the chain then begins at the state returned.
   * @param at head: what storage has of the chain before
   */
  static async publishFirst(
    options: PublisherOptions,
    table: PageTable,
    database: PinnedDatabase,
    at: { readonly txid: Txid; readonly head: RemoteHead | undefined; readonly signal?: AbortSignal },
  ): Promise<{ readonly publisher: Publisher; readonly file: PublishedFile }> {
    const { layout, writer, clock } = options;
    const { txid, head } = at;
    const timestampMs = Math.max(head?.state.timestampMs ?? 0, clock.now());
    const changesPageSize = head !== undefined && head.pageSizeBytes !== database.pageSizeBytes;
    const empty: PublishedState = { txid: 0n, postApply: 0n, commitPages: 0, timestampMs, log: undefined };
    const publisher = new Publisher(options, table, empty);
    let published: PublishedFile | undefined;
    for (const as of layout.firstFiles(txid, { changesPageSize })) {
      const file = { minTxid: as.minTxid, maxTxid: txid, sizeBytes: sizeOf(database), timestampMs };
      const stored = await publisher.#store(file, at, async (io) => {
        const whole = await encodeSnapshot({
          ...{ ...io, as, database, txid, timestampMs, layout, nodeId: writer.id, table },
          ...(at.signal && { signal: at.signal }),
        });
        // Storage is to have no snapshot of which nothing here is known: a death behind its answer would cost the whole database again.
        // Where the disk does not let us, that is no reason to go without a copy: saving the cursor comes next, and says it.
        await table.sync().catch(() => {});
        return whole;
      });
      if (stored === undefined) throw new Error("a snapshot always makes a file");
      publisher.#published = stored.next;
      const announced = publisher.#announce(stored, as.minTxid);
      if (as.minTxid === 1n) published = announced;
    }
    if (published === undefined) throw new Error("every layout begins a chain with a snapshot");
    return { publisher, file: published };
  }

  /** Errors: LOCAL_IO when the table was changed in part: whoever owns this opens the database again, and the table is rolled forward from storage. */
  #advance(next: PublishedState, changes: TableChanges): void {
    try {
      changes.forEach((pgno, checksum) => {
        this.#table.write(pgno, 1, checksum);
      });
      this.#table.truncate(next.commitPages);
    } catch (error) {
      throw new WalrustError("LOCAL_IO", "the page table could not be brought up to what storage has", {
        cause: error,
      });
    }
    this.#published = next;
  }

  #announce({ encoded, next }: Stored, minTxid: Txid): PublishedFile {
    const { layout, manifest, clock } = this.#options;
    const header = decodeHeader(encoded.header);
    const { sizeBytes, bodySha256 } = encoded;
    manifest.add(manifestFileOf({ header, trailer: next, sizeBytes, bodySha256 }, clock.now()));
    return {
      key: layout.keys.ltx(minTxid, next.txid),
      minTxid,
      maxTxid: next.txid,
      pages: encoded.pageCount,
      sizeBytes: encoded.sizeBytes,
    };
  }

  /** Encodes into an upload and completes it. Undefined: `encode` found nothing to store. */
  #store<T extends Stored>(
    file: FileToStore,
    options: { readonly signal?: AbortSignal },
    encode: (io: EncodeIo) => Promise<T | undefined>,
  ): Promise<T | undefined> {
    const { storage, cores, limit, folder, writer, layout } = this.#options;
    const { sizeBytes: expectedSizeBytes, timestampMs } = file;
    const key = layout.keys.ltx(file.minTxid, file.maxTxid);
    const store = async (signal: AbortSignal, condition?: { readonly kind: "absent" }) => {
      const lease = await cores.acquire({ signal });
      const spill = new ScratchFile(`${folder.scratch}index-${key.slice(key.lastIndexOf("/") + 1)}`);
      const upload = storage.upload(key, {
        ...(condition && { condition }),
        headSizeBytes: LTX_HEADER_SIZE,
        expectedSizeBytes,
        ...(layout.isDated && { timestampMs }),
        signal,
      });
      try {
        const result = await encode({ core: lease.core, upload, spill });
        lease.release();
        if (result !== undefined) return await this.#complete(key, upload, result, signal);
        await upload.abort();
        return undefined;
      } catch (error) {
        await upload.abort();
        throw error;
      } finally {
        lease.release();
        spill.discard();
      }
    };
    const storeOrReplace = async (signal: AbortSignal) => {
      try {
        return await store(signal, { kind: "absent" });
      } catch (error) {
        const isDamage = isWalrustError(error, "INTEGRITY_FORMAT", "INTEGRITY_CHECKSUM");
        // A snapshot begins a sound chain, also where a damaged one of the same moment stands: that is of no use to anybody.
        if (isDamage && file.minTxid === 1n && error.details["object"] === key) return store(signal);
        throw error;
      }
    };
    return limit(expectedSizeBytes, () => writer.hold(storeOrReplace, options));
  }

  /**
   * An answer that got lost leaves our own file behind: the same states before and after, so it is adopted, as it is stored. Errors: those of
   * storage; INTEGRITY_FORMAT and INTEGRITY_CHECKSUM, with the key, for a damaged one.
   */
  async #complete<T extends Stored>(key: string, upload: Upload, made: T, signal: AbortSignal): Promise<T> {
    const { encoded, next } = made;
    try {
      await upload.complete(encoded.header, { sha256: encoded.bodySha256 });
      return made;
    } catch (error) {
      if (!isWalrustError(error, "STORAGE_CONFLICT")) throw error;
      const { storage } = this.#options;
      const there = await this.#prove(key, signal);
      if (
        checksumAfter(there.header, there.trailer) === next.postApply &&
        isSameStep(there.header, decodeHeader(encoded.header))
      )
        return { ...made, encoded: { ...encoded, ...asEncoded(there) } };
      throw new WalrustError("STORAGE_CONFLICT", `${key} exists in ${storage.url} and holds something else`, {
        cause: error,
        hint: "Another walrust writes to this place: give each database a prefix of its own, and each database one writer.",
      });
    }
  }

  async #prove(key: string, signal: AbortSignal): Promise<DecodedLtx> {
    const { storage, cores } = this.#options;
    const { core, release } = await cores.acquire({ signal });
    const source = storage.read(key, { signal });
    return decodeLtx(core, source, { objectName: key, signal }, () => {}).finally(release);
  }
}

function asEncoded({ header, trailer, sizeBytes, bodySha256 }: DecodedLtx): Omit<EncodedLtx, "pageCount"> {
  const { bodyChecksum } = header;
  const { fileChecksum } = trailer;
  return { header: encodeHeader(header), sizeBytes, bodySha256, bodyChecksum, fileChecksum };
}

function sizeOf({ commitPages, pageSizeBytes }: PinnedDatabase): number {
  return commitPages * pageSizeBytes;
}

function isSameStep(a: LtxHeader, b: LtxHeader): boolean {
  return (
    a.preApply === b.preApply && a.minTxid === b.minTxid && a.maxTxid === b.maxTxid && a.commit === b.commit
  );
}
