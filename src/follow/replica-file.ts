import { chmodSync, fchmodSync, fstatSync, statSync } from "node:fs";
import { isWalrustError, WalrustError } from "../errors.ts";
import type { FileOwner } from "../restore/output.ts";
import { localError } from "../shadow/local-error.ts";
import {
  type HeldDescriptor,
  holdDescriptor,
  identityAt,
  isSameFile,
  readFully,
} from "../sqlite/descriptors.ts";
import { SqliteDatabase, sqliteError } from "../sqlite/driver.ts";

export type LockKind = "shared" | "exclusive";

/** `shared` reads page 1 and nothing of the schema: BEGIN alone takes no lock. */
const BEGIN: Readonly<Record<LockKind, string>> = {
  shared: "BEGIN; PRAGMA user_version",
  exclusive: "BEGIN EXCLUSIVE",
};
const READ_BITS = 0o444;
const OWNER_MAY_WRITE = 0o600;

/** Permissions of a replica that is new: for whom new files are, and to read only. */
export function newReplicaMode(): number {
  return READ_BITS & ~process.umask();
}

/**
 * The replica's file, open for writing while its mode says that nobody may write. Pages are read and written through a
 * descriptor of our own; SQLite's locks on them are those of a connection that never writes. The descriptor is held until
 * that connection is closed, because closing it would drop its locks (pitfall 14).
 */
export class ReplicaFile {
  readonly path: string;
  readonly #held: HeldDescriptor;
  readonly #connection: SqliteDatabase;

  /** @throws DATABASE_NOT_FOUND, DATABASE_UNREADABLE, LOCAL_IO */
  static open(path: string): ReplicaFile {
    const stat = statSync(path, { throwIfNoEntry: false });
    if (stat && !stat.isFile()) throw new WalrustError("DATABASE_UNREADABLE", `${path}: is no regular file`);
    try {
      if (stat) chmodSync(path, stat.mode | OWNER_MAY_WRITE);
    } catch (error) {
      throw localError(error, "change the mode of", path, "The replica must belong to the user who follows.");
    }
    const held = holdDescriptor(path, "r+");
    let connection: SqliteDatabase | undefined;
    try {
      connection = new SqliteDatabase(path, { fileMustExist: true, timeout: 0 });
      const file = new ReplicaFile(path, held, connection);
      file.keepReadOnly();
      return file;
    } catch (error) {
      connection?.close();
      held.release();
      throw sqliteError(path, error);
    }
  }

  private constructor(path: string, held: HeldDescriptor, connection: SqliteDatabase) {
    this.path = path;
    this.#held = held;
    this.#connection = connection;
  }

  get fd(): number {
    return this.#held.fd;
  }

  /** Permissions. */
  get mode(): number {
    return fstatSync(this.fd).mode & 0o777;
  }

  get owner(): FileOwner {
    const { uid, gid } = fstatSync(this.fd);
    return { uid, gid };
  }

  get sizeBytes(): number {
    return fstatSync(this.fd).size;
  }

  /** Whether the path still names the file that is open here. */
  isSamePath(): boolean {
    return isSameFile(identityAt(this.path), this.#held.identity);
  }

  /** Takes away what somebody gave: the right to write. Errors: LOCAL_IO. */
  keepReadOnly(): void {
    const { mode } = this;
    if ((mode & ~READ_BITS) === 0) return;
    try {
      fchmodSync(this.fd, mode & READ_BITS);
    } catch (error) {
      throw localError(error, "change the mode of", this.path);
    }
  }

  /** Fills `into`, or as much of it as there is; returns how many bytes. */
  read(into: Uint8Array, offset: number): number {
    return readFully(this.fd, into, offset);
  }

  /**
   * Takes SQLite's lock, and rolls back what a crash left half done. `exclusive` holds PENDING while it waits up to
   * `waitMs` for readers: they finish, and no new ones begin, so that they cannot starve it. The thread waits too.
   * False: not to be had in that time, and nothing is held.
   * @throws what is wrong with the file: DATABASE_NOT_SQLITE, INTEGRITY_DATABASE, ...
   */
  tryLock(kind: LockKind, waitMs: number): boolean {
    try {
      this.#connection.pragma(`busy_timeout = ${waitMs}`);
      this.#connection.exec(BEGIN[kind]);
      return true;
    } catch (thrown) {
      this.unlock();
      const error = sqliteError(this.path, thrown);
      if (isWalrustError(error, "DATABASE_LOCKED")) return false;
      throw error;
    }
  }

  /** Without a lock nothing happens. */
  unlock(): void {
    if (this.#connection.inTransaction) this.#connection.exec("ROLLBACK");
  }

  close(): void {
    this.#connection.close();
    this.#held.release();
  }
}
