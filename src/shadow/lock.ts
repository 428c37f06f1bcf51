import { closeSync, constants, openSync } from "node:fs";
import { WalrustError } from "../errors.ts";
import { mayBeAlive, ownIdentity, type ProcessIdentity } from "../process-identity.ts";
import { SqliteDatabase } from "../sqlite/driver.ts";
import { localError } from "./local-error.ts";
import { type LockOwner, makeLockFile, OWNER_ROW, OWNER_TABLE } from "./lock-file.ts";
import type { ShadowFolder } from "./shadow-folder.ts";

/** Lock files that this process holds, or is making. */
const held = new Set<string>();

/**
 * Keeps a second walrust on this machine away from one database. The owner's identity is a row of a tiny SQLite file, read and replaced
 * in one transaction: two that start at once cannot both take over what a crash left behind, and nothing stays open meanwhile.
 */
export class DatabaseLock {
  readonly #path: string;
  readonly #owner: LockOwner;
  #isHeld = true;

  private constructor(path: string, owner: LockOwner) {
    this.#path = path;
    this.#owner = owner;
  }

  /** Errors: DATABASE_IN_USE naming the other's pid, LOCAL_IO, LOCAL_DISK_FULL. */
  static acquire(path: string, databasePath: string, controlSocket = ""): DatabaseLock {
    const owner: LockOwner = { ...ownIdentity(), controlSocket };
    if (held.has(path)) throw inUse(databasePath, owner);
    withOwnerRow(path, (row) => {
      const holder = row.read();
      // A row that names this process is what a release left that could not be written.
      const isTheirs = holder !== undefined && !isThisProcess(holder, owner);
      if (isTheirs && mayBeAlive(holder)) throw inUse(databasePath, holder);
      row.write(owner);
    });
    held.add(path);
    return new DatabaseLock(path, owner);
  }

  /** The same, and where there is no file of the lock yet, nobody waits for the disk meanwhile. */
  static async acquireIn(
    folder: Pick<ShadowFolder, "lock" | "scratch">,
    databasePath: string,
    controlSocket: string,
  ): Promise<DatabaseLock> {
    const { lock: path } = folder;
    const owner: LockOwner = { ...ownIdentity(), controlSocket };
    if (held.has(path)) throw inUse(databasePath, owner);
    held.add(path); // from before its name is in it
    if (await makeLockFile(folder, owner)) return new DatabaseLock(path, owner);
    held.delete(path);
    return DatabaseLock.acquire(path, databasePath, controlSocket);
  }

  /** Who holds it now, as far as can be told; undefined: nobody. */
  static holder(path: string): LockOwner | undefined {
    let holder: LockOwner | undefined;
    withOwnerRow(path, (row) => {
      holder = row.read();
    });
    return holder !== undefined && mayBeAlive(holder) ? holder : undefined;
  }

  /** This process can take it again also where the file could not be written. Safe to call twice. Errors: LOCAL_IO, LOCAL_DISK_FULL. */
  release(): void {
    if (!this.#isHeld) return;
    this.#isHeld = false;
    held.delete(this.#path);
    withOwnerRow(this.#path, (row) => {
      const holder = row.read();
      if (holder !== undefined && isThisProcess(holder, this.#owner)) row.clear();
    });
  }
}

interface OwnerRow {
  read(): LockOwner | undefined;
  write(owner: LockOwner): void;
  clear(): void;
}

/** How long another starter's transaction may take: a few file operations. */
const BUSY_TIMEOUT_MS = 2000;

function withOwnerRow(path: string, use: (row: OwnerRow) => void): void {
  let file: SqliteDatabase | undefined;
  try {
    makeForOwnerAlone(path);
    file = new SqliteDatabase(path, { timeout: BUSY_TIMEOUT_MS });
    if (isMade(file)) file.exec(ROW_IS_ENOUGH);
    file.exec(`BEGIN IMMEDIATE; ${OWNER_TABLE}`);
    use(ownerRow(file));
    file.exec("COMMIT");
  } catch (error) {
    throw localError(
      error,
      "take the lock",
      path,
      "Make the folder writable, or name another place with --shadow-dir.",
    );
  } finally {
    file?.close();
  }
}

/**
 * Half made by a crash it would keep everybody out for good. Once it is made, its row need not outlive the machine; nor need what it was before be
 * kept in a journal: of its two pages only the one with the row counts.
 */
const ROW_IS_ENOUGH = "PRAGMA synchronous = OFF; PRAGMA journal_mode = MEMORY";

function isMade(file: SqliteDatabase): boolean {
  return file.prepare("SELECT 1 FROM sqlite_schema WHERE name = 'owner'").get() !== undefined;
}

/** SQLite would make it readable for all. No connection is open here, so closing the descriptor drops no lock of this process. */
function makeForOwnerAlone(path: string): void {
  closeSync(openSync(path, constants.O_RDONLY | constants.O_CREAT | constants.O_NOFOLLOW, 0o600));
}

function ownerRow(file: SqliteDatabase): OwnerRow {
  const clear = () => void file.prepare("DELETE FROM owner").run();
  return {
    read() {
      const row = file.prepare<[], LockOwner>("SELECT host, pid, started, controlSocket FROM owner").get();
      return row !== undefined && isOwner(row) ? row : undefined;
    },
    write(owner) {
      clear();
      file.prepare(OWNER_ROW).run(owner);
    },
    clear,
  };
}

/** SQLite keeps whatever somebody puts into a column. */
function isOwner({ host, pid, started, controlSocket }: LockOwner): boolean {
  return (
    Number.isSafeInteger(pid) && [host, started, controlSocket].every((text) => typeof text === "string")
  );
}

/** When it began need not be known: no other process has this pid now. */
function isThisProcess(holder: ProcessIdentity, own: ProcessIdentity): boolean {
  return holder.host === own.host && holder.pid === own.pid;
}

function inUse(databasePath: string, holder: LockOwner): WalrustError {
  return new WalrustError(
    "DATABASE_IN_USE",
    `${databasePath} is already watched by walrust, process ${holder.pid} on ${holder.host}`,
    {
      hint: "Stop that process, or leave this database to it.",
      details: { pid: holder.pid, host: holder.host },
    },
  );
}
