import type { TaskResult } from "../daemon/active-task.ts";
import { WalrustError } from "../errors.ts";

/** One line is to be read; the details name all of them. */
const MOST_TOLD = 10;

/**
 * Ends the watch with an error if a database was left behind: with its own trouble if it was the only one.
 * Errors: UNPUBLISHED, or what the database ended in.
 */
export function refuseIncomplete(results: readonly TaskResult[]): void {
  const incomplete = results.filter(({ isComplete }) => !isComplete);
  const [first] = incomplete;
  if (first === undefined) return;
  if (results.length === 1 && first.error) throw first.error;
  const told = incomplete.slice(0, MOST_TOLD);
  const reasons = told.map(({ name, error }) => (error ? `${name} (${error.message})` : name));
  if (incomplete.length > told.length) reasons.push(`and ${incomplete.length - told.length} more`);
  throw new WalrustError(
    "UNPUBLISHED",
    `storage does not have everything of ${incomplete.length} of ${results.length} databases: ${reasons.join(", ")}`,
    {
      hint: "Nothing is lost: the next start goes on where this one ended.",
      details: { databases: incomplete.map(({ name }) => name).join(", ") },
    },
  );
}
