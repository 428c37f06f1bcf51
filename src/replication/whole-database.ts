import { setImmediate } from "node:timers/promises";
import { lockPage } from "../ltx/format.ts";
import type { DatabaseLink } from "../sqlite/link.ts";
import { PinnedPages } from "../sqlite/pinned-pages.ts";
import type { LogPosition } from "../wal/position.ts";
import type { Core } from "../wasm/core.ts";

/** A database as an exact pin sees it. The pin is held as long as this is read. */
export interface PinnedDatabase {
  readonly link: Pick<DatabaseLink, "readMain" | "readWal">;
  readonly pageSizeBytes: number;
  readonly commitPages: number;
  readonly position: LogPosition | undefined;
}

export interface ReadWholeOptions {
  readonly core: Core;
  readonly database: PinnedDatabase;
  /** Where a batch is read to, and how many pages fit there. */
  readonly into: Uint8Array;
  readonly batchPages: number;
  readonly signal?: AbortSignal;
  /** Pages [fromPgno, fromPgno + count) lie at the start of `into`; the lock page is never among them. */
  readonly onBatch: (fromPgno: number, count: number) => Promise<void> | undefined;
}

/** Reads every page but the lock page, in ascending order, letting others run after each batch. Rejects with the signal's reason. */
export async function readWhole(options: ReadWholeOptions): Promise<void> {
  const { core, database, batchPages, signal } = options;
  const { pageSizeBytes, commitPages, position, link } = database;
  const pages = new PinnedPages({
    core,
    readMain: link.readMain,
    readWal: link.readWal,
    pageSizeBytes,
    commitPages,
    position,
  });
  const lock = lockPage(pageSizeBytes);
  for (let pgno = 1; pgno <= commitPages; ) {
    signal?.throwIfAborted();
    if (pgno === lock) {
      pgno += 1;
      continue;
    }
    if (pgno >= pages.windowEnd) await openWindow(pages, pgno);
    const end = Math.min(pages.windowEnd, pgno < lock ? lock : commitPages + 1, pgno + batchPages);
    pages.read(pgno, end - pgno, options.into);
    const pending = options.onBatch(pgno, end - pgno);
    if (pending) await pending;
    await setImmediate();
    pgno = end;
  }
}

async function openWindow(pages: PinnedPages, fromPgno: number): Promise<void> {
  pages.openWindow(fromPgno);
  while (!pages.step()) await setImmediate();
}
