import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import Database from "better-sqlite3";
import type { SimulatedProcess } from "./simulated-process.ts";

export type RealConnection = Database.Database;

/** What of SQLite's driver can be noticed by others. */
export interface DriverHooks {
  /** Around every statement. */
  readonly around: <T>(path: string, sql: string, effect: () => T) => T;
}

/** `better-sqlite3` as one process has it: SQLite itself, in which every statement is an operation. */
export function simulatedDriver(process: SimulatedProcess, { around }: DriverHooks) {
  const operate = <T>(name: string, path: string, effect: () => T): T =>
    process.now({ kind: "sqlite", name, target: path }, () => around(path, name, effect));

  class SimulatedStatement {
    readonly #real: Database.Statement;
    readonly #path: string;

    constructor(real: Database.Statement, path: string) {
      this.#real = real;
      this.#path = path;
    }

    pluck(): this {
      this.#real.pluck();
      return this;
    }

    run(...args: unknown[]) {
      return operate(this.#real.source, this.#path, () => this.#real.run(...args));
    }

    get(...args: unknown[]) {
      return operate(this.#real.source, this.#path, () => this.#real.get(...args));
    }

    all(...args: unknown[]) {
      return operate(this.#real.source, this.#path, () => this.#real.all(...args));
    }
  }

  class SimulatedDatabase {
    static readonly SqliteError = Database.SqliteError;
    readonly #real: Database.Database;

    constructor(path: string, options?: Database.Options) {
      this.#real = operate("open", path, () => new Database(path, options));
      process.connections.add(this.#real);
    }

    get inTransaction(): boolean {
      return this.#real.inTransaction;
    }

    exec(sql: string): this {
      operate(sql, this.#real.name, () => this.#real.exec(sql));
      return this;
    }

    pragma(sql: string, options?: Database.PragmaOptions): unknown {
      return operate(`PRAGMA ${sql}`, this.#real.name, () => this.#real.pragma(sql, options));
    }

    prepare(sql: string): SimulatedStatement {
      return new SimulatedStatement(this.#real.prepare(sql), this.#real.name);
    }

    close(): this {
      operate("close", this.#real.name, () => this.#real.close());
      process.connections.delete(this.#real);
      return this;
    }
  }

  return SimulatedDatabase;
}

/**
 * Ends a connection as the kernel does when its process is killed: its locks go, and nothing else happens. SQLite would do more at the last close of
 * a database: then the files are put back as they were.
 */
export function abandon(connection: RealConnection): void {
  const path = connection.name;
  const wal = `${path}-wal`;
  const isThere = existsSync(path) && existsSync(wal);
  if (connection.inTransaction) connection.exec("ROLLBACK");
  const before = isThere ? { database: readFileSync(path), wal: readFileSync(wal) } : undefined;
  connection.close();
  if (before === undefined || existsSync(wal)) return; // it was not the last one
  rmSync(`${path}-shm`, { force: true });
  writeFileSync(path, before.database);
  writeFileSync(wal, before.wal);
}
