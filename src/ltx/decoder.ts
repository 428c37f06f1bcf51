import { Sha256 } from "../digest.ts";
import type { Core } from "../wasm/core.ts";
import * as layout from "../wasm/layout.ts";
import { statusError } from "../wasm/status.ts";
import { applyToDatabaseChecksum, bodyChecksumOf } from "./checksum.ts";
import { ltxDefect } from "./defect.ts";
import {
  CHECKSUM_FLAG,
  hasChecksums,
  isSnapshot,
  LTX_HEADER_SIZE,
  LTX_TRAILER_SIZE,
  type LtxHeader,
  type LtxTrailer,
  snapshotPageCount,
} from "./format.ts";
import { decodeHeader } from "./header.ts";
import { decodeTrailer, findPostApplyDefect } from "./trailer.ts";

/** Some pages of a file, ascending. The views are valid until the callback that got them is done. */
export interface PageBatch {
  readonly count: number;
  readonly pgnos: Uint32Array;
  /** count * page size, one behind the other. */
  readonly pages: Uint8Array;
  /** Per page its checksum, u64 little-endian, bit 63 set. */
  readonly checksums: Uint8Array;
}

export interface DecodeOptions {
  /** For messages. */
  readonly objectName: string;
  /** Called once, before the first batch. */
  readonly onHeader?: (header: LtxHeader) => void;
  readonly signal?: AbortSignal;
}

export interface DecodedLtx {
  readonly header: LtxHeader;
  readonly trailer: LtxTrailer;
  readonly sizeBytes: number;
  /** 64 hex digits, of the stored bytes between header and trailer. */
  readonly bodySha256: string;
  readonly pageCount: number;
}

/**
 * Reads one LTX file in pieces, in fixed memory, and proves all of it: header, order and completeness of the pages, page
 * index, checksums, trailer, nothing behind it. Pages come before the proof is complete: until this resolves they
 * are good for a temporary file only.
 * @param core this call's alone until it is done
 * @throws INTEGRITY_FORMAT, INTEGRITY_CHECKSUM naming the object and the offset; what `source` and `onBatch` throw; the
 * signal's reason
 */
export async function decodeLtx(
  core: Core,
  source: AsyncIterable<Uint8Array>,
  options: DecodeOptions,
  onBatch: (batch: PageBatch) => Promise<void> | void,
): Promise<DecodedLtx> {
  const sha = await Sha256.begin();
  const decoding = new Decoding(core, sha, options, onBatch);
  for await (const chunk of source) await decoding.push(chunk);
  return decoding.end();
}

/** The size field of the page index, and the trailer. */
const TAIL_SIZE = 8 + LTX_TRAILER_SIZE;

type Section = "header" | "page block" | "page index" | "trailer" | "end";

class Decoding {
  readonly #core: Core;
  readonly #generation: number;
  readonly #sha: Sha256;
  readonly #options: DecodeOptions;
  readonly #onBatch: (batch: PageBatch) => Promise<void> | void;
  #section: Section = "header";
  /** What of the input region holds bytes that are not dealt with. */
  #from = 0;
  #to = 0;
  /** Where in the file `#from` lies. */
  #offset = 0;
  #indexSizeBytes = 0;
  #header: LtxHeader | undefined;
  #result: DecodedLtx | undefined;

  constructor(
    core: Core,
    sha: Sha256,
    options: DecodeOptions,
    onBatch: (batch: PageBatch) => Promise<void> | void,
  ) {
    this.#core = core;
    this.#generation = core.beginStream();
    this.#sha = sha;
    this.#options = options;
    this.#onBatch = onBatch;
  }

  /** Takes the next bytes of the file. */
  async push(chunk: Uint8Array): Promise<void> {
    for (let at = 0; at < chunk.length; ) {
      this.#options.signal?.throwIfAborted();
      const length = Math.min(chunk.length - at, layout.INPUT_SIZE - this.#to);
      this.#core.input.set(chunk.subarray(at, at + length), this.#to);
      this.#to += length;
      at += length;
      while (await this.#step());
      this.#makeRoom();
    }
  }

  /** Says that no bytes follow. */
  end(): DecodedLtx {
    if (this.#result) return this.#result;
    const ends = this.#offset + this.#to - this.#from;
    throw ltxDefect(
      "INTEGRITY_FORMAT",
      this.#options.objectName,
      ends,
      `it ends inside the ${this.#section}`,
    );
  }

  /** Deals with what has arrived of the section. Whether it is worth calling again. */
  #step(): Promise<boolean> | boolean {
    switch (this.#section) {
      case "header":
        return this.#stepHeader();
      case "page block":
        return this.#stepPages();
      case "page index":
        return this.#stepIndex();
      case "trailer":
        return this.#stepTrailer();
      case "end":
        if (this.#from < this.#to) throw this.#bad("something follows its end");
        return false;
      default:
        return this.#section satisfies never;
    }
  }

  #stepHeader(): boolean {
    if (this.#to - this.#from < LTX_HEADER_SIZE) return false;
    const header = decodeHeader(this.#view(LTX_HEADER_SIZE), this.#options.objectName);
    this.#header = header;
    const stream = this.#stream;
    stream.streamBegin(header.pageSizeBytes, header.commit);
    stream.decodeBegin();
    stream.streamSum(this.#address, LTX_HEADER_SIZE);
    this.#pass(LTX_HEADER_SIZE);
    this.#section = "page block";
    this.#options.onHeader?.(header);
    return true;
  }

  async #stepPages(): Promise<boolean> {
    const stream = this.#stream;
    const status = stream.decodePages(this.#address, layout.INPUT_OFFSET + this.#to);
    this.#passHashed(stream.decodeCursor() - this.#address);
    if (status < 0) throw this.#statusError(status);
    if (status === layout.STREAM_NEEDS_INPUT) return false;
    await this.#deliver();
    if (status === layout.STREAM_END) {
      this.#assertComplete();
      this.#section = "page index";
    }
    return true;
  }

  #stepIndex(): boolean {
    const stream = this.#stream;
    const status = stream.decodeIndex(this.#address, layout.INPUT_OFFSET + this.#to);
    const length = stream.decodeCursor() - this.#address;
    this.#indexSizeBytes += length;
    this.#passHashed(length);
    if (status < 0) throw this.#statusError(status);
    if (status === layout.STREAM_NEEDS_INPUT) return false;
    this.#section = "trailer";
    return true;
  }

  #stepTrailer(): boolean {
    if (this.#to - this.#from < TAIL_SIZE) return false;
    const tail = this.#view(TAIL_SIZE);
    const indexSizeBytes = new DataView(tail.buffer, tail.byteOffset).getBigUint64(0);
    if (indexSizeBytes !== BigInt(this.#indexSizeBytes)) throw this.#bad("a wrong size of the page index");
    const stream = this.#stream;
    stream.streamSum(this.#address, TAIL_SIZE - 8);
    this.#passHashed(8);
    const trailer = decodeTrailer(this.#view(LTX_TRAILER_SIZE));
    const bodySha256 = this.#sha.finish();
    const header = this.#provenHeader(trailer, bodySha256);
    this.#pass(LTX_TRAILER_SIZE);
    const pageCount = stream.streamPageCount() >>> 0;
    this.#result = { header, trailer, sizeBytes: this.#offset, bodySha256, pageCount };
    this.#section = "end";
    return true;
  }

  #assertComplete(): void {
    const header = this.#knownHeader;
    if (!isSnapshot(header)) return;
    const expected = snapshotPageCount(header.commit, header.pageSizeBytes);
    const pageCount = this.#stream.streamPageCount() >>> 0;
    if (pageCount !== expected) throw this.#bad(`a snapshot with ${pageCount} of its ${expected} pages`);
  }

  /** Every checksum that the file names, against what its bytes give. */
  #provenHeader(trailer: LtxTrailer, bodySha256: string): LtxHeader {
    const header = this.#knownHeader;
    const stream = this.#stream;
    const fileChecksum = BigInt.asUintN(64, stream.streamChecksum()) | CHECKSUM_FLAG;
    if (trailer.fileChecksum !== fileChecksum)
      throw this.#bad("the file checksum does not agree", "INTEGRITY_CHECKSUM");
    if (header.bodyChecksum !== 0n && header.bodyChecksum !== bodyChecksumOf(bodySha256)) {
      throw this.#bad("the body checksum does not agree", "INTEGRITY_CHECKSUM");
    }
    const defect = findPostApplyDefect(header, trailer.postApply);
    if (defect) throw this.#bad(defect);
    const ofPages = applyToDatabaseChecksum(0n, BigInt.asUintN(64, stream.streamDatabaseXor()));
    if (isSnapshot(header) && hasChecksums(header) && trailer.postApply !== ofPages) {
      throw this.#bad("the post-apply checksum is not that of the pages", "INTEGRITY_CHECKSUM");
    }
    return header;
  }

  /** Gives the pages in OUTPUT to the callback; nothing else runs in the core meanwhile. */
  async #deliver(): Promise<void> {
    const stream = this.#stream;
    const count = stream.decodedRows();
    if (count === 0) return;
    const core = this.#core;
    const batch: PageBatch = {
      count,
      pgnos: core.borrowU32(layout.PGNOS_OFFSET, count),
      pages: core.borrow(layout.OUTPUT_OFFSET, count * this.#knownHeader.pageSizeBytes),
      checksums: core.borrow(layout.NEW_CHECKSUMS_OFFSET, count * 8),
    };
    await core.lendAcross(() => this.#onBatch(batch));
    this.#options.signal?.throwIfAborted();
    stream.decodeTaken();
  }

  /** Moves what is left to the front. A file whose next thing does not even fit the whole region is none. */
  #makeRoom(): void {
    if (this.#from === 0 && this.#to === layout.INPUT_SIZE) throw this.#bad("a page that is too large");
    this.#core.input.copyWithin(0, this.#from, this.#to);
    this.#to -= this.#from;
    this.#from = 0;
  }

  get #stream(): Core["wasm"] {
    this.#core.assertStream(this.#generation);
    return this.#core.wasm;
  }

  get #knownHeader(): LtxHeader {
    if (this.#header === undefined) throw new TypeError("the header is not read yet");
    return this.#header;
  }

  get #address(): number {
    return layout.INPUT_OFFSET + this.#from;
  }

  #view(length: number): Uint8Array {
    return this.#core.input.subarray(this.#from, this.#from + length);
  }

  #pass(length: number): void {
    this.#from += length;
    this.#offset += length;
  }

  #passHashed(length: number): void {
    this.#sha.update(this.#view(length));
    this.#pass(length);
  }

  #bad(what: string, code: "INTEGRITY_FORMAT" | "INTEGRITY_CHECKSUM" = "INTEGRITY_FORMAT") {
    return ltxDefect(code, this.#options.objectName, this.#offset, what);
  }

  #statusError(status: number) {
    return statusError(status, { objectName: this.#options.objectName, offset: this.#offset });
  }
}
