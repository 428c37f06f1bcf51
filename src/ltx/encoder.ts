import { Sha256 } from "../digest.ts";
import { WalrustError } from "../errors.ts";
import { batchCapacity, type Core } from "../wasm/core.ts";
import * as layout from "../wasm/layout.ts";
import { expectStatus } from "../wasm/status.ts";
import { applyToDatabaseChecksum, bodyChecksumOf } from "./checksum.ts";
import {
  CHECKSUM_FLAG,
  type Checksum,
  hasChecksums,
  isSnapshot,
  LTX_FLAG_NO_CHECKSUM,
  LTX_HEADER_SIZE,
  LTX_TRAILER_SIZE,
  type LtxHeader,
  snapshotPageCount,
} from "./format.ts";
import { encodeHeader } from "./header.ts";
import { type IndexSpill, PageIndex } from "./page-index.ts";
import { encodeTrailer, findPostApplyDefect } from "./trailer.ts";

/** Where a file goes behind its header; a storage Upload is one. */
export interface BodySink {
  /** `bytes` are valid only during the call; a promise means that the caller must wait before it writes again. */
  write(bytes: Uint8Array): Promise<void> | undefined;
}

export interface EncoderOptions {
  /** This encoder's alone until `finish`, but for the page map and scans between two batches. */
  readonly core: Core;
  readonly pageSizeBytes: number;
  /** Database size in pages after the file. */
  readonly commit: number;
  /** The file carries no database checksums (the Litestream layout). */
  readonly noChecksum?: boolean;
  readonly sink: BodySink;
  /** For files whose page index may exceed 1 MiB (about 100,000 pages); without it the index stays in memory. */
  readonly spill?: IndexSpill;
}

/** What of a header is known only at the end. */
export type HeaderFields = Omit<LtxHeader, "flags" | "pageSizeBytes" | "commit" | "bodyChecksum">;

export interface EncodedLtx {
  /** The first 100 bytes of the file: everything else went to the sink. */
  readonly header: Uint8Array;
  /** The whole file, header and trailer included. */
  readonly sizeBytes: number;
  /** 64 hex digits, of the stored bytes between header and trailer. */
  readonly bodySha256: string;
  readonly bodyChecksum: Checksum;
  readonly fileChecksum: Checksum;
  readonly pageCount: number;
}

/** Six zero bytes where a page's number and flags would be. */
const BLOCK_END = new Uint8Array(6);

/**
 * Writes one LTX file, batch by batch: pages are read into `input`, their rows set, then encoded. The same pages always
 * give the same bytes. After an error the encoder is of no use any more; nothing needs to be cleaned up.
 */
export class LtxEncoder {
  /** Pages in a full batch. */
  readonly batchCapacity: number;
  /** Page `i` of the batch lies at i * pageSizeBytes: read straight into it. */
  readonly input: Uint8Array;
  /** Per row the page's checksum before, u64 little-endian; 0 = none or unknown. A page that still has it is left out. */
  readonly oldChecksums: Uint8Array;
  /** Per row the page's checksum, u64 little-endian, bit 63 set; valid after `encode`, also for rows left out. */
  readonly newChecksums: Uint8Array;

  readonly #options: EncoderOptions;
  readonly #core: Core;
  readonly #generation: number;
  readonly #pgnos: Uint32Array;
  readonly #sha: Sha256;
  readonly #index: PageIndex;
  #rowsPassed = 0;
  #bytesSunk = 0;

  private constructor(options: EncoderOptions, sha: Sha256) {
    const { core, pageSizeBytes } = options;
    this.#options = options;
    this.#core = core;
    this.#sha = sha;
    this.#index = new PageIndex(options.spill);
    this.batchCapacity = batchCapacity(pageSizeBytes);
    this.input = core.input.subarray(0, this.batchCapacity * pageSizeBytes);
    this.#pgnos = core.borrowU32(layout.PGNOS_OFFSET, this.batchCapacity);
    this.oldChecksums = core.borrow(layout.OLD_CHECKSUMS_OFFSET, this.batchCapacity * 8);
    this.newChecksums = core.borrow(layout.NEW_CHECKSUMS_OFFSET, this.batchCapacity * 8);
    this.#generation = core.beginStream();
    core.wasm.streamBegin(pageSizeBytes, options.commit);
    core.wasm.encodeTaken();
  }

  static async open(options: EncoderOptions): Promise<LtxEncoder> {
    return new LtxEncoder(options, await Sha256.begin());
  }

  get pagesWritten(): number {
    return this.#stream.streamPageCount() >>> 0;
  }

  get pagesSkipped(): number {
    return this.#rowsPassed - this.pagesWritten;
  }

  /** XOR of the old and new checksums of all rows written: see applyToDatabaseChecksum. */
  get databaseChecksumDelta(): bigint {
    return BigInt.asUintN(64, this.#stream.streamDatabaseXor());
  }

  /** Says which page row `row` of the next batch is. They ascend over the whole file and never are the lock page. */
  setPage(row: number, pgno: number): void {
    this.#pgnos[row] = pgno;
  }

  /**
   * Encodes the first `count` rows. When it returns nothing, the batch's memory is free again; a promise means that the
   * sink wants to be waited for, and that neither `input` nor rows may be touched before.
   */
  encode(count: number): Promise<void> | undefined {
    let row = 0;
    const goOn = (): Promise<void> | undefined => {
      while (true) {
        row = expectStatus(this.#stream.encodePages(row, count), "encoding LTX pages");
        if (row === count) return undefined;
        const pending = this.#drain();
        if (pending) return pending.then(goOn);
      }
    };
    this.#rowsPassed += count;
    return goOn();
  }

  /** Writes what is left, the page index and the trailer to the sink. The sink's head is the header returned. */
  async finish(fields: HeaderFields, postApply: Checksum): Promise<EncodedLtx> {
    const pageCount = this.pagesWritten;
    const draft = this.#headerOf(fields, 0n);
    this.#assertWhole(draft, postApply);
    await this.#drain();
    await this.#writeIndex();

    const bodySha256 = this.#sha.finish();
    const bodyChecksum = bodyChecksumOf(bodySha256);
    const header = encodeHeader({ ...draft, bodyChecksum });
    const fileChecksum = this.#fileChecksum(header, postApply);
    await this.#sink(encodeTrailer({ postApply, fileChecksum }));
    const sizeBytes = LTX_HEADER_SIZE + this.#bytesSunk;
    return { header, sizeBytes, bodySha256, bodyChecksum, fileChecksum, pageCount };
  }

  get #stream(): Core["wasm"] {
    this.#core.assertStream(this.#generation);
    return this.#core.wasm;
  }

  #headerOf(fields: HeaderFields, bodyChecksum: Checksum): LtxHeader {
    const { pageSizeBytes, commit, noChecksum = false } = this.#options;
    return { ...fields, flags: noChecksum ? LTX_FLAG_NO_CHECKSUM : 0, pageSizeBytes, commit, bodyChecksum };
  }

  /** What a strict reader would refuse must not be written. */
  #assertWhole(header: LtxHeader, postApply: Checksum): void {
    const defect = findPostApplyDefect(header, postApply) ?? this.#findSnapshotDefect(header, postApply);
    if (defect) throw new WalrustError("INTERNAL", `an LTX file cannot be written: ${defect}`);
  }

  #findSnapshotDefect(header: LtxHeader, postApply: Checksum): string | undefined {
    if (!isSnapshot(header)) return undefined;
    const expected = snapshotPageCount(header.commit, header.pageSizeBytes);
    if (this.pagesWritten !== expected)
      return `a snapshot with ${this.pagesWritten} of its ${expected} pages`;
    const ofPages = applyToDatabaseChecksum(0n, this.databaseChecksumDelta);
    if (!hasChecksums(header) || postApply === ofPages) return undefined;
    return "a snapshot whose post-apply checksum is not that of its pages";
  }

  /** Passes on what OUTPUT and INDEX hold. Both are copied by the time it returns. */
  #drain(): Promise<void> | undefined {
    const stream = this.#stream;
    const length = stream.encodedLength();
    if (length === 0) return undefined;
    const entries = this.#core.borrow(layout.INDEX_OFFSET, stream.encodedIndexLength());
    const indexing = this.#index.append(entries);
    const sinking = this.#hashAndSink(this.#core.borrow(layout.OUTPUT_OFFSET, length));
    stream.encodeTaken();
    return indexing && sinking
      ? Promise.all([indexing, sinking]).then(() => undefined)
      : (indexing ?? sinking);
  }

  async #writeIndex(): Promise<void> {
    await this.#summedAndSunk(BLOCK_END);
    for await (const chunk of this.#index.chunks()) {
      for (let at = 0; at < chunk.length; at += layout.INPUT_SIZE) {
        await this.#summedAndSunk(chunk.subarray(at, at + layout.INPUT_SIZE));
      }
    }
    const end = new Uint8Array(9); // the 0 that ends the entries, then their size with it
    new DataView(end.buffer).setBigUint64(1, BigInt(this.#index.sizeBytes + 1));
    await this.#summedAndSunk(end);
  }

  #summedAndSunk(bytes: Uint8Array): Promise<void> | undefined {
    this.#sum(bytes);
    return this.#hashAndSink(bytes);
  }

  #hashAndSink(bytes: Uint8Array): Promise<void> | undefined {
    this.#sha.update(bytes);
    return this.#sink(bytes);
  }

  #sink(bytes: Uint8Array): Promise<void> | undefined {
    this.#bytesSunk += bytes.length;
    return this.#core.lend(() => this.#options.sink.write(bytes));
  }

  #sum(bytes: Uint8Array): void {
    this.#core.input.set(bytes);
    this.#stream.streamSum(layout.INPUT_OFFSET, bytes.length);
  }

  /** The header is known last: the checksum of all behind it was kept apart and is joined with the header's. */
  #fileChecksum(header: Uint8Array, postApply: Checksum): Checksum {
    const trailer = encodeTrailer({ postApply, fileChecksum: 0n });
    this.#sum(trailer.subarray(0, LTX_TRAILER_SIZE / 2));
    const stream = this.#stream;
    const behind = stream.streamChecksum();
    const summed = stream.streamSummed();
    this.#core.input.set(header);
    const front = stream.crc64(0n, layout.INPUT_OFFSET, header.length);
    return BigInt.asUintN(64, stream.crc64Combine(front, behind, summed)) | CHECKSUM_FLAG;
  }
}
