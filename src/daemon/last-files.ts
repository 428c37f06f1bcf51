import type { Clock } from "../clock.ts";
import { toWalrustError } from "../errors.ts";
import type { Replica } from "../replication/replica.ts";

/** A storage that answers needs less. */
const LIMIT_MS = 5000;

/**
 * Names in the manifest what was published of a database that is given up, since nobody else would do it until the database returns. What storage
 * does not take now is found by the next opening. Errors: STORAGE_FENCED.
 */
export async function nameLastFiles(
  replica: Pick<Replica, "manifest" | "writeManifest">,
  { clock, abort }: { readonly clock: Clock; readonly abort: AbortSignal },
): Promise<void> {
  if (!replica.manifest.isDirty) return;
  const late = new AbortController();
  const cancel = clock.schedule(LIMIT_MS, () => late.abort(new Error("the manifest took too long")));
  try {
    await replica.writeManifest({ signal: AbortSignal.any([abort, late.signal]) });
  } catch (error) {
    const failure = toWalrustError(error);
    if (failure.code === "STORAGE_FENCED") throw failure;
  } finally {
    cancel();
  }
}
