import { statSync } from "node:fs";
import { fileError } from "./file-error.ts";

/**
 * How a closed database looks from outside: what the file system says of its file and its log.
 *
 * That two sights are equal proves nothing by itself, since clocks are coarse: two writes within a few milliseconds may leave one time. It does once
 * both files have been at rest for a second or more: whatever is written then gets another time. It is what a parked database is watched by, and
 * it is looked at beside the file notifications, not instead of them.
 */
export interface Sight {
  readonly database: string;
  readonly wal: string;
  /** When the later of the two was written to last, as the file system has it; Unix ms. */
  readonly changedAtMs: number;
}

/** Also of an empty file, which every opening leaves behind: there is nothing in it. */
const NOTHING = { text: "", atMs: 0 };

/** @param path of the database, symbolic links resolved. Errors: DATABASE_UNREADABLE. */
export function sightOf(path: string): Sight {
  const [database, wal] = [fileSight(path), fileSight(`${path}-wal`)];
  return { database: database.text, wal: wal.text, changedAtMs: Math.max(database.atMs, wal.atMs) };
}

/** Whether somebody may have written in between. A log that is gone was all in the database: had it not been, the database would look different. */
export function isUnchangedByClosing(before: Sight, after: Sight): boolean {
  return after.database === before.database && (after.wal === before.wal || after.wal === NOTHING.text);
}

export function isSameSight(a: Sight, b: Sight): boolean {
  return a.database === b.database && a.wal === b.wal;
}

function fileSight(path: string): typeof NOTHING {
  try {
    const stat = statSync(path, { bigint: true, throwIfNoEntry: false });
    if (stat === undefined || stat.size === 0n) return NOTHING;
    const { dev, ino, size, mtimeNs, ctimeNs, mtimeMs } = stat;
    return { text: `${dev}:${ino}:${size}:${mtimeNs}:${ctimeNs}`, atMs: Number(mtimeMs) };
  } catch (error) {
    throw fileError(path, error);
  }
}
