import { WalrustError } from "../errors.ts";
import { batchCapacity, type Core } from "../wasm/core.ts";
import * as layout from "../wasm/layout.ts";

/**
 * Checksums of pages, batch by batch, without writing a file: to compare a database with its page table or with a
 * post-apply checksum. Shares its memory with encoders and decoders of the same core: one batch at a time.
 */
export class PageChecksums {
  /** Pages in a full batch. */
  readonly batchCapacity: number;
  /** Page `i` of the batch lies at i * pageSizeBytes: read straight into it. */
  readonly input: Uint8Array;
  /** Per row the page's checksum, u64 little-endian, bit 63 set; valid after `sum`. */
  readonly checksums: Uint8Array;

  readonly #core: Core;
  readonly #pageSizeBytes: number;
  readonly #pgnos: Uint32Array;

  constructor(core: Core, pageSizeBytes: number) {
    this.#core = core;
    this.#pageSizeBytes = pageSizeBytes;
    this.batchCapacity = batchCapacity(pageSizeBytes);
    this.input = core.input.subarray(0, this.batchCapacity * pageSizeBytes);
    this.checksums = core.borrow(layout.NEW_CHECKSUMS_OFFSET, this.batchCapacity * 8);
    this.#pgnos = core.borrowU32(layout.PGNOS_OFFSET, this.batchCapacity);
  }

  /** Says which page row `row` of the next batch is. Never the lock page: it has no checksum. */
  setPage(row: number, pgno: number): void {
    this.#pgnos[row] = pgno;
  }

  /**
   * Sums the first `count` rows.
   * @returns the XOR of their checksums: see applyToDatabaseChecksum
   */
  sum(count: number): bigint {
    if (count > this.batchCapacity) throw new WalrustError("INTERNAL", `a batch of ${count} pages`);
    return BigInt.asUintN(64, this.#core.wasm.checksumPages(count, this.#pageSizeBytes));
  }
}
