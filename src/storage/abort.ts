import { WalrustError } from "../errors.ts";

/** Errors: ABORTED, once the signal is. */
export function checkAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw aborted(signal);
}

export function aborted(signal: AbortSignal): WalrustError {
  return new WalrustError("ABORTED", "stopped before it was done", { cause: signal.reason });
}
