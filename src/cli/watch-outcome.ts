import type { TaskResult } from "../daemon/active-task.ts";
import { WalrustError } from "../errors.ts";

/**
 * Ends the watch with an error if a database was left behind: with its own trouble if it was the only one.
 * Errors: UNPUBLISHED, or what the database ended in.
 */
export function refuseIncomplete(results: readonly TaskResult[]): void {
  const incomplete = results.filter(({ isComplete }) => !isComplete);
  const [first] = incomplete;
  if (first === undefined) return;
  if (results.length === 1 && first.error) throw first.error;
  const reasons = incomplete.map(({ name, error }) => (error ? `${name} (${error.message})` : name));
  throw new WalrustError(
    "UNPUBLISHED",
    `storage does not have everything of ${incomplete.length} of ${results.length} databases: ${reasons.join(", ")}`,
    { hint: "Nothing is lost: the next start goes on where this one ended." },
  );
}
