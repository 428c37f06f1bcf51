import { setImmediate } from "node:timers/promises";
import { PageChecksums } from "../ltx/page-checksums.ts";
import type { PageMarks } from "../ltx/page-marks.ts";
import type { PageTable } from "../shadow/page-table.ts";
import type { DatabaseLink } from "../sqlite/link.ts";
import { decodeWalHeader, type WalHeader } from "../wal/header.ts";
import { PageMap } from "../wal/page-map.ts";
import { isSameGeneration, type LogPosition, startOf, WAL_HEADER_SIZE } from "../wal/position.ts";
import type { ReadAt } from "../wal/read-at.ts";
import type { LogScanner } from "../wal/scanner.ts";
import type { Core } from "../wasm/core.ts";
import { FrameFinder, newestPages } from "./newest-pages.ts";
import type { FrameExtent } from "./pending-frames.ts";
import type { RemoteHead } from "./remote-head.ts";

export interface LocateHeadOptions {
  readonly core: Core;
  readonly scanner: LogScanner;
  readonly link: Pick<DatabaseLink, "readMain" | "readWal">;
  readonly head: Pick<RemoteHead, "state" | "logEnd" | "pageSizeBytes">;
  /** Of the head. */
  readonly table: Pick<PageTable, "read">;
  /** Where the cursor's state, from which files lead to the head, lies in the log. */
  readonly cursorLog: LogPosition | undefined;
  /** The pages that those files hold. */
  readonly changed: PageMarks;
}

/**
 * The remote head's place in the live log, for a cursor that was saved before it. Undefined: nothing proves that the head lies there.
 *
 * Salts and offset prove nothing: an older copy of database and log may have been put back while nobody watched, and SQLite then goes on in the same
 * generation, with other commits at the same offsets. The state that lies there has a history that it shares with the head: up to the cursor, whose
 * running checksum is found in the log, or, where the cursor is of a log before it, up to the start of this one (salts are drawn at random). So
 * the two can differ only in pages that lie in the log up to there, or that the files behind the cursor hold. Each of those is compared.
 */
export async function locateHead(options: LocateHeadOptions): Promise<LogPosition | undefined> {
  const { logEnd } = options.head;
  const header = headerOf(options.link.readWal);
  if (logEnd === undefined || header?.salt1 !== logEnd.salt1 || header.salt2 !== logEnd.salt2)
    return undefined;
  if (header.pageSizeBytes !== options.head.pageSizeBytes || !(await holdsCursor(header, options)))
    return undefined;
  const to = await commitAt(logEnd.offset, header, options);
  if (to === undefined || !(await isHead(header, to, options))) return undefined;
  // The log may have begun anew under our eyes. A new one begins with its header.
  const now = headerOf(options.link.readWal);
  return now !== undefined && isSameGeneration(now, to) ? to : undefined;
}

function headerOf(read: ReadAt): WalHeader | undefined {
  const bytes = new Uint8Array(WAL_HEADER_SIZE);
  return read(bytes, 0) === WAL_HEADER_SIZE ? decodeWalHeader(bytes) : undefined;
}

/** The frames of this log up to the cursor are those that it was saved behind; a cursor of another log says nothing of this one. */
async function holdsCursor(header: WalHeader, options: LocateHeadOptions): Promise<boolean> {
  const { cursorLog: cursor } = options;
  if (cursor === undefined || !isSameGeneration(cursor, header)) return true;
  const found = await commitAt(cursor.offset, header, options);
  return found?.checksum1 === cursor.checksum1 && found.checksum2 === cursor.checksum2;
}

/** The position at an offset, if the log has a commit that ends there. */
async function commitAt(
  offset: number,
  header: WalHeader,
  { scanner, link }: LocateHeadOptions,
): Promise<LogPosition | undefined> {
  const upTo: ReadAt = (into, at) => link.readWal(into.subarray(0, Math.max(0, offset - at)), at);
  const { position } = await scanner.scanInSlices(upTo, header, startOf(header));
  return position.offset === offset ? position : undefined;
}

/** Whether the database at `to` has the head's version of each page in which the two could differ. */
async function isHead(header: WalHeader, to: LogPosition, options: LocateHeadOptions): Promise<boolean> {
  const { core, link, changed, head } = options;
  const { commitPages } = head.state;
  const compare = new Comparison(options);
  const extent: FrameExtent = {
    ...{ header, from: startOf(header), to, commitPages },
    source: { kind: "log", read: wholly(link.readWal) },
  };
  const finder = new FrameFinder([extent]);
  for await (const { rows, count } of newestPages(new PageMap(core), [extent])) {
    for (let done = 0; done < count; done += compare.batchPages) {
      const some = Math.min(compare.batchPages, count - done);
      const pgnos = Array.from({ length: some }, (_, row) => rows[(done + row) * 2] ?? 0);
      for (const pgno of pgnos) changed.clear(pgno);
      const read = (row: number, into: Uint8Array) => finder.readPage(rows[(done + row) * 2 + 1] ?? 0, into);
      if (!compare.agrees(pgnos, read)) return false;
      await setImmediate();
    }
  }
  // The others were written into the main file before this log began.
  for (const { pgno, count } of changed.runs(compare.batchPages)) {
    const pgnos = Array.from({ length: count }, (_, row) => pgno + row);
    const read = (row: number, into: Uint8Array) => {
      link.readMain(into.fill(0), (pgno + row - 1) * head.pageSizeBytes);
    };
    if (!compare.agrees(pgnos, read)) return false;
    await setImmediate();
  }
  return true;
}

/** What was verified and is gone meanwhile reads as zeros, which no comparison agrees with. */
function wholly(read: ReadAt): ReadAt {
  return (into, offset) => {
    into.fill(0, read(into, offset));
    return into.length;
  };
}

/** Of pages with the head's page table, batch by batch. */
class Comparison {
  readonly batchPages: number;
  readonly #options: LocateHeadOptions;
  readonly #sums: PageChecksums;
  readonly #expected = Buffer.alloc(8);

  constructor(options: LocateHeadOptions) {
    this.#options = options;
    this.#sums = new PageChecksums(options.core, options.head.pageSizeBytes);
    this.batchPages = this.#sums.batchCapacity;
  }

  agrees(pgnos: readonly number[], read: (row: number, into: Uint8Array) => void): boolean {
    const { pageSizeBytes } = this.#options.head;
    const { input, checksums } = this.#sums;
    for (const [row, pgno] of pgnos.entries()) {
      this.#sums.setPage(row, pgno);
      read(row, input.subarray(row * pageSizeBytes, (row + 1) * pageSizeBytes));
    }
    this.#sums.sum(pgnos.length);
    return pgnos.every((pgno, row) => {
      this.#options.table.read(pgno, 1, this.#expected);
      return this.#expected.equals(checksums.subarray(row * 8, row * 8 + 8));
    });
  }
}
