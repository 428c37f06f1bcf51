import { applyToDatabaseChecksum } from "../ltx/checksum.ts";
import { type EncodedLtx, type HeaderFields, LtxEncoder } from "../ltx/encoder.ts";
import type { Checksum, Txid } from "../ltx/format.ts";
import { PageChecksums } from "../ltx/page-checksums.ts";
import type { IndexSpill } from "../ltx/page-index.ts";
import type { PublishedState } from "../shadow/cursor.ts";
import type { PageTable } from "../shadow/page-table.ts";
import type { TableChanges } from "../shadow/table-changes.ts";
import type { Upload } from "../storage/storage.ts";
import { WAL_HEADER_SIZE } from "../wal/position.ts";
import type { Core } from "../wasm/core.ts";
import { afterwards } from "./afterwards.ts";
import { type CopyLayout, type FirstFile, finishFile } from "./copy-layout.ts";
import { type PinnedDatabase, readWhole } from "./whole-database.ts";

export interface EncodeWholeOptions {
  readonly core: Core;
  readonly database: PinnedDatabase;
  readonly txid: Txid;
  readonly timestampMs: number;
  readonly nodeId: bigint;
  readonly layout: Pick<CopyLayout, "hasChecksums">;
  readonly upload: Upload;
  readonly spill: IndexSpill;
  readonly signal?: AbortSignal;
}

export interface EncodedWhole {
  readonly encoded: EncodedLtx;
  /** What is published once storage has acknowledged the file. */
  readonly next: PublishedState;
}

/** Writes a snapshot: every page, and the page table of that state where one is asked for. */
export async function encodeSnapshot(
  options: EncodeWholeOptions & { readonly table?: PageTable; readonly as?: FirstFile },
): Promise<EncodedWhole> {
  const {
    core,
    database,
    upload,
    spill,
    table,
    txid,
    layout,
    as = { minTxid: 1n, isPlaced: false },
  } = options;
  const { pageSizeBytes, commitPages } = database;
  const noChecksum = !layout.hasChecksums;
  const encoder = await LtxEncoder.open({
    ...{ core, pageSizeBytes, commit: commitPages, sink: upload, spill, noChecksum },
  });
  await readWhole({
    ...options,
    into: encoder.input,
    batchPages: encoder.batchCapacity,
    onBatch(fromPgno, count) {
      setRows(encoder, fromPgno, count);
      encoder.oldChecksums.fill(0, 0, count * 8);
      return afterwards(encoder.encode(count), () => table?.write(fromPgno, count, encoder.newChecksums));
    },
  });
  const postApply = applyToDatabaseChecksum(0n, encoder.databaseChecksumDelta);
  const fields: HeaderFields = {
    ...{ minTxid: as.minTxid, maxTxid: txid, timestampMs: options.timestampMs },
    ...{ preApply: 0n, nodeId: options.nodeId },
    ...(as.isPlaced ? placeOf(database) : { walOffset: 0n, walSize: 0n, walSalt1: 0, walSalt2: 0 }),
  };
  return finish(options, await finishFile(layout, encoder, fields, postApply), postApply);
}

/**
 * Writes a repair: the pages in which the database differs from what storage has. Undefined: it does not differ, nothing is to be published.
 * The header's WAL size 0 says that the single commits in between are not known.
 */
export async function encodeRepair(
  options: EncodeWholeOptions & {
    readonly base: PublishedState;
    readonly table: PageTable;
    readonly changes: TableChanges;
  },
): Promise<(EncodedWhole & { readonly pages: number }) | undefined> {
  const { core, database, upload, spill, table, changes, base, txid, layout } = options;
  const { pageSizeBytes, commitPages } = database;
  const noChecksum = !layout.hasChecksums;
  const encoder = await LtxEncoder.open({
    ...{ core, pageSizeBytes, commit: commitPages, sink: upload, spill, noChecksum },
  });
  await readWhole({
    ...options,
    into: encoder.input,
    batchPages: encoder.batchCapacity,
    onBatch(fromPgno, count) {
      const pgnos = setRows(encoder, fromPgno, count);
      table.read(fromPgno, count, encoder.oldChecksums);
      return afterwards(encoder.encode(count), () =>
        changes.append(pgnos, encoder.oldChecksums, encoder.newChecksums, count),
      );
    },
  });
  if (encoder.pagesWritten === 0 && commitPages === base.commitPages) return undefined;
  const dropped = table.xor(commitPages + 1, base.commitPages);
  const postApply = applyToDatabaseChecksum(base.postApply, encoder.databaseChecksumDelta ^ dropped);
  const fields: HeaderFields = {
    ...{
      minTxid: txid,
      maxTxid: txid,
      timestampMs: options.timestampMs,
      preApply: base.postApply,
      nodeId: options.nodeId,
    },
    ...placeOf(database),
  };
  const pages = encoder.pagesWritten;
  return { ...finish(options, await finishFile(layout, encoder, fields, postApply), postApply), pages };
}

/** The checksum of the whole database, and the page table of that state. */
export async function checksumDatabase(
  options: Pick<EncodeWholeOptions, "core" | "database" | "signal"> & { readonly table: PageTable },
): Promise<Checksum> {
  const { core, database, table } = options;
  const sums = new PageChecksums(core, database.pageSizeBytes);
  await readWhole({
    ...options,
    into: sums.input,
    batchPages: sums.batchCapacity,
    onBatch(fromPgno, count) {
      for (let row = 0; row < count; row += 1) sums.setPage(row, fromPgno + row);
      sums.sum(count);
      table.write(fromPgno, count, sums.checksums);
      return undefined;
    },
  });
  return table.checksum();
}

/** Where the state lies in the log. WAL size 0 says that the single commits up to it are not known. */
function placeOf({ position }: PinnedDatabase) {
  return {
    ...{ walOffset: BigInt(position?.offset ?? WAL_HEADER_SIZE), walSize: 0n },
    ...{ walSalt1: position?.salt1 ?? 0, walSalt2: position?.salt2 ?? 0 },
  };
}

function setRows(encoder: LtxEncoder, fromPgno: number, count: number): Uint32Array {
  const pgnos = new Uint32Array(count);
  for (let row = 0; row < count; row += 1) {
    pgnos[row] = fromPgno + row;
    encoder.setPage(row, fromPgno + row);
  }
  return pgnos;
}

function finish(options: EncodeWholeOptions, encoded: EncodedLtx, postApply: Checksum): EncodedWhole {
  const { database, txid, timestampMs } = options;
  const { commitPages, position } = database;
  return { encoded, next: { txid, postApply, commitPages, timestampMs, log: position } };
}
