import { type ErrorCode, WalrustError } from "../errors.ts";

/** errno -> what it means for a storage. What is not listed may pass by itself: STORAGE_UNAVAILABLE. */
const CODES: Readonly<Record<string, ErrorCode>> = {
  ENOSPC: "STORAGE_FULL",
  EDQUOT: "STORAGE_FULL",
  EFBIG: "STORAGE_FULL",
  EACCES: "STORAGE_AUTH",
  EPERM: "STORAGE_AUTH",
  EROFS: "STORAGE_AUTH",
  ENOTDIR: "STORAGE_REJECTED", // a part of the key's path is an object: nothing can be below it
  EISDIR: "STORAGE_REJECTED", // a folder stands where the object should be
  ELOOP: "STORAGE_REJECTED", // O_NOFOLLOW met a symbolic link
  ENAMETOOLONG: "STORAGE_REJECTED",
  EINVAL: "STORAGE_REJECTED",
};

/** For who looks for an object, these say that there is none. */
const NOTHING_THERE = new Set(["ENOENT", "ENOTDIR", "EISDIR"]);

const HINTS: Partial<Record<ErrorCode, string>> = {
  STORAGE_FULL: "Make room in the storage folder; walrust goes on by itself.",
  STORAGE_AUTH: "Let the user that runs walrust read and write the storage folder.",
  STORAGE_REJECTED: "Storage folders hold plain files only, in plain folders.",
};

export function errnoOf(error: unknown): string | undefined {
  return error instanceof Error ? (error as NodeJS.ErrnoException).code : undefined;
}

export function meansNothingThere(error: unknown): boolean {
  return NOTHING_THERE.has(errnoOf(error) ?? "");
}

/** The typed error of a failed file operation. @param action what was tried, e.g. "write db/00000001-00000001.ltx" */
export function fileError(error: unknown, action: string): WalrustError {
  if (error instanceof WalrustError) return error;
  const errno = errnoOf(error);
  if (errno === undefined) throw error; // not the file system's: our own mistake
  const code = CODES[errno] ?? "STORAGE_UNAVAILABLE";
  const hint = HINTS[code];
  return new WalrustError(code, `cannot ${action}: ${errno}`, {
    cause: error,
    details: { errno },
    ...(hint === undefined ? {} : { hint }),
  });
}
