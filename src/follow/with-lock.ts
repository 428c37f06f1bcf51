import type { Clock } from "../clock.ts";
import { WalrustError } from "../errors.ts";
import type { LockKind, ReplicaFile } from "./replica-file.ts";

export interface LockOptions {
  readonly clock: Clock;
  readonly signal?: AbortSignal;
}

/** Readers finish within the first waits, as a rule. Between two tries new ones may begin, as long as the try took. */
const FIRST_WAIT_MS = 20;
const LONGEST_WAIT_MS = 500;
const GIVE_UP_MS = 60_000;

/**
 * Does work under SQLite's lock on the replica. Whoever reads in short transactions waits for it no longer than the work
 * takes; a reader that stays is waited for. Errors: DATABASE_LOCKED after a minute; those of tryLock and of the work.
 */
export async function withLock<T>(
  file: Pick<ReplicaFile, "path" | "tryLock" | "unlock">,
  kind: LockKind,
  { clock, signal }: LockOptions,
  work: () => Promise<T>,
): Promise<T> {
  const deadlineMs = clock.monotonicMs() + GIVE_UP_MS;
  for (
    let waitMs = FIRST_WAIT_MS;
    !file.tryLock(kind, waitMs);
    waitMs = Math.min(2 * waitMs, LONGEST_WAIT_MS)
  ) {
    if (clock.monotonicMs() > deadlineMs) throw locked(file.path);
    await clock.sleep(waitMs, signal ? { signal } : {});
  }
  try {
    return await work();
  } finally {
    file.unlock();
  }
}

function locked(path: string): WalrustError {
  return new WalrustError("DATABASE_LOCKED", `${path}: somebody has been reading for a minute`, {
    hint: "A read transaction on a replica holds it back: end it, and the replica goes on by itself.",
  });
}
