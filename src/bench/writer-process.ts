import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { SqliteDatabase } from "../sqlite/driver.ts";
import { dice } from "./dice.ts";
import { INSERT, revisedRows, SCHEMA, textOfRow, UPDATE } from "./rows.ts";
import { base64Of, type SpreadRecord } from "./spread.ts";

/*
 * The application of a measurement, and the judge of what was restored: a process of its own (dist/bench-writer.js). One JSON document a line on
 * stdout; a mistake ends it with 1.
 *
 *   fill DB MEGABYTES                  a closed database of about so much text
 *   lone DB COMMITS LEAST MOST SEED    single commits with random pauses of LEAST to MOST seconds, each with its time; ends after a line on stdin
 *   flood DB SECONDS                   one commit a row, as fast as SQLite takes them; ends after a line on stdin
 *   transact DB MEGABYTES              one transaction of so much text, which SQLite does not checkpoint; ends after a line on stdin
 *   revise DB COMMITS PAGES            after each line on stdin a commit that changes so many pages; ends after one more
 *   checkpoint DB COUNT WITHIN         a light writer's own FULL, RESTART and TRUNCATE checkpoints, each given WITHIN ms; ends after a line on stdin
 *   spread LIST RATE SECONDS SEED      RATE single commits a second over the databases of a file, a path a line; 0: in turn, else at random. A line when
 *                                      it begins and one when it is done; ends after a line on stdin
 *   check DB ROWS [COMMITS PAGES]      integrity_check, and every row against the record, revised so often
 */
type Command = (path: string, ...numbers: number[]) => Promise<void> | void;

const PAGE_SIZE = 4096;

/** Of `checkpoint`: 100 commits a second. */
const LIGHT_PAUSE_MS = 10;
const CHECKPOINT_EVERY_MS = 250;
const MODES = ["FULL", "RESTART", "TRUNCATE"] as const;
const BUSY_TIMEOUT_MS = 10_000;

const COMMANDS: Readonly<Record<string, Command>> = {
  fill,
  lone,
  flood,
  transact,
  revise,
  checkpoint,
  spread,
  check,
};

function tell(facts: Readonly<Record<string, unknown>>): void {
  process.stdout.write(`${JSON.stringify(facts)}\n`);
}

function connect(path: string) {
  const db = new SqliteDatabase(path, { timeout: BUSY_TIMEOUT_MS });
  db.pragma("synchronous = NORMAL");
  return db;
}

function lastRow(db: ReturnType<typeof connect>): number {
  return Number(db.prepare("SELECT coalesce(max(n), 0) FROM rows").pluck().get());
}

function sizeOf(db: ReturnType<typeof connect>): number {
  return Number(db.pragma("page_count", { simple: true })) * PAGE_SIZE;
}

function fill(path: string, megabytes = 0): void {
  const db = new SqliteDatabase(path);
  db.pragma(`page_size = ${PAGE_SIZE}`);
  db.pragma("journal_mode = WAL");
  db.exec(SCHEMA);
  const insert = db.prepare(INSERT);
  const atOnce = Math.max(10, Math.floor(megabytes * 40));
  let rows = 0;
  while (sizeOf(db) < megabytes * 1e6) {
    db.transaction(() => {
      for (const end = rows + atOnce; rows < end; ) insert.run(++rows, textOfRow(rows));
    })();
  }
  const bytes = sizeOf(db);
  db.close();
  tell({ rows, bytes });
}

async function lone(path: string, commits = 0, least = 0, most = 0, seed = 1): Promise<void> {
  const random = dice(seed);
  const db = connect(path);
  const insert = db.prepare(INSERT);
  let rows = lastRow(db);
  let isTold = false;
  const told = aLine().then(() => {
    isTold = true;
  });
  for (let commit = 0; commit < commits && !isTold; commit += 1) {
    await sleep((least + random() * (most - least)) * 1000);
    insert.run(++rows, textOfRow(rows));
    tell({ rows, committedNs: nowNs() });
  }
  await told;
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

async function transact(path: string, megabytes = 0): Promise<void> {
  const db = connect(path);
  db.pragma("wal_autocheckpoint = 0");
  const insert = db.prepare(INSERT);
  let rows = lastRow(db);
  db.transaction(() => {
    for (const endBytes = sizeOf(db) + megabytes * 1e6; sizeOf(db) < endBytes; ) {
      for (const end = rows + 100; rows < end; ) insert.run(++rows, textOfRow(rows));
    }
  })();
  tell({ rows, bytes: sizeOf(db), committedNs: nowNs() });
  await aLine();
  db.close();
}

async function revise(path: string, commits = 0, pages = 0): Promise<void> {
  const db = connect(path);
  const update = db.prepare(UPDATE);
  const rows = lastRow(db);
  let revision = 0;
  for await (const _ of createInterface({ input: process.stdin })) {
    if (revision === commits) break;
    revision += 1;
    db.transaction(() => {
      for (const n of revisedRows(revision, { rows, pages })) update.run(textOfRow(n, revision), n);
    })();
    tell({ rows, revision, committedNs: nowNs() });
  }
  db.close();
  process.stdin.destroy(); // or it keeps the process
}

async function checkpoint(path: string, count = 0, withinMs = 0): Promise<void> {
  const db = connect(path);
  const insert = db.prepare(INSERT);
  let rows = lastRow(db);
  for (let checkpoints = 0; checkpoints < count; checkpoints += 1) {
    for (const endMs = performance.now() + CHECKPOINT_EVERY_MS; performance.now() < endMs; ) {
      insert.run(++rows, textOfRow(rows));
      await sleep(LIGHT_PAUSE_MS);
    }
    const mode = MODES[checkpoints % MODES.length];
    db.pragma(`busy_timeout = ${withinMs}`);
    const start = performance.now();
    const busy = db.pragma(`wal_checkpoint(${mode})`, { simple: true });
    const ms = performance.now() - start;
    db.pragma(`busy_timeout = ${BUSY_TIMEOUT_MS}`);
    tell({ rows, mode, isDone: busy === 0, ms });
  }
  await aLine();
  db.close();
}

async function spread(list: string, rate = 0, seconds = 0, seed = 0): Promise<void> {
  const databases = readFileSync(list, "utf8").trimEnd().split("\n").map(connect);
  const inserts = databases.map((db) => db.prepare(INSERT));
  const rowsBefore = databases.map(lastRow);
  const rows = [...rowsBefore];
  const most = Math.ceil(rate * seconds);
  const picks = new Uint16Array(most);
  const committedUs = new Uint32Array(most);
  const random = dice(seed);
  textOfRow(1); // made before the clock runs
  tell({ isBegun: true });
  const startedNs = process.hrtime.bigint();
  let elapsedMs = 0;
  let commits = 0;
  while (commits < most && elapsedMs < seconds * 1000) {
    if (commits <= (elapsedMs / 1000) * rate) {
      const pick = seed === 0 ? commits % databases.length : Math.floor(random() * databases.length);
      const row = (rows[pick] ?? 0) + 1;
      inserts[pick]?.run(row, textOfRow(row));
      rows[pick] = row;
      picks[commits] = pick;
      committedUs[commits] = Number(process.hrtime.bigint() - startedNs) / 1000;
      commits += 1;
    } else await sleep(1);
    elapsedMs = Number(process.hrtime.bigint() - startedNs) / 1e6;
  }
  const record: SpreadRecord = {
    startedNs: String(startedNs),
    seconds: elapsedMs / 1000,
    rowsBefore,
    picks: base64Of(picks.subarray(0, commits)),
    committedUs: base64Of(committedUs.subarray(0, commits)),
  };
  tell({ ...record });
  await aLine();
  for (const db of databases) db.close();
}

function check(path: string, rows = 0, commits = 0, pages = 0): void {
  const db = new SqliteDatabase(path, { readonly: true });
  const problem = problemIn(db, rows, lastRevisions(rows, commits, pages));
  db.close();
  tell({ problem: problem ?? null });
  if (problem !== undefined) process.exitCode = 1;
}

/** Which revision was the last to change a row, of those that were changed. */
function lastRevisions(rows: number, commits: number, pages: number): ReadonlyMap<number, number> {
  const last = new Map<number, number>();
  for (let revision = 1; revision <= commits; revision += 1) {
    for (const n of revisedRows(revision, { rows, pages })) last.set(n, revision);
  }
  return last;
}

function problemIn(
  db: ReturnType<typeof connect>,
  rows: number,
  revisions: ReadonlyMap<number, number>,
): string | undefined {
  const verdict = db.pragma("integrity_check", { simple: true });
  if (verdict !== "ok") return `integrity_check: ${verdict}`;
  let found = 0;
  for (const row of db.prepare("SELECT n, text FROM rows ORDER BY n").iterate()) {
    const { n, text } = row as { n: number; text: string };
    found += 1;
    if (n !== found || text !== textOfRow(n, revisions.get(n)))
      return `row ${found} is not what was committed (found n = ${n})`;
  }
  return found === rows ? undefined : `${found} rows, ${rows} were committed`;
}

/** CLOCK_MONOTONIC, the same in all processes of a machine. */
function nowNs(): string {
  return String(process.hrtime.bigint());
}

async function aLine(): Promise<void> {
  await once(process.stdin, "data");
  process.stdin.destroy(); // or it keeps the process
}

const [name = "", path = "", ...numbers] = process.argv.slice(2);
const command = COMMANDS[name];
if (command === undefined) throw new Error(`no command ${name}`);
await command(path, ...numbers.map(Number));
