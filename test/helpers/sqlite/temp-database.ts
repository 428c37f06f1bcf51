import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Database from "better-sqlite3";
import { onTestFinished } from "vitest";

/** A folder of its own, removed when the test is over. */
export function tempFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "walrust-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

export interface TempDatabaseOptions {
  readonly name?: string;
  readonly pageSize?: number;
  /** Rows of 100 bytes in t(id, body), checkpointed into the main file. */
  readonly rows?: number;
}

/** As an application does it: a database in WAL mode keeps the size of its pages. */
export function changePageSize(app: Database.Database, pageSizeBytes: number): void {
  app.pragma("journal_mode=DELETE");
  app.pragma(`page_size=${pageSizeBytes}`);
  app.exec("VACUUM");
  app.pragma("journal_mode=WAL");
}

/** The application's connection to a new database in WAL mode, with autocheckpoints off. Closed when the test is over. */
export function tempDatabase(options: TempDatabaseOptions = {}): Database.Database {
  const app = openApp(join(tempFolder(), options.name ?? "app.db"));
  app.pragma(`page_size=${options.pageSize ?? 4096}`);
  app.pragma("journal_mode=WAL");
  app.exec("CREATE TABLE t(id INTEGER PRIMARY KEY, body TEXT)");
  insert(app, options.rows ?? 10);
  app.pragma("wal_checkpoint(TRUNCATE)");
  return app;
}

/** One more connection of the application, in this process. */
export function openApp(path: string): Database.Database {
  const app = new Database(path, { timeout: 0 });
  app.pragma("wal_autocheckpoint=0");
  onTestFinished(() => {
    app.close();
  });
  return app;
}

/** One commit. */
export function insert(app: Database.Database, rows = 1): void {
  const statement = app.prepare("INSERT INTO t(body) VALUES(?)");
  app.transaction(() => {
    for (let row = 0; row < rows; row++) statement.run("x".repeat(100));
  })();
}

export type CheckpointMode = "PASSIVE" | "FULL" | "RESTART" | "TRUNCATE";

/** The application's checkpoint: its row as [busy, log, checkpointed]. */
export function checkpoint(app: Database.Database, mode: CheckpointMode): readonly number[] {
  return app.prepare<[], number[]>(`PRAGMA wal_checkpoint(${mode})`).raw().get() ?? [];
}
