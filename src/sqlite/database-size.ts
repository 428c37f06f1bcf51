import { fstatSync } from "node:fs";
import { readFully } from "./descriptors.ts";
import { fileError } from "./file-error.ts";

const HEADER_SIZE = 100;

/**
 * Pages of a database whose log is empty, as SQLite sees it (lockBtree in btree.c). A wal-index that was recovered from an empty log does not
 * say, and the file may be longer than the database (SQLITE_FCNTL_CHUNK_SIZE).
 *
 *  24  4  change counter
 *  28  4  size in pages; valid if not 0 and the change counter equals the one below
 *  92  4  the change counter for which that size is valid
 *
 * @throws DATABASE_UNREADABLE
 */
export function mainFilePages(path: string, fd: number, pageSizeBytes: number): number {
  const header = Buffer.alloc(HEADER_SIZE);
  try {
    readFully(fd, header, 0);
    const stored = header.readUInt32BE(28);
    const isValid = stored > 0 && header.readUInt32BE(24) === header.readUInt32BE(92);
    return isValid ? stored : Math.ceil(fstatSync(fd).size / pageSizeBytes);
  } catch (error) {
    throw fileError(path, error);
  }
}
