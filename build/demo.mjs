// `npm run demo`: a database is written to, watched, killed, destroyed and restored, with real processes and a real crash.
// Everything happens in a temporary folder, which is left behind only if something is wrong.
import { spawn, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { pathToFileURL } from "node:url";
import Database from "better-sqlite3";
import { dist, root } from "./paths.mjs";

const WRITE_FOR_MS = 6000;
const program = path.join(dist, "cli.js");
const folder = mkdtempSync(path.join(tmpdir(), "walrust-demo-"));
const live = path.join(folder, "live");
const database = path.join(live, "shop.db");
const copies = path.join(folder, "copies");
const record = path.join(folder, "record.txt");
const restored = path.join(folder, "restored.db");
const storage = pathToFileURL(copies).href;

const bold = (text) => (process.stdout.isTTY && !process.env.NO_COLOR ? `\u001b[1m${text}\u001b[0m` : text);
const step = (text) => console.log(`\n${bold(text)}`);
const children = new Set();
process.on("exit", () => {
  for (const child of children) child.kill("SIGKILL");
});

function start(args) {
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "pipe"] });
  children.add(child);
  child.output = "";
  const keep = (text) => {
    child.output += text;
  };
  child.stdout.on("data", keep);
  child.stderr.on("data", keep);
  child.ended = new Promise((resolve) => {
    child.on("exit", resolve);
  });
  return child;
}

async function until(what, child, condition) {
  for (const deadline = Date.now() + 20_000; Date.now() < deadline; await sleep(50)) {
    if (condition()) return;
    if (child.exitCode !== null) fail(`${what}: the process ended:\n${child.output}`);
  }
  fail(`${what}: not within 20 s:\n${child.output}`);
}

function fail(message) {
  console.error(`\nThe demo failed: ${message}\nIts files are in ${folder}`);
  process.exit(1);
}

/** What the application wrote down after each commit that SQLite had acknowledged. */
function recordedOrders() {
  if (!existsSync(record)) return [];
  const lines = readFileSync(record, "utf8").split("\n").slice(0, -1);
  return lines.map((line) => line.split(" ").map(Number));
}

function copyIsThere() {
  const folderOfCopy = path.join(copies, "shop");
  return existsSync(folderOfCopy) && readdirSync(folderOfCopy).some((name) => name.endsWith(".ltx"));
}

/** The restored orders must be the first ones of the record, and the sums of the customers those of the orders. */
function compare(recorded) {
  const db = new Database(restored, { readonly: true });
  const orders = db.prepare("SELECT id, cents, placed_at_ms FROM orders ORDER BY id").raw().all();
  const sums = db
    .prepare("SELECT (SELECT sum(spent_cents) FROM customers) = (SELECT sum(cents) FROM orders)")
    .pluck();
  const check = db.pragma("integrity_check", { simple: true });
  if (check !== "ok") fail(`integrity_check says ${check}`);
  if (sums.get() !== 1) fail("the customers' sums are not those of their orders: a torn transaction");
  db.close();
  // The last commit may have been acknowledged without its line being written: the kill came in between.
  const different = orders.findIndex(
    (order, at) => at < recorded.length && String(order) !== String(recorded[at]),
  );
  if (different >= 0) fail(`order ${different + 1} is not what the application wrote down`);
  if (orders.length > recorded.length + 1) fail("there are orders that nobody placed");
  return orders.length;
}

function tell(recorded, count, restoreMs) {
  console.log(`   orders that the application wrote down:  ${recorded.length}`);
  console.log(
    `   of these in the restored database:       ${Math.min(count, recorded.length)}, each compared`,
  );
  const lost = recorded.slice(count);
  if (lost.length > 0) {
    const span = recorded.at(-1)[2] - lost[0][2];
    console.log(`   not yet copied when the power went:      ${lost.length}, of the last ${span} ms`);
  }
  console.log(`   SQLite's integrity_check: ok; restored in ${restoreMs} ms`);
}

mkdirSync(live);
mkdirSync(copies);

step("1. An application writes orders into a live SQLite database");
const writer = start([path.join(root, "build/demo-writer.mjs"), database, record]);
await until("the application writes", writer, () => recordedOrders().length > 10);
console.log(`   ${database}`);

step("2. walrust watch keeps a copy of it, here in a folder, that could as well be a bucket");
console.log(`   $ walrust watch ${database} -b ${storage}`);
const daemon = start([program, "watch", database, "-b", storage]);
await until("the first copy", daemon, copyIsThere);
await sleep(WRITE_FOR_MS);
if (daemon.exitCode !== null) fail(`walrust ended:\n${daemon.output}`);

step("3. Disaster: both are killed with SIGKILL in the middle of their work, and the database is deleted");
writer.kill("SIGKILL");
daemon.kill("SIGKILL");
await Promise.all([writer.ended, daemon.ended]);
rmSync(live, { recursive: true });
console.log(`   $ kill -9 ${writer.pid} ${daemon.pid}; rm -r ${live}`);

step("4. The copy is restored, and compared with the application's own record");
console.log(`   $ walrust restore shop -b ${storage} -o ${restored}`);
const startedMs = Date.now();
const restore = spawnSync(process.execPath, [program, "restore", "shop", "-b", storage, "-o", restored], {
  encoding: "utf8",
});
if (restore.status !== 0) fail(`walrust restore ended with ${restore.status}:\n${restore.stderr}`);
const restoreMs = Date.now() - startedMs;
console.log(`   ${restore.stdout.trim()}`);
const recorded = recordedOrders();
tell(recorded, compare(recorded), restoreMs);

rmSync(folder, { recursive: true });
console.log(`\n${bold("Done: what the application had committed is back.")}`);
