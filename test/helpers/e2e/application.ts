import { readFileSync } from "node:fs";
import Database from "better-sqlite3";
import { expect, onTestFinished } from "vitest";

/**
 * The application of scripted tests: a connection of the test's own process, which for walrust is just another program. Nothing in that
 * process may open the live file otherwise: closing any descriptor of it would drop the application's locks (capture.md, "POSIX locks").
 */
export type Application = Database.Database;

export interface ApplicationOptions {
  readonly pageSize?: number;
  readonly autoVacuum?: "NONE" | "FULL" | "INCREMENTAL";
}

/** Opens or makes a database in WAL mode; closed when the test is over. */
export function openApplication(path: string, options: ApplicationOptions = {}): Application {
  const app = new Database(path, { timeout: 5000 });
  onTestFinished(() => {
    app.close();
  });
  app.pragma(`page_size = ${options.pageSize ?? 4096}`);
  app.pragma(`auto_vacuum = ${options.autoVacuum ?? "NONE"}`);
  app.pragma("journal_mode = WAL");
  app.exec("CREATE TABLE IF NOT EXISTS notes (id INTEGER PRIMARY KEY, body BLOB NOT NULL)");
  return app;
}

/** One transaction of `rows` rows with `bytes` random bytes each: random, so that nothing compresses away. */
export function addNotes(app: Application, rows = 1, bytes = 100): void {
  const insert = app.prepare("INSERT INTO notes (body) VALUES (randomblob(?))");
  app.transaction(() => {
    for (let row = 0; row < rows; row++) insert.run(bytes);
  })();
}

/** The whole database, byte for byte, as the application sees it at this moment. */
export function contentOf(app: Application): Buffer {
  return app.serialize();
}

/** The restored file is sound and is, bit for bit, one of the databases given. Returns its index. */
export function expectRestored(file: string, ...candidates: readonly Buffer[]): number {
  const bytes = readFileSync(file);
  const index = candidates.findIndex((candidate) => candidate.equals(bytes));
  expect(integrityOf(file), file).toBe("ok");
  expect(
    index,
    `${file}: equals none of the ${candidates.length} databases that it may be`,
  ).toBeGreaterThanOrEqual(0);
  return index;
}

function integrityOf(file: string): unknown {
  const database = new Database(file, { readonly: true });
  try {
    return database.pragma("integrity_check", { simple: true });
  } finally {
    database.close();
  }
}
