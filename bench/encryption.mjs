#!/usr/bin/env node
// What encryption costs: one snapshot and one restore of a database, with a key and without, in turn: `node bench/encryption.mjs [MB] [ROUNDS]`.
// MB of database a second, best of the rounds, of the whole program with its start. A restore that differs by a byte voids the run.
import { spawnSync } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { createReadStream, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { pipeline } from "node:stream/promises";
import { pathToFileURL } from "node:url";
import Database from "better-sqlite3";

const program = path.join(import.meta.dirname, "..", "dist", "cli.js");
const [megabytes = 500, rounds = 3] = process.argv.slice(2).map(Number);
const folder = mkdtempSync(path.join(tmpdir(), "walrust-bench-"));
const at = (name) => path.join(folder, name);

function makeDatabase() {
  const db = new Database(at("app.db"));
  db.pragma("journal_mode = WAL");
  db.exec("CREATE TABLE note (id INTEGER PRIMARY KEY, body BLOB)");
  const insert = db.prepare("INSERT INTO note (body) VALUES (?)");
  const pages = db.prepare("PRAGMA page_count").pluck();
  // Half of it compresses, as rows do.
  const body = Buffer.alloc(2000, "a row of a table ");
  while (pages.get() * 4096 < megabytes * 1e6) {
    db.transaction(() => {
      for (let row = 0; row < 5000; row += 1)
        insert.run(Buffer.concat([randomBytes(1000), body.subarray(0, 1000)]));
    })();
  }
  db.close();
}

async function sha256(file) {
  const hash = createHash("sha256");
  await pipeline(createReadStream(file), hash);
  return hash.digest("hex");
}

function run(...args) {
  const started = performance.now();
  const { status, stderr } = spawnSync(process.execPath, [program, ...args], {
    cwd: folder,
    encoding: "utf8",
  });
  if (status !== 0) throw new Error(`walrust ${args.join(" ")} ended with ${status}: ${stderr}`);
  return performance.now() - started;
}

async function round(config) {
  const storage = at("storage");
  const [database, out] = [at("app.db"), at("out.db")];
  for (const remains of [storage, out, at(".app.db-walrust")])
    rmSync(remains, { recursive: true, force: true });
  mkdirSync(storage);
  const flags = ["--config", config, "-b", pathToFileURL(storage).href];
  const snapshotMs = run("snapshot", "app.db", ...flags);
  const restoreMs = run("restore", "app", "-o", "out.db", ...flags);
  if ((await sha256(out)) !== (await sha256(database))) throw new Error("the restored database differs");
  return { snapshotMs, restoreMs };
}

try {
  makeDatabase();
  writeFileSync(at("key"), randomBytes(32), { mode: 0o600 });
  writeFileSync(at("without.toml"), "");
  writeFileSync(at("with.toml"), '[encryption]\nkey_file = "key"\n');
  const best = {};
  for (let i = 0; i < rounds; i += 1) {
    for (const config of ["without.toml", "with.toml"]) {
      const took = await round(config);
      for (const [what, ms] of Object.entries(took)) {
        const name = `${what.replace("Ms", "")} ${config.replace(".toml", "")} encryption`;
        best[name] = Math.min(best[name] ?? Number.POSITIVE_INFINITY, ms);
      }
    }
  }
  const size = statSync(at("app.db")).size / 1e6;
  for (const [name, ms] of Object.entries(best))
    console.log(`${name}: ${Math.round((size * 1000) / ms)} MB/s`);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
