import { closeSync, existsSync, linkSync, openSync } from "node:fs";
import { ownMark, type ProcessIdentity } from "../process-identity.ts";
import { SqliteDatabase } from "../sqlite/driver.ts";
import { fsyncOffThread, removeIfPossible, writeFully } from "./durable-file.ts";
import type { ShadowFolder } from "./shadow-folder.ts";

/** Who holds a database on this machine, and where it can be spoken to. */
export interface LockOwner extends ProcessIdentity {
  /** Path of the daemon's control socket; empty: it listens nowhere. */
  readonly controlSocket: string;
}

export const OWNER_TABLE =
  "CREATE TABLE IF NOT EXISTS owner (host TEXT, pid INTEGER, started TEXT, controlSocket TEXT)";
export const OWNER_ROW = "INSERT INTO owner VALUES (@host, @pid, @started, @controlSocket)";

/** The same for every database of this process, as a rule. */
let made: { readonly controlSocket: string; readonly bytes: Buffer } | undefined;

/**
 * Makes the file of a lock, where there is none, with the owner's name in it: whoever makes it holds it. SQLite would wait for the disk several
 * times, and everybody else for SQLite; this waits once, off the thread. The file gets its name when all of it is durable, and never takes the place
 * of one that is there.
 * @param owner this process
 * @returns false: it was not made, or so it seems (somebody else was faster, no room, no links on this file system); then the lock itself finds out
 */
export async function makeLockFile(
  { lock, scratch }: Pick<ShadowFolder, "lock" | "scratch">,
  owner: LockOwner,
): Promise<boolean> {
  if (existsSync(lock)) return false;
  const aside = `${scratch}lock-${ownMark()}`;
  try {
    const fd = openSync(aside, "wx", 0o600);
    try {
      writeFully(fd, bytesOf(owner), 0);
      await fsyncOffThread(fd);
    } finally {
      closeSync(fd);
    }
    linkSync(aside, lock);
    return true;
  } catch {
    return false;
  } finally {
    removeIfPossible(aside); // else the next start does
  }
}

function bytesOf(owner: LockOwner): Buffer {
  const { controlSocket } = owner;
  if (made?.controlSocket !== controlSocket) made = { controlSocket, bytes: makeBytes(owner) };
  return made.bytes;
}

function makeBytes(owner: LockOwner): Buffer {
  const file = new SqliteDatabase(":memory:");
  try {
    file.exec(`PRAGMA page_size = 512; ${OWNER_TABLE}`);
    file.prepare(OWNER_ROW).run(owner);
    return file.serialize();
  } finally {
    file.close();
  }
}
