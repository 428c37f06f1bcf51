import { WalrustError } from "../errors.ts";

/** SQLite has its own word, for the lock. */
const FULL = new Set(["ENOSPC", "EDQUOT", "EFBIG", "SQLITE_FULL"]);

/** The WalrustError for a failed operation on one of our own local files. */
export function localError(error: unknown, operation: string, path: string, hint?: string): WalrustError {
  if (error instanceof WalrustError) return error;
  const reason = error instanceof Error ? error.message : String(error);
  const code = (error as NodeJS.ErrnoException | null)?.code;
  if (code !== undefined && FULL.has(code)) {
    return new WalrustError("LOCAL_DISK_FULL", `no space to ${operation} ${path}`, {
      cause: error,
      hint: "Free space on that file system; walrust goes on by itself.",
    });
  }
  return new WalrustError("LOCAL_IO", `could not ${operation} ${path}: ${reason}`, {
    cause: error,
    ...(hint === undefined ? {} : { hint }),
  });
}

/** Runs one operation on a local file of ours. Errors: LOCAL_IO, LOCAL_DISK_FULL; a WalrustError passes. */
export function onLocalFile<T>(operation: string, path: string, call: () => T): T {
  try {
    return call();
  } catch (error) {
    throw localError(error, operation, path);
  }
}
