import { WalrustError } from "../errors.ts";

/** The typed error for a system call that failed on a file of a database. */
export function fileError(path: string, cause: unknown): WalrustError {
  const code = (cause as NodeJS.ErrnoException | undefined)?.code ?? "unknown error";
  switch (code) {
    case "ENOENT":
    case "ENOTDIR":
      return databaseNotFound(path, cause);
    case "EACCES":
    case "EPERM":
      return new WalrustError("DATABASE_UNREADABLE", `${path}: permission denied`, {
        cause,
        hint: "Run walrust as a user who may read and write the database, its -wal, its -shm and their folder.",
      });
    case "EROFS":
      return new WalrustError("DATABASE_UNREADABLE", `${path}: on a read-only file system`, {
        cause,
        hint: "walrust takes part in the locks of a database, so it must be able to write beside it.",
      });
    default:
      return new WalrustError("DATABASE_UNREADABLE", `${path}: cannot be read (${code})`, { cause });
  }
}

export function databaseNotFound(path: string, cause?: unknown): WalrustError {
  return new WalrustError("DATABASE_NOT_FOUND", `${path}: there is no such database`, {
    ...(cause !== undefined && { cause }),
    hint: "Check the path; a database that appears later is picked up by `walrust watch`.",
  });
}
