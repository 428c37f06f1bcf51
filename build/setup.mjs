// Makes a fresh clone ready, with Node alone: packages, their native parts, dist/. With nothing to do it ends within
// half a second and prints nothing. `node build/setup.mjs`
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import path from "node:path";
import { dist, root } from "./paths.mjs";

const LEAST_NODE = [20, 18, 1];

function fail(message) {
  console.error(`setup: ${message}`);
  process.exit(1);
}

function say(message) {
  console.error(`setup: ${message}`);
}

function checkNode() {
  const version = process.versions.node.split(".").map(Number);
  const at = LEAST_NODE.findIndex((part, index) => part !== version[index]);
  if (at >= 0 && version[at] < LEAST_NODE[at]) {
    fail(`walrust needs Node ${LEAST_NODE.join(".")} or newer, this is ${process.version}`);
  }
}

/** Whether node_modules holds what package-lock.json asks for. npm keeps its own record of what it installed. */
function packagesMissing() {
  const record = path.join(root, "node_modules/.package-lock.json");
  if (!existsSync(record)) return true;
  const wanted = readPackages(path.join(root, "package-lock.json"));
  const installed = readPackages(record);
  return Object.entries(wanted).some(([folder, { version, optional, devOptional }]) => {
    if (folder === "") return false;
    const found = installed[folder];
    return found ? found.version !== version : !(optional || devOptional); // of another platform
  });
}

function readPackages(file) {
  return JSON.parse(readFileSync(file, "utf8")).packages;
}

/**
 * Where a native package cannot be fetched ready-made it is compiled, and node-gyp would fetch Node's headers. If they are
 * here already, it is told so: under the running node's own prefix, or where Linux distributions put them.
 */
function npmEnvironment() {
  const prefixes = [path.dirname(path.dirname(process.execPath)), "/usr"];
  const nodedir = prefixes.find((prefix) => headersVersion(prefix) === process.versions.node);
  if (nodedir === undefined) return process.env;
  // npm hands the first to node-gyp; prebuild-install and older npm read the second
  return { ...process.env, npm_package_config_node_gyp_nodedir: nodedir, npm_config_nodedir: nodedir };
}

function headersVersion(prefix) {
  const file = path.join(prefix, "include/node/node_version.h");
  if (!existsSync(file)) return undefined;
  const text = readFileSync(file, "utf8");
  const part = (name) => new RegExp(`#define NODE_${name}_VERSION (\\d+)`).exec(text)?.[1];
  return `${part("MAJOR")}.${part("MINOR")}.${part("PATCH")}`;
}

function npm(args) {
  const result = spawnSync("npm", [...args, "--loglevel=error"], {
    cwd: root,
    env: npmEnvironment(),
    encoding: "utf8",
    stdio: ["ignore", "pipe", "pipe"],
  });
  if (result.error) fail(`npm cannot be run: ${result.error.message}`);
  if (result.status !== 0)
    fail(`npm ${args.join(" ")} failed:\n${result.stdout}${withoutUsage(result.stderr)}`);
}

/** Many of npm's errors end with the manual page of its command. */
function withoutUsage(text) {
  return text.split(/^npm error.*Usage:$/m)[0];
}

/** In a process of its own: a native module that failed to load once stays so. */
function sqliteProblem() {
  try {
    execFileSync(process.execPath, ["-e", 'new (require("better-sqlite3"))(":memory:")'], {
      cwd: root,
      encoding: "utf8",
      stdio: ["ignore", "ignore", "pipe"],
    });
    return undefined;
  } catch (error) {
    return error.stderr || error.message;
  }
}

function readySqlite() {
  if (sqliteProblem() === undefined) return;
  say("compiling better-sqlite3 for this Node (about a minute)");
  npm(["rebuild", "better-sqlite3", "--build-from-source"]);
  const problem = sqliteProblem();
  if (problem)
    fail(
      `better-sqlite3 does not load, and compiling it did not help. It needs python3, make and a C++ compiler.\n${problem}`,
    );
}

/** The newest modification of any file or folder below; folders count because a file may have been deleted. */
function newest(file) {
  const stats = statSync(file);
  if (!stats.isDirectory()) return stats.mtimeMs;
  const inside = readdirSync(file)
    .filter((name) => name !== "generated") // made by the build itself
    .map((name) => newest(path.join(file, name)));
  return Math.max(stats.mtimeMs, ...inside);
}

function distIsStale() {
  const made = path.join(dist, "THIRD-PARTY-LICENSES.txt"); // written last
  if (!existsSync(made)) return true;
  const sources = ["src", "assembly", "build", "package.json", "package-lock.json", "tsconfig.json"];
  const madeMs = statSync(made).mtimeMs;
  return sources.some((source) => newest(path.join(root, source)) > madeMs);
}

checkNode();
if (packagesMissing()) {
  say("installing packages");
  npm(["ci"]);
}
readySqlite();
if (distIsStale()) {
  say("building dist");
  const { build } = await import("./build.mjs");
  await build().catch((error) => fail(error.message));
}
