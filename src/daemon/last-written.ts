import type { DatabaseSettings } from "../config/settings.ts";
import { sightOf } from "../sqlite/sight.ts";

/** Those that were written to last come first: most likely they have commits that storage lacks. */
export function lastWrittenFirst(databases: readonly DatabaseSettings[]): readonly DatabaseSettings[] {
  const writtenMs = new Map(databases.map((database) => [database, lastWrittenMs(database)]));
  return databases.toSorted((a, b) => (writtenMs.get(b) ?? 0) - (writtenMs.get(a) ?? 0));
}

/** What is wrong with one that cannot be looked at is found when it is opened. */
function lastWrittenMs({ path }: DatabaseSettings): number {
  try {
    return sightOf(path).changedAtMs;
  } catch {
    return 0;
  }
}
