import { PageChecksums } from "../ltx/page-checksums.ts";
import type { PageTable } from "../shadow/page-table.ts";
import type { DatabaseLink } from "../sqlite/link.ts";
import { isSameLog } from "../sqlite/wal-index.ts";
import type { WalHeader } from "../wal/header.ts";
import type { Core } from "../wasm/core.ts";
import { readWhole } from "./whole-database.ts";

export interface MainFileOptions {
  readonly core: Core;
  /** Pinned: the log cannot begin anew meanwhile. */
  readonly link: Pick<DatabaseLink, "readMain" | "readWal" | "index" | "facts">;
  /** Of the state in question. */
  readonly table: PageTable;
  /** Of the present log; undefined: there is none. */
  readonly header: WalHeader | undefined;
  readonly signal?: AbortSignal;
}

/**
 * Whether the present log, which may be empty, begins at the state that the page table is of. It does if the main file is that state and nothing of
 * this log is backfilled: whatever a log before it held that we do not know would have been checkpointed into the main file before this one
 * began. Reads the whole main file, and ends at the first page that differs.
 */
export async function logBeginsAt(options: MainFileOptions): Promise<boolean> {
  const { link, header } = options;
  const before = link.index();
  if (before === undefined || before.backfilledFrames > 0) return false;
  if (before.frames > 0 && !(header && isSameLog(before, header))) return false;
  if (!(await isMainFile(options))) return false;
  const after = link.index();
  return after !== undefined && isSameLog(before, after) && after.backfilledFrames === 0;
}

async function isMainFile({ core, link, table, signal }: MainFileOptions): Promise<boolean> {
  const { pageSizeBytes } = link.facts;
  const commitPages = table.pages;
  const size = commitPages * pageSizeBytes;
  const byte = new Uint8Array(1);
  if (link.readMain(byte, size - 1) === 0 || link.readMain(byte, size) > 0) return false;
  const sums = new PageChecksums(core, pageSizeBytes);
  const expected = Buffer.alloc(sums.batchCapacity * 8);
  const differs = new AbortController();
  try {
    await readWhole({
      core,
      database: { link, pageSizeBytes, commitPages, position: undefined },
      into: sums.input,
      batchPages: sums.batchCapacity,
      signal: differs.signal,
      onBatch(fromPgno, count) {
        signal?.throwIfAborted();
        for (let row = 0; row < count; row += 1) sums.setPage(row, fromPgno + row);
        sums.sum(count);
        table.read(fromPgno, count, expected);
        if (expected.compare(sums.checksums, 0, count * 8, 0, count * 8) !== 0) differs.abort();
        return undefined;
      },
    });
  } catch (error) {
    if (differs.signal.aborted) return false;
    throw error;
  }
  return !differs.signal.aborted;
}
