import { WalrustError } from "../errors.ts";
import { applyToDatabaseChecksum } from "../ltx/checksum.ts";
import { type EncodedLtx, LtxEncoder } from "../ltx/encoder.ts";
import type { LtxHeader } from "../ltx/format.ts";
import type { IndexSpill } from "../ltx/page-index.ts";
import type { PublishedState } from "../shadow/cursor.ts";
import type { PageTable } from "../shadow/page-table.ts";
import type { TableChanges } from "../shadow/table-changes.ts";
import type { Upload } from "../storage/storage.ts";
import { PageMap } from "../wal/page-map.ts";
import { isSameGeneration } from "../wal/position.ts";
import type { Core } from "../wasm/core.ts";
import { afterwards } from "./afterwards.ts";
import { type CopyLayout, finishFile } from "./copy-layout.ts";
import { FrameFinder, newestPages, newPageCount, type PageWindow } from "./newest-pages.ts";
import { type FrameRun, lastTxid } from "./pending-frames.ts";

export interface EncodeRunsOptions {
  readonly core: Core;
  readonly runs: readonly FrameRun[];
  /** What storage has: the state before the runs. */
  readonly base: PublishedState;
  readonly table: PageTable;
  /** Receives what the page table must become. */
  readonly changes: TableChanges;
  readonly upload: Upload;
  readonly spill: IndexSpill;
  /** Of the last commit, never before that of the base. Unix ms. */
  readonly timestampMs: number;
  readonly nodeId: bigint;
  readonly layout: Pick<CopyLayout, "hasChecksums">;
}

export interface EncodedRuns {
  readonly encoded: EncodedLtx;
  readonly header: Pick<LtxHeader, "minTxid" | "maxTxid">;
  /** What is published once storage has acknowledged the file. */
  readonly next: PublishedState;
}

/**
 * Writes one incremental: the newest version of every page in the runs that differs from what storage has. The same runs on the same base give
 * the same bytes. Errors: INTEGRITY_CHAIN when a page that the database grew by is in no frame; the owner repairs.
 */
export async function encodeRuns(options: EncodeRunsOptions): Promise<EncodedRuns> {
  const { core, runs, base, table } = options;
  const [first] = runs;
  const last = runs.at(-1);
  if (first === undefined || last === undefined) throw new Error("a publication has at least one run");
  const { commitPages } = last;
  const { pageSizeBytes } = last.header;

  const encoder = await LtxEncoder.open({
    core,
    pageSizeBytes,
    commit: commitPages,
    noChecksum: !options.layout.hasChecksums,
    sink: options.upload,
    spill: options.spill,
  });
  const writer = new PageWriter(options, encoder, pageSizeBytes);
  for await (const window of newestPages(new PageMap(core), runs)) await writer.write(window);

  const missing = newPageCount(base.commitPages, commitPages, pageSizeBytes) - writer.newPages;
  if (missing !== 0) {
    throw new WalrustError(
      "INTEGRITY_CHAIN",
      `the log lacks ${missing} of the pages by which the database grew`,
      {
        details: { minTxid: String(first.txidBefore + 1n), maxTxid: String(lastTxid(last)) },
      },
    );
  }

  const dropped = table.xor(commitPages + 1, base.commitPages);
  const postApply = applyToDatabaseChecksum(base.postApply, encoder.databaseChecksumDelta ^ dropped);
  const { timestampMs } = options;
  const txids = { minTxid: first.txidBefore + 1n, maxTxid: lastTxid(last) };
  const encoded = await finishFile(
    options.layout,
    encoder,
    { ...txids, ...walExtent(runs, last), timestampMs, preApply: base.postApply, nodeId: options.nodeId },
    postApply,
  );
  return {
    encoded,
    header: txids,
    next: { txid: txids.maxTxid, postApply, commitPages, timestampMs, log: last.to },
  };
}

/** The header describes the part that lies in the newest log, so that a resume finds the end of the file there. */
function walExtent(
  runs: readonly FrameRun[],
  last: FrameRun,
): Pick<LtxHeader, "walOffset" | "walSize" | "walSalt1" | "walSalt2"> {
  const start = runs.find((run) => isSameGeneration(run.from, last.from)) ?? last;
  return {
    walOffset: BigInt(start.from.offset),
    walSize: BigInt(last.to.offset - start.from.offset),
    walSalt1: last.header.salt1,
    walSalt2: last.header.salt2,
  };
}

/** Feeds an encoder with pages out of runs. */
class PageWriter {
  readonly #options: EncodeRunsOptions;
  readonly #encoder: LtxEncoder;
  readonly #finder: FrameFinder;
  readonly #pageSizeBytes: number;
  /** Pages beyond the size of the base. */
  newPages = 0;

  constructor(options: EncodeRunsOptions, encoder: LtxEncoder, pageSizeBytes: number) {
    this.#options = options;
    this.#encoder = encoder;
    this.#finder = new FrameFinder(options.runs);
    this.#pageSizeBytes = pageSizeBytes;
  }

  async write({ rows, count }: PageWindow): Promise<void> {
    const { batchCapacity } = this.#encoder;
    for (let done = 0; done < count; done += batchCapacity) {
      const batch = rows.subarray(done * 2, Math.min(count, done + batchCapacity) * 2);
      const written = this.#writeBatch(batch);
      if (written) await written;
    }
  }

  #writeBatch(rows: Uint32Array): Promise<void> | undefined {
    const encoder = this.#encoder;
    const { table, changes, base } = this.#options;
    const size = this.#pageSizeBytes;
    const count = rows.length / 2;
    const pgnos = new Uint32Array(count);
    for (let row = 0; row < count; row += 1) {
      const pgno = rows[row * 2] ?? 0;
      pgnos[row] = pgno;
      if (pgno > base.commitPages) this.newPages += 1;
      encoder.setPage(row, pgno);
      table.read(pgno, 1, encoder.oldChecksums.subarray(row * 8, row * 8 + 8));
      this.#finder.readPage(rows[row * 2 + 1] ?? 0, encoder.input.subarray(row * size, (row + 1) * size));
    }
    return afterwards(encoder.encode(count), () =>
      changes.append(pgnos, encoder.oldChecksums, encoder.newChecksums, count),
    );
  }
}
