// The application of the demo: one transaction after another, each written down in a file of its own once SQLite has
// acknowledged it. `node build/demo-writer.mjs DATABASE RECORD`
import { openSync, writeSync } from "node:fs";
import Database from "better-sqlite3";

const [database, record] = process.argv.slice(2);
const db = new Database(database);
db.pragma("journal_mode = WAL");
db.pragma("synchronous = FULL");
db.exec(`
  CREATE TABLE orders (id INTEGER PRIMARY KEY, customer TEXT NOT NULL, cents INTEGER NOT NULL, placed_at_ms INTEGER NOT NULL);
  CREATE TABLE customers (name TEXT PRIMARY KEY, spent_cents INTEGER NOT NULL) WITHOUT ROWID;
`);
const insertOrder = db.prepare("INSERT INTO orders VALUES (?, ?, ?, ?)");
const addToCustomer = db.prepare(
  "INSERT INTO customers VALUES (?, ?) ON CONFLICT DO UPDATE SET spent_cents = spent_cents + excluded.spent_cents",
);
const place = db.transaction((id, customer, cents, placedAtMs) => {
  insertOrder.run(id, customer, cents, placedAtMs);
  addToCustomer.run(customer, cents);
});

const out = openSync(record, "a");
let id = 0;
setInterval(() => {
  id += 1;
  const cents = ((id * 7919) % 99_991) + 1;
  const placedAtMs = Date.now();
  place(id, `customer ${id % 100}`, cents, placedAtMs);
  writeSync(out, `${id} ${cents} ${placedAtMs}\n`);
}, 4);
