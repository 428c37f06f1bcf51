import { WalrustError } from "../errors.ts";
import { withDatabase } from "./driver.ts";

export type IntegrityLevel = "quick" | "full";

/** Findings in a message; SQLite stops there too. */
const MAX_FINDINGS = 5;

/**
 * SQLite's own check of a database that nobody else has open (a restored file, a copy). Leaves no -wal or -shm behind.
 *
 * @throws INTEGRITY_DATABASE, DATABASE_NOT_SQLITE, DATABASE_UNREADABLE
 */
export function checkIntegrity(path: string, level: IntegrityLevel): void {
  const pragma = level === "quick" ? "quick_check" : "integrity_check";
  const findings = withDatabase(path, (db) => db.all(`PRAGMA ${pragma}(${MAX_FINDINGS})`));
  if (findings.length === 1 && findings[0] === "ok") return;
  throw new WalrustError("INTEGRITY_DATABASE", `${path}: ${pragma} found: ${findings.join("; ")}`, {
    hint: "The database was damaged before it was backed up, or the copy was: compare with an earlier restore point.",
  });
}
