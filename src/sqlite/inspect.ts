import { accessSync, constants, statSync } from "node:fs";
import { dirname } from "node:path";
import { WalrustError } from "../errors.ts";
import { type FileIdentity, type HeldDescriptor, holdDescriptor, readFully } from "./descriptors.ts";
import { fileError } from "./file-error.ts";
import { type DatabasePaths, databasePaths } from "./paths.ts";

/** What the header of a database in WAL mode says. */
export interface DatabaseFacts {
  readonly paths: DatabasePaths;
  readonly identity: FileIdentity;
  readonly pageSizeBytes: number;
}

export interface OpenedDatabaseFile {
  readonly facts: DatabaseFacts;
  /** To be released after the last connection to the database is closed. */
  readonly file: HeldDescriptor;
}

const HEADER_SIZE = 100;
const MAGIC = Buffer.from("SQLite format 3\0", "latin1");
const ROLLBACK_VERSION = 1;
const WAL_VERSION = 2;

/** Looks at a database without keeping anything open. Errors as openDatabaseFile. */
export function inspectDatabase(path: string): DatabaseFacts {
  const { facts, file } = openDatabaseFile(path, "r");
  file.release();
  return facts;
}

/**
 * Opens the main file and proves that it is an SQLite database in WAL mode.
 *
 * Use "r+" before a connection that writes: on an overlay file system (a database that came with a container image) the
 * first opening for writing copies the file up, and a descriptor opened for reading before would show the old one for ever.
 *
 * @throws DATABASE_NOT_FOUND, DATABASE_UNREADABLE, DATABASE_NOT_SQLITE, DATABASE_NOT_WAL
 */
export function openDatabaseFile(path: string, flags: "r" | "r+"): OpenedDatabaseFile {
  const paths = databasePaths(path);
  assertRegularFile(paths.database);
  const file = holdDescriptor(paths.database, flags);
  try {
    const pageSizeBytes = pageSizeOf(paths.database, file.fd);
    return { facts: { paths, identity: file.identity, pageSizeBytes }, file };
  } catch (error) {
    file.release();
    throw error;
  }
}

/** Before it is opened: opening a FIFO would wait for its other end. */
function assertRegularFile(path: string): void {
  let stat: ReturnType<typeof statSync>;
  try {
    stat = statSync(path);
  } catch (error) {
    throw fileError(path, error);
  }
  if (stat?.isFile()) return;
  throw new WalrustError(
    "DATABASE_UNREADABLE",
    `${path}: ${stat?.isDirectory() ? "is a folder" : "is no regular file"}`,
    {
      hint: "Name the database file itself; for all databases of a folder use a pattern such as 'data/*.db'.",
    },
  );
}

/**
 * Of a database in WAL mode, from its header:
 *
 *   0  16  magic
 *  16   2  page size u16, big-endian; 1 means 65536
 *  18   1  write version: 1 rollback journal, 2 WAL
 *  19   1  read version
 *
 * @throws DATABASE_NOT_WAL, DATABASE_NOT_SQLITE, DATABASE_UNREADABLE
 */
export function pageSizeOf(path: string, fd: number): number {
  const header = Buffer.alloc(HEADER_SIZE);
  const got = readHeader(path, fd, header);
  if (got === 0) throw notWal(path, "is empty");
  if (got < HEADER_SIZE || !header.subarray(0, MAGIC.length).equals(MAGIC)) {
    throw new WalrustError("DATABASE_NOT_SQLITE", `${path}: is not an SQLite database`, {
      hint: "Encrypted databases (SQLCipher and others) look like this too and cannot be backed up by walrust.",
    });
  }
  const stored = header.readUInt16BE(16);
  const pageSizeBytes = stored === 1 ? 65536 : stored;
  if (pageSizeBytes < 512 || (pageSizeBytes & (pageSizeBytes - 1)) !== 0) {
    throw new WalrustError(
      "DATABASE_NOT_SQLITE",
      `${path}: has a header with a page size of ${pageSizeBytes}`,
    );
  }
  const [writeVersion, readVersion] = header.subarray(18, 20);
  if (writeVersion === ROLLBACK_VERSION && readVersion === ROLLBACK_VERSION)
    throw notWal(path, "is not in WAL mode");
  if (writeVersion !== WAL_VERSION || readVersion !== WAL_VERSION) {
    throw new WalrustError(
      "DATABASE_NOT_SQLITE",
      `${path}: has file format ${writeVersion}/${readVersion}, which SQLite 3 does not know`,
    );
  }
  return pageSizeBytes;
}

function readHeader(path: string, fd: number, into: Uint8Array): number {
  try {
    return readFully(fd, into, 0);
  } catch (error) {
    throw fileError(path, error);
  }
}

/** Whether we may write to the database and beside it; else it can only be observed. On a read-only mount nobody may, root included. */
export function mayWrite({ database }: DatabasePaths): boolean {
  try {
    for (const path of [database, dirname(database)]) accessSync(path, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

export function notWal(path: string, what: string): WalrustError {
  return new WalrustError("DATABASE_NOT_WAL", `${path}: ${what}`, {
    hint: `walrust never converts a database. Do it once yourself: sqlite3 '${path}' 'PRAGMA journal_mode=WAL'`,
  });
}
