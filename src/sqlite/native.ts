import { WalrustError } from "../errors.ts";
import { SqliteDatabase } from "./driver.ts";

/**
 * Proves that the driver's native part loads, before anything is made or read: it is missing where install scripts were not allowed, and of
 * the wrong kind after a change of Node. Errors: SQLITE_UNSUPPORTED.
 */
export function assertDriverLoads(): void {
  try {
    new SqliteDatabase(":memory:").close();
  } catch (cause) {
    throw new WalrustError(
      "SQLITE_UNSUPPORTED",
      `better-sqlite3 is not built for this Node (${process.version})`,
      {
        cause,
        hint: "Where walrust is installed, run `npm rebuild better-sqlite3 --allow-scripts=better-sqlite3` (npm before 11 needs no flag).",
      },
    );
  }
}
