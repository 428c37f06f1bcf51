/**
 * The one error type of walrust. A code is given where the error arises and is never guessed from text;
 * the exit code and whether trying again can help follow from the code alone.
 */

type Kind = { readonly exitCode: 1 | 2 | 3 | 4 | 5 | 6; readonly retryable: boolean };

const kind = (exitCode: Kind["exitCode"], retryable = false): Kind => ({ exitCode, retryable });

/** Every code, its exit code (surface.md, "Exit codes") and whether a later try can succeed by itself. */
export const ERROR_KINDS = {
  // 2: what the user asked for cannot be meant
  USAGE: kind(2),
  CONFIG_INVALID: kind(2),
  CONFIG_NOT_FOUND: kind(2),
  DATABASE_IN_USE: kind(2), // another walrust on this machine holds the lock
  OUTPUT_EXISTS: kind(2),
  // 3: the database
  DATABASE_NOT_FOUND: kind(3, true),
  DATABASE_NOT_SQLITE: kind(3),
  DATABASE_NOT_WAL: kind(3, true),
  DATABASE_LOCKED: kind(3, true),
  DATABASE_UNREADABLE: kind(3, true), // permission, a directory, an I/O error
  DATABASE_REPLACED: kind(3, true), // another file stands under the path now
  SQLITE_UNSUPPORTED: kind(3), // SQLite older than the first safe version
  // 4: storage
  STORAGE_NOT_FOUND: kind(4), // the object does not exist: the only "nothing there"
  STORAGE_BUCKET_NOT_FOUND: kind(4),
  STORAGE_AUTH: kind(4),
  STORAGE_CONFLICT: kind(4), // a condition (if-absent, if-match) did not hold
  STORAGE_THROTTLED: kind(4, true),
  STORAGE_NETWORK: kind(4, true),
  STORAGE_TIMEOUT: kind(4, true),
  STORAGE_UNAVAILABLE: kind(4, true), // 5xx, or the circuit breaker is open
  STORAGE_FULL: kind(4, true),
  STORAGE_REJECTED: kind(4), // any other refusal
  STORAGE_FENCED: kind(4),
  // 5: integrity
  INTEGRITY_FORMAT: kind(5), // bytes that are not what their name says
  INTEGRITY_VERSION: kind(5), // written by a newer walrust: sound, and not ours to read or replace
  INTEGRITY_CHECKSUM: kind(5),
  INTEGRITY_CHAIN: kind(5), // files that do not follow one another
  INTEGRITY_MISSING: kind(5), // an object that the manifest names is gone
  INTEGRITY_DATABASE: kind(5), // SQLite's own check found something
  // 6: restore
  RESTORE_NOTHING: kind(6), // no snapshot of that name
  RESTORE_UNREACHABLE: kind(6), // the point asked for is not covered
  // 1: the rest
  LOCAL_DISK_FULL: kind(1, true),
  LOCAL_IO: kind(1, true),
  ABORTED: kind(1),
  NOT_RUNNING: kind(1, true), // there is no daemon to ask
  UNPUBLISHED: kind(1), // ended with commits that storage does not have
  INTERNAL: kind(1),
} as const satisfies Record<string, Kind>;

export type ErrorCode = keyof typeof ERROR_KINDS;

/** Whether what another process told is a code. */
export function isErrorCode(code: unknown): code is ErrorCode {
  return typeof code === "string" && Object.hasOwn(ERROR_KINDS, code);
}

export interface WalrustErrorOptions {
  /** What to do about it, in one sentence for the person who reads it. */
  readonly hint?: string;
  readonly cause?: unknown;
  /** Facts for machines (`--json`, webhooks): plain values, no secrets. */
  readonly details?: Readonly<Record<string, string | number | boolean | null>>;
}

export class WalrustError extends Error {
  override readonly name = "WalrustError";
  readonly code: ErrorCode;
  readonly hint: string | undefined;
  readonly details: Readonly<Record<string, string | number | boolean | null>>;

  /** @param message what happened, to which object or file */
  constructor(code: ErrorCode, message: string, options: WalrustErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.hint = options.hint;
    this.details = options.details ?? {};
  }

  get exitCode(): number {
    return ERROR_KINDS[this.code].exitCode;
  }

  get retryable(): boolean {
    return ERROR_KINDS[this.code].retryable;
  }
}

export function isWalrustError(error: unknown, ...codes: readonly ErrorCode[]): error is WalrustError {
  return error instanceof WalrustError && (codes.length === 0 || codes.includes(error.code));
}

/** The WalrustError that stands for anything thrown; our own mistakes become INTERNAL and keep their cause. */
export function toWalrustError(error: unknown): WalrustError {
  if (error instanceof WalrustError) return error;
  if (error instanceof Error && error.name === "AbortError") {
    return new WalrustError("ABORTED", "stopped before it was done", { cause: error });
  }
  const message = error instanceof Error ? error.message : String(error);
  return new WalrustError("INTERNAL", `unexpected: ${message}`, {
    cause: error,
    hint: "This is a bug in walrust: please report it.",
  });
}
