import { copyFileSync, existsSync, renameSync, rmSync, writeFileSync } from "node:fs";
import Database from "better-sqlite3";
import { dice } from "../../src/bench/dice.ts";
import { abandon } from "./simulated-driver.ts";

/** What an application may do with its database in one move. Numbers come with the move, so that it is the same in a replay. */
export type ApplicationMove =
  | { readonly kind: "commit"; readonly rows: number; readonly bytes: number }
  | { readonly kind: "delete"; readonly rows: number }
  /** A transaction larger than SQLite's cache: its frames are in the log before it ends. */
  | { readonly kind: "begin-large"; readonly rows: number }
  | { readonly kind: "end-large"; readonly how: "COMMIT" | "ROLLBACK" }
  | { readonly kind: "vacuum" }
  | { readonly kind: "checkpoint"; readonly mode: "PASSIVE" | "FULL" | "RESTART" | "TRUNCATE" }
  /** Everything into the database file, and the log begins anew with the next commit. */
  | { readonly kind: "restart-log"; readonly mode: "RESTART" | "TRUNCATE"; readonly rows: number }
  | { readonly kind: "autocheckpoint"; readonly pages: number }
  | { readonly kind: "page-size"; readonly bytes: number }
  | { readonly kind: "reader-begins" }
  | { readonly kind: "reader-ends" }
  /** The last connection. */
  | { readonly kind: "close" }
  | { readonly kind: "crash" }
  /** Another database is put in its place by a rename: a new one, or itself as it was before. */
  | { readonly kind: "replace"; readonly by: "new" | "old" };

export interface ApplicationOptions {
  readonly path: string;
  readonly pageSizeBytes: number;
  readonly autoVacuum: 0 | 1 | 2;
  readonly autocheckpoint: number;
  /** Told whenever what a reader would see has changed: all pages. */
  readonly onState: (image: Buffer) => void;
  /** Told how a commit ended. */
  readonly onWrite: (outcome: "written" | "refused") => void;
}

const SMALL_CACHE_PAGES = 4;
const PREPARED =
  "CREATE TABLE IF NOT EXISTS mark (n INTEGER); CREATE TABLE IF NOT EXISTS rows (id INTEGER PRIMARY KEY, body BLOB)";

/** The owner of the database: a real one, with connections of its own, that knows nothing of walrust. */
export class Application {
  readonly #options: ApplicationOptions;
  readonly #copy: string;
  #connection: Database.Database | undefined;
  #readers: Database.Database[] = [];
  #autocheckpoint: number;
  #count = 0;

  constructor(options: ApplicationOptions) {
    this.#options = options;
    this.#copy = `${options.path}.old`;
    this.#autocheckpoint = options.autocheckpoint;
    this.#create(options.path);
    this.reopen();
    this.#write((db) => this.#insert(db, 3, 300));
  }

  get isOpen(): boolean {
    return this.#connection !== undefined;
  }

  /** What SQLite shows to whoever opens the database now. */
  image(): Buffer {
    const reader = new Database(this.#options.path, { timeout: 0 });
    try {
      return reader.serialize();
    } finally {
      abandon(reader);
    }
  }

  /** False: it could not be done now. */
  move(move: ApplicationMove): boolean {
    if (move.kind === "close" || move.kind === "crash" || move.kind === "replace") return this.#leave(move);
    const db = this.#open();
    switch (move.kind) {
      case "commit":
        return this.#write(() => this.#insert(db, move.rows, move.bytes));
      case "delete":
        return this.#write(() => this.#delete(db, move.rows));
      case "begin-large":
        return this.#beginLarge(db, move.rows);
      case "end-large":
        return this.#endLarge(db, move.how);
      case "vacuum":
        return !db.inTransaction && this.#write(() => db.exec(this.#vacuum));
      case "checkpoint":
        return !db.inTransaction && isDone(() => db.pragma(`wal_checkpoint(${move.mode})`));
      case "restart-log":
        return (
          !db.inTransaction &&
          isDone(() => db.pragma(`wal_checkpoint(${move.mode})`)) &&
          this.#write(() => this.#insert(db, move.rows, 300))
        );
      case "autocheckpoint":
        this.#autocheckpoint = move.pages;
        db.pragma(`wal_autocheckpoint=${move.pages}`);
        return true;
      case "page-size":
        return !db.inTransaction && this.#setPageSize(db, move.bytes);
      case "reader-begins":
        return this.#beginReader();
      case "reader-ends":
        return this.#endReader();
      default:
        return move satisfies never;
    }
  }

  /** Its process and everything that it has open is gone. */
  crash(): void {
    for (const reader of this.#readers.splice(0)) abandon(reader);
    if (this.#connection) abandon(this.#connection);
    this.#connection = undefined;
  }

  /** A first look after everybody was away: what is there now may be older than what was there last. */
  reopen(): void {
    this.#open();
    this.#tell();
  }

  #leave(move: Extract<ApplicationMove, { kind: "close" | "crash" | "replace" }>): boolean {
    if (move.kind === "crash") this.crash();
    else this.#close();
    if (move.kind === "replace") this.#replace(move.by);
    return true;
  }

  #close(): void {
    for (const reader of this.#readers.splice(0)) reader.close();
    if (this.#connection?.inTransaction) this.#connection.exec("ROLLBACK");
    this.#connection?.close();
    this.#connection = undefined;
  }

  /** As people do it: the old log must not be there for the new file, so it goes first. */
  #replace(by: "new" | "old"): void {
    const { path } = this.#options;
    const fresh = `${path}.new`;
    rmSync(fresh, { force: true });
    if (by === "old" && existsSync(this.#copy)) copyFileSync(this.#copy, fresh);
    else this.#create(fresh);
    const kept = new Database(path, { timeout: 0 });
    const image = kept.serialize();
    kept.close();
    writeFileSync(this.#copy, image);
    for (const suffix of ["-wal", "-shm"]) rmSync(path + suffix, { force: true });
    renameSync(fresh, path);
    this.#open();
    this.#tell();
  }

  #create(path: string): void {
    const { pageSizeBytes, autoVacuum } = this.#options;
    const db = new Database(path, { timeout: 0 });
    db.pragma(`page_size=${pageSizeBytes}`);
    db.pragma(`auto_vacuum=${autoVacuum}`);
    db.pragma("journal_mode=WAL");
    db.exec(PREPARED);
    db.close();
  }

  #open(): Database.Database {
    if (this.#connection) return this.#connection;
    const db = new Database(this.#options.path, { timeout: 0 });
    this.#connection = db;
    if (db.pragma("journal_mode", { simple: true }) !== "wal") db.pragma("journal_mode=WAL");
    db.pragma(`wal_autocheckpoint=${this.#autocheckpoint}`);
    db.pragma("synchronous=NORMAL");
    return db;
  }

  #write(work: (db: Database.Database) => void): boolean {
    const db = this.#open();
    const written = isDone(() => work(db));
    this.#options.onWrite(written ? "written" : "refused");
    if (written && !db.inTransaction) this.#tell();
    return written;
  }

  #insert(db: Database.Database, rows: number, bytes: number): void {
    this.#count += 1;
    const within = db.inTransaction;
    const throwBody = dice(this.#count);
    if (!within) db.exec("BEGIN IMMEDIATE");
    try {
      db.exec(`DELETE FROM mark; INSERT INTO mark VALUES (${this.#count})`);
      const insert = db.prepare("INSERT INTO rows (body) VALUES (?)");
      for (let row = 0; row < rows; row++) insert.run(bodyOf(bytes, throwBody));
      db.prepare("UPDATE rows SET body = ? WHERE id = (SELECT min(id) FROM rows)").run(
        bodyOf(bytes, throwBody),
      );
      if (!within) db.exec("COMMIT");
    } catch (error) {
      if (!within && db.inTransaction) db.exec("ROLLBACK");
      throw error;
    }
  }

  #delete(db: Database.Database, rows: number): void {
    this.#count += 1;
    const sql = `DELETE FROM mark; INSERT INTO mark VALUES (${this.#count}); DELETE FROM rows WHERE id IN (SELECT id FROM rows LIMIT ${rows})`;
    if (db.inTransaction) return void db.exec(sql);
    db.exec("BEGIN IMMEDIATE");
    db.exec(`${sql}; COMMIT`);
  }

  get #vacuum(): string {
    return this.#options.autoVacuum === 2 ? "PRAGMA incremental_vacuum" : "VACUUM";
  }

  #beginLarge(db: Database.Database, rows: number): boolean {
    if (db.inTransaction) return false;
    db.pragma(`cache_size=${SMALL_CACHE_PAGES}`);
    return this.#write(() => {
      db.exec("BEGIN IMMEDIATE");
      this.#insert(db, rows, 400);
    });
  }

  #endLarge(db: Database.Database, how: "COMMIT" | "ROLLBACK"): boolean {
    if (!db.inTransaction) return false;
    return this.#write(() => db.exec(how));
  }

  /** Needs the database for itself, and leaves WAL mode for it. */
  #setPageSize(db: Database.Database, bytes: number): boolean {
    if (this.#readers.length > 0) return false;
    const done = isDone(() => {
      db.pragma("journal_mode=DELETE");
      db.pragma(`page_size=${bytes}`);
      db.exec("VACUUM");
    });
    // where it is not done now, it is at the next opening
    if (isDone(() => db.pragma("journal_mode=WAL"))) this.#tell();
    else this.#close();
    return done;
  }

  #beginReader(): boolean {
    const reader = new Database(this.#options.path, { timeout: 0 });
    const begun = isDone(() => reader.exec("BEGIN; SELECT * FROM mark"));
    if (begun) this.#readers.push(reader);
    else reader.close();
    return begun;
  }

  #endReader(): boolean {
    const reader = this.#readers.shift();
    reader?.close();
    return reader !== undefined;
  }

  #tell(): void {
    const db = this.#open();
    if (!db.inTransaction) this.#options.onState(db.serialize());
  }
}

function bodyOf(bytes: number, throwByte: () => number): Buffer {
  return Buffer.alloc(bytes, Buffer.of(...Array.from({ length: 7 }, () => Math.floor(throwByte() * 256))));
}

/** False where SQLite was busy: somebody else has what it takes. */
function isDone(work: () => void): boolean {
  try {
    work();
    return true;
  } catch (error) {
    if (error instanceof Database.SqliteError && /^SQLITE_(BUSY|LOCKED|PROTOCOL)/.test(error.code))
      return false;
    throw error;
  }
}
