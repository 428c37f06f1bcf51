import { realpathSync } from "node:fs";
import { resolve } from "node:path";
import { WalrustError } from "../errors.ts";
import { fileError } from "./file-error.ts";

/** The three files of a WAL database, absolute. */
export interface DatabasePaths {
  readonly database: string;
  readonly wal: string;
  readonly shm: string;
}

/**
 * Where SQLite keeps the files of the database at `path`. Suffixes go behind the whole name (`app` -> `app-wal`,
 * `app.db.bak` -> `app.db.bak-wal`), and behind the name that symlinks lead to: unixFullPathname resolves them
 * before it adds a suffix, so two names of one file share one log.
 *
 * @throws DATABASE_NOT_FOUND, DATABASE_UNREADABLE
 */
export function databasePaths(path: string): DatabasePaths {
  const database = realPath(path);
  // better-sqlite3 trims file names, and would open (or create) another file.
  if (database !== database.trim()) {
    throw new WalrustError("DATABASE_UNREADABLE", `${database}: the name ends with white space`, {
      hint: "Rename the file, or give it a name without white space at its end.",
    });
  }
  return { database, wal: `${database}-wal`, shm: `${database}-shm` };
}

function realPath(path: string): string {
  try {
    return realpathSync(resolve(path));
  } catch (error) {
    throw fileError(path, error);
  }
}
