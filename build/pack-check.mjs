// Proves that the package that `npm pack` makes installs and runs without anything of this checkout: `node build/pack-check.mjs`
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { root } from "./paths.mjs";

const LARGEST_BYTES = 1_500_000;
const folder = mkdtempSync(path.join(tmpdir(), "walrust-pack-"));
const run = (command, args, options = {}) =>
  execFileSync(command, args, {
    cwd: folder,
    encoding: "utf8",
    stdio: ["ignore", "pipe", "inherit"],
    ...options,
  });

function assert(condition, message) {
  if (!condition) throw new Error(message);
}

function pack() {
  const [{ filename, files }] = JSON.parse(
    run("npm", ["pack", "--json", "--pack-destination", folder], { cwd: root }),
  );
  const foreign = files
    .map((file) => file.path)
    .filter((file) => !/^(dist\/|docs\/|README|LICENSE|CHANGELOG|package\.json)/.test(file));
  assert(foreign.length === 0, `the package has files that nobody needs: ${foreign.join(", ")}`);
  const tarball = path.join(folder, filename);
  const { size } = statSync(tarball);
  assert(size <= LARGEST_BYTES, `the package has ${size} bytes, more than ${LARGEST_BYTES}`);
  console.log(`packed ${filename}: ${files.length} files, ${size} bytes`);
  return tarball;
}

/** The install script of better-sqlite3 must be allowed by who installs: npm 11 asks for it. */
function install(tarball) {
  const manifest = {
    name: "consumer",
    private: true,
    type: "module",
    allowScripts: { "better-sqlite3": true },
  };
  writeFileSync(path.join(folder, "package.json"), JSON.stringify(manifest));
  run("npm", ["install", "--omit=dev", "--no-audit", "--no-fund", "--loglevel=error", tarball]);
  const installed = readdirSync(path.join(folder, "node_modules"));
  for (const name of ["esbuild", "vitest", "clipanion", "undici"]) {
    assert(!installed.includes(name), `${name} was installed: it belongs into the bundle, or to development`);
  }
}

/** The command and the library, used as a stranger would. */
function use() {
  const { version } = JSON.parse(readFileSync(path.join(root, "package.json"), "utf8"));
  const said = run("npx", ["walrust", "--version"]).trim();
  assert(said === version, `walrust --version says ${said}, package.json ${version}`);
  mkdirSync(path.join(folder, "copies"));
  const url = pathToFileURL(path.join(folder, "copies")).href;
  runModule("make.mjs", MAKE);
  run("npx", ["walrust", "watch", "app.db", "--once", "-b", url]);
  const count = runModule("restore.mjs", RESTORE, url).trim();
  assert(count === "3", `the restored database has ${count} rows, not 3`);
}

function runModule(name, text, ...args) {
  writeFileSync(path.join(folder, name), text);
  return run(process.execPath, [name, ...args]);
}

const MAKE = `
import Database from "better-sqlite3";
const db = new Database("app.db");
db.pragma("journal_mode = WAL");
db.exec("CREATE TABLE t (a); INSERT INTO t VALUES (1), (2), (3)");
`;

const RESTORE = `
import Database from "better-sqlite3";
import { Walrust } from "walrust";
await new Walrust(process.argv[2]).restore("app", "out.db");
console.log(new Database("out.db").prepare("SELECT count(*) FROM t").pluck().get());
`;

/** The declarations, as a strict program sees them, without walrust's own development packages. */
function typecheck() {
  writeFileSync(path.join(folder, "consumer.ts"), CONSUMER);
  const tsc = path.join(root, "node_modules/typescript/bin/tsc");
  const types = ["--typeRoots", path.join(root, "node_modules/@types"), "--types", "node"];
  run(process.execPath, [
    tsc,
    "--strict",
    "--noEmit",
    "--module",
    "nodenext",
    "--target",
    "es2022",
    ...types,
    "consumer.ts",
  ]);
}

const CONSUMER = `
import { Walrust, WalrustError } from "walrust";
const walrust = new Walrust("s3://copies", { endpoint: "http://127.0.0.1:9000" });
try {
  const { point } = await walrust.restore("app", "out.db", { pointInTime: new Date(), nearest: true });
  const txid: bigint = point.txid;
  console.log(txid);
} catch (error) {
  if (error instanceof WalrustError) process.exitCode = error.exitCode;
}
`;

try {
  install(pack());
  typecheck();
  use();
  console.log("it installs and runs");
} finally {
  rmSync(folder, { recursive: true, force: true });
}
