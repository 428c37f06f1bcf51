import Database from "better-sqlite3";
import { WalrustError } from "../errors.ts";
import { identityAt } from "./descriptors.ts";
import { databaseNotFound } from "./file-error.ts";

/** The first version without the WAL-reset bug: before it, pages could be lost when two processes checkpoint (pitfall 12). */
export const FIRST_SAFE_VERSION = "3.51.3";

/** What a checkpoint said. `busy` with frames -1: another connection is checkpointing at this moment. */
export interface CheckpointResult {
  readonly busy: boolean;
  /** Frames in the log, -1 if not known. */
  readonly logFrames: number;
  /** Frames of them that are in the database file, -1 if not known. */
  readonly backfilledFrames: number;
}

/** One SQLite connection to a user's database. It never waits for a lock (SQLITE_BUSY is a value), and never writes a row. */
export interface Connection {
  readonly inTransaction: boolean;
  /** Begins a read transaction and takes its read lock. False: SQLite was busy, no transaction is open. */
  beginRead(): boolean;
  /** Takes the write lock without writing a frame. False: somebody else holds it, no transaction is open. */
  beginImmediate(): boolean;
  /** Ends the transaction, whichever it is; without one nothing happens. */
  end(): void;
  /** Outside of a transaction only. */
  checkpoint(mode: CheckpointMode): CheckpointResult;
  close(): void;
}

export type CheckpointMode = "PASSIVE" | "TRUNCATE";

export interface ConnectOptions {
  readonly readOnly?: boolean;
}

export type Connect = (path: string, options?: ConnectOptions) => Connection;

/**
 * Opens a connection with little memory: about 70 KB, most of it the lookaside that better-sqlite3 cannot configure.
 *
 * Setting the cache's size reads the schema and, with the default size, lets SQLite allocate 20 pages in one piece. A
 * size of 0 gives that piece back; 1 then stays in force when a later statement reads the schema again (0 would count
 * as "not set"). Preparing a checkpoint needs the schema, running it does not: it is prepared here, so that nothing reads
 * a schema within a barrier. `writable_schema=RESET` does nothing but forget the schema.
 *
 * @throws SQLITE_UNSUPPORTED, DATABASE_NOT_FOUND, DATABASE_LOCKED, DATABASE_NOT_SQLITE, DATABASE_UNREADABLE
 */
export const connect: Connect = (path, options = {}) =>
  guard(path, () => {
    const opened = new Database(path, {
      fileMustExist: true,
      readonly: options.readOnly ?? false,
      timeout: 0,
    });
    try {
      assertSafeVersion(sqliteVersion(opened));
      opened.exec(
        "PRAGMA wal_autocheckpoint=0; PRAGMA mmap_size=0; PRAGMA cache_size=0; PRAGMA cache_size=1",
      );
      const passive = opened.prepare<[], CheckpointRow>("PRAGMA wal_checkpoint(PASSIVE)");
      opened.exec("PRAGMA writable_schema=RESET");
      return new SqliteConnection(path, opened, passive);
    } catch (error) {
      opened.close();
      throw error;
    }
  });

interface CheckpointRow {
  readonly busy: number;
  readonly log: number;
  readonly checkpointed: number;
}

/** What SQLite advises for a file that may come from an attacker (sqlite.org/security.html): from whoever writes to the storage. */
const UNTRUSTED = "PRAGMA trusted_schema=OFF; PRAGMA cell_size_check=ON; PRAGMA mmap_size=0";

/** A database of our own (a restored file), open for as long as `use` runs. */
export interface PrivateDatabase {
  /** The first column of each row. */
  all(sql: string): readonly string[];
}

/** @throws DATABASE_NOT_FOUND, DATABASE_NOT_SQLITE, DATABASE_LOCKED, DATABASE_UNREADABLE, INTEGRITY_DATABASE */
export function withDatabase<T>(path: string, use: (db: PrivateDatabase) => T): T {
  return guard(path, () => {
    const db = new Database(path, { fileMustExist: true, timeout: 0 });
    try {
      assertSafeVersion(sqliteVersion(db));
      db.exec(UNTRUSTED);
      return use({ all: (sql) => db.prepare(sql).pluck().all().map(String) });
    } finally {
      db.close();
    }
  });
}

let version: string | undefined;

/** The same for every connection of this process. */
function sqliteVersion(db: Database.Database): string {
  version ??= String(db.prepare("SELECT sqlite_version()").pluck().get());
  return version;
}

class SqliteConnection implements Connection {
  readonly #path: string;
  readonly #db: Database.Database;
  readonly #passive: Database.Statement<[], CheckpointRow>;

  constructor(path: string, db: Database.Database, passive: Database.Statement<[], CheckpointRow>) {
    this.#path = path;
    this.#db = db;
    this.#passive = passive;
  }

  get inTransaction(): boolean {
    return this.#db.inTransaction;
  }

  beginRead(): boolean {
    // BEGIN alone takes no lock. user_version reads page 1 and nothing of the schema.
    return this.#begin("BEGIN; PRAGMA user_version");
  }

  beginImmediate(): boolean {
    return this.#begin("BEGIN IMMEDIATE");
  }

  end(): void {
    if (!this.#db.inTransaction) return;
    guard(this.#path, () => this.#db.exec("ROLLBACK"));
  }

  checkpoint(mode: CheckpointMode): CheckpointResult {
    return guard(this.#path, () => {
      const statement =
        mode === "PASSIVE"
          ? this.#passive
          : this.#db.prepare<[], CheckpointRow>(`PRAGMA wal_checkpoint(${mode})`);
      const row = statement.get();
      if (row === undefined) throw new Error("wal_checkpoint gives one row");
      return { busy: row.busy !== 0, logFrames: row.log, backfilledFrames: row.checkpointed };
    });
  }

  close(): void {
    this.#db.close();
  }

  #begin(sql: string): boolean {
    try {
      this.#db.exec(sql);
      return true;
    } catch (error) {
      // BEGIN may have succeeded before the statement behind it failed.
      if (this.#db.inTransaction) this.#db.exec("ROLLBACK");
      if (isBusy(error)) return false;
      throw sqliteError(this.#path, error);
    }
  }
}

/** BUSY in all its variants, and PROTOCOL: the read lock could not be had in SQLite's own hundred tries. */
function isBusy(error: unknown): boolean {
  const code = sqliteCode(error);
  return code === "SQLITE_PROTOCOL" || code === "SQLITE_BUSY" || code.startsWith("SQLITE_BUSY_");
}

function sqliteCode(error: unknown): string {
  return error instanceof Database.SqliteError ? error.code : "";
}

function guard<T>(path: string, call: () => T): T {
  try {
    return call();
  } catch (error) {
    throw sqliteError(path, error);
  }
}

/** The typed error for what SQLite threw about the database at `path`; anything else passes unchanged. */
export function sqliteError(path: string, cause: unknown): unknown {
  const code = sqliteCode(cause);
  if (code === "") return cause;
  const said = `${path}: SQLite says ${code} (${(cause as Error).message})`;
  if (isBusy(cause) || code.startsWith("SQLITE_LOCKED")) {
    return new WalrustError("DATABASE_LOCKED", said, {
      cause,
      hint: "Another connection holds the database; PRAGMA locking_mode=EXCLUSIVE in the application rules out a backup.",
    });
  }
  if (code === "SQLITE_NOTADB") return new WalrustError("DATABASE_NOT_SQLITE", said, { cause });
  if (code === "SQLITE_FULL")
    return new WalrustError("LOCAL_DISK_FULL", said, { cause, hint: "Make room on the disk." });
  if (code.startsWith("SQLITE_CORRUPT")) {
    return new WalrustError("INTEGRITY_DATABASE", said, {
      cause,
      hint: "Run PRAGMA integrity_check on the database, or restore the last good state with `walrust restore`.",
    });
  }
  // SQLite opens a log late, and looks at the main file's path for that: a database removed meanwhile is an I/O error to it (unixOpen, getFileMode).
  const isOfFile = code.startsWith("SQLITE_IOERR") || code.startsWith("SQLITE_CANTOPEN");
  if (isOfFile && identityAt(path) === undefined) return databaseNotFound(path, cause);
  return new WalrustError("DATABASE_UNREADABLE", said, {
    cause,
    hint: "walrust needs to read and write the database, its -wal, its -shm and their folder.",
  });
}

/** @throws SQLITE_UNSUPPORTED */
export function assertSafeVersion(version: string): void {
  const have = version.split(".").map(Number);
  const need = FIRST_SAFE_VERSION.split(".").map(Number);
  const differing = need.findIndex((part, i) => have[i] !== part);
  if (differing < 0 || (have[differing] ?? 0) > (need[differing] ?? 0)) return;
  throw new WalrustError("SQLITE_UNSUPPORTED", `SQLite ${version} is older than ${FIRST_SAFE_VERSION}`, {
    hint: "Before that version a checkpoint by a second process could lose pages: install walrust with its own better-sqlite3.",
  });
}

/** For files of our own: locks, restored databases. A user's live database is only ever opened by `connect`. */
export const SqliteDatabase: typeof Database = Database;
export type SqliteDatabase = Database.Database;
