import { existsSync } from "node:fs";
import { link, open, rm } from "node:fs/promises";
import { join } from "node:path";
import { ownMark } from "../process-identity.ts";
import { SqliteDatabase } from "../sqlite/driver.ts";
import type { ShadowFolder } from "./shadow-folder.ts";

export const OWNER_TABLE =
  "CREATE TABLE IF NOT EXISTS owner (host TEXT, pid INTEGER, started TEXT, controlSocket TEXT)";

let emptyLock: Buffer | undefined;

/**
 * Makes the file of a lock, where there is none, with nobody's name in it. SQLite would wait for the disk several times, and everybody else for
 * SQLite; this waits once, off the thread. The file gets its name when all of it is durable, and never takes the place of one that is there. Where
 * that fails it is left to the lock itself, which says what is wrong.
 */
export async function makeLockFile({ lock, scratch }: Pick<ShadowFolder, "lock" | "scratch">): Promise<void> {
  if (existsSync(lock)) return;
  const aside = join(scratch, `lock-${ownMark()}`);
  const file = await open(aside, "wx", 0o600).catch(() => undefined);
  if (file === undefined) return;
  try {
    try {
      emptyLock ??= bytesOfEmptyLock();
      await file.writeFile(emptyLock);
      await file.sync();
    } finally {
      await file.close();
    }
    await link(aside, lock);
  } catch {
    // no room, no links on this file system, or somebody else was faster
  } finally {
    await rm(aside, { force: true }).catch(() => {}); // scratch is emptied at the next start
  }
}

function bytesOfEmptyLock(): Buffer {
  const file = new SqliteDatabase(":memory:");
  try {
    file.exec(`PRAGMA page_size = 512; ${OWNER_TABLE}`);
    return file.serialize();
  } finally {
    file.close();
  }
}
