import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { SqliteDatabase } from "../sqlite/driver.ts";
import { INSERT, SCHEMA, seeded, textOfRow } from "./rows.ts";

/*
 * The application of a measurement, and the judge of what was restored: a process of its own (dist/bench-writer.js). One JSON document a line on
 * stdout; a mistake ends it with 1.
 *
 *   fill DB MEGABYTES                  a closed database of about so much text
 *   lone DB COMMITS LEAST MOST SEED    single commits with random pauses of LEAST to MOST seconds, each with its time; ends after a line on stdin
 *   flood DB SECONDS                   one commit a row, as fast as SQLite takes them; ends after a line on stdin
 *   check DB ROWS                      integrity_check, and every row against the record
 */
type Command = (path: string, ...numbers: number[]) => Promise<void> | void;

const PAGE_SIZE = 4096;

const COMMANDS: Readonly<Record<string, Command>> = { fill, lone, flood, check };

function tell(facts: Readonly<Record<string, unknown>>): void {
  process.stdout.write(`${JSON.stringify(facts)}\n`);
}

function connect(path: string) {
  const db = new SqliteDatabase(path, { timeout: 10_000 });
  db.pragma("synchronous = NORMAL");
  return db;
}

function lastRow(db: ReturnType<typeof connect>): number {
  return Number(db.prepare("SELECT coalesce(max(n), 0) FROM rows").pluck().get());
}

function fill(path: string, megabytes = 0): void {
  const db = new SqliteDatabase(path);
  db.pragma(`page_size = ${PAGE_SIZE}`);
  db.pragma("journal_mode = WAL");
  db.exec(SCHEMA);
  const insert = db.prepare(INSERT);
  const pages = db.prepare("PRAGMA page_count").pluck();
  const atOnce = Math.max(10, Math.floor(megabytes * 40));
  let rows = 0;
  while (Number(pages.get()) * PAGE_SIZE < megabytes * 1e6) {
    db.transaction(() => {
      for (const end = rows + atOnce; rows < end; ) insert.run(++rows, textOfRow(rows));
    })();
  }
  const bytes = Number(pages.get()) * PAGE_SIZE;
  db.close();
  tell({ rows, bytes });
}

async function lone(path: string, commits = 0, least = 0, most = 0, seed = 1): Promise<void> {
  const random = seeded(seed);
  const db = connect(path);
  const insert = db.prepare(INSERT);
  let rows = lastRow(db);
  for (let commit = 0; commit < commits; commit += 1) {
    await sleep((least + random() * (most - least)) * 1000);
    insert.run(++rows, textOfRow(rows));
    tell({ rows, committedNs: String(process.hrtime.bigint()) });
  }
  await aLine();
  db.close();
}

async function flood(path: string, seconds = 0): Promise<void> {
  const db = connect(path);
  const insert = db.prepare(INSERT);
  const first = lastRow(db);
  let rows = first;
  let worstStallMs = 0;
  textOfRow(1); // made before the clock runs
  const start = performance.now();
  let before = start;
  while (before < start + seconds * 1000) {
    insert.run(++rows, textOfRow(rows));
    const now = performance.now();
    worstStallMs = Math.max(worstStallMs, now - before);
    before = now;
  }
  tell({ rows, commits: rows - first, seconds: (before - start) / 1000, worstStallMs });
  await aLine();
  db.close();
}

function check(path: string, rows = 0): void {
  const db = new SqliteDatabase(path, { readonly: true });
  const problem = problemIn(db, rows);
  db.close();
  tell({ problem: problem ?? null });
  if (problem !== undefined) process.exitCode = 1;
}

function problemIn(db: ReturnType<typeof connect>, rows: number): string | undefined {
  const verdict = db.pragma("integrity_check", { simple: true });
  if (verdict !== "ok") return `integrity_check: ${verdict}`;
  let found = 0;
  for (const row of db.prepare("SELECT n, text FROM rows ORDER BY n").iterate()) {
    const { n, text } = row as { n: number; text: string };
    found += 1;
    if (n !== found || text !== textOfRow(n))
      return `row ${found} is not what was committed (found n = ${n})`;
  }
  return found === rows ? undefined : `${found} rows, ${rows} were committed`;
}

async function aLine(): Promise<void> {
  await once(process.stdin, "data");
  process.stdin.destroy(); // or it keeps the process
}

const [name = "", path = "", ...numbers] = process.argv.slice(2);
const command = COMMANDS[name];
if (command === undefined) throw new Error(`no command ${name}`);
await command(path, ...numbers.map(Number));
