/**
 * Loaded into the program by `node --import`: its process ends itself by SIGKILL at one operation on files, on SQLite or on a socket. The program knows
 * nothing of it; what is patched is the platform under it: `node:fs`, `node:fs/promises`, better-sqlite3's prototypes, and `node:net` for requests.
 *
 * WALRUST_DEATH, JSON: `op`, `path`, `sql` (regular expressions, what is not given always fits), `since` (only what comes after SQL like this was done counts),
 * `nth` (1), `when` (before, half, after), and `note`: a file that tells what it died of. With `trace` instead, a file that gets one line for each operation, and nobody dies.
 */
import fs from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import net from "node:net";
import path from "node:path";
import { Readable } from "node:stream";
import Database from "better-sqlite3";

const death = JSON.parse(process.env["WALRUST_DEATH"] ?? "{}");
const { openSync, writeSync } = fs; // as they were
const traceFd = death.trace === undefined ? undefined : openSync(death.trace, "a");
const fits = Object.fromEntries(
  ["op", "path", "sql"].map((field) => [field, new RegExp(death[field] ?? "")]),
);
let seen = 0;
let isAsleep = death.since !== undefined;
const since = new RegExp(death.since ?? "");
/** Within a synchronous operation, which node:fs may make of several others: they are one. */
let isInside = false;

/** Whether this operation is the one. */
function isDue(operation) {
  if (isInside) return false;
  if (traceFd !== undefined) {
    writeSync(traceFd, `${JSON.stringify(operation)}\n`);
    return false;
  }
  if (isAsleep) return false;
  if (!fits.op.test(operation.op) || !fits.path.test(operation.path) || !fits.sql.test(operation.sql ?? ""))
    return false;
  seen += 1;
  return seen === (death.nth ?? 1);
}

function die(operation) {
  writeSync(openSync(death.note, "w"), JSON.stringify(operation));
  process.kill(process.pid, "SIGKILL");
}

const pathOfFd = new Map();
const absolute = (name) => (typeof name === "number" ? pathOfFd.get(name) : path.resolve(String(name))) ?? "";
const first = (args) => absolute(args[0]);
const second = (args) => absolute(args[1]);

const halfOf = (data) => data.slice(0, data.length >> 1);
/** Arguments (buffer, offset, length, position) from `at` on. */
const halfWrite = (at) => (args) => {
  const [bytes, offset = 0, length = bytes.length - offset, ...rest] = args.slice(at);
  return [...args.slice(0, at), bytes, offset, Math.max(1, length >> 1), ...rest];
};
const halfParts = ([fd, parts, ...rest]) => [
  fd,
  parts.length > 1 ? parts.slice(0, parts.length >> 1) : parts.map(halfOf),
  ...rest,
];
const halfFile = (args) => [args[0], halfOf(args[1]), ...args.slice(2)];

/** Flags of `open` that make a file or change one. */
function openOp([, flags = "r"]) {
  const { O_CREAT, O_TRUNC } = fs.constants;
  const makes = typeof flags === "number" ? flags & (O_CREAT | O_TRUNC) : /[wa]/.test(flags);
  return makes ? "create" : "open";
}

/** Name of a function of node:fs -> what it does to which path, and how it is done by half. */
const FUNCTIONS = {
  open: { op: openOp, path: first },
  write: { op: "write", path: first, half: halfWrite(1) },
  writev: { op: "write", path: first, half: halfParts },
  writeFile: { op: "write", path: first, half: halfFile },
  fsync: { op: "sync", path: first },
  fdatasync: { op: "sync", path: first },
  ftruncate: { op: "truncate", path: first },
  truncate: { op: "truncate", path: first },
  rename: { op: "rename", path: second },
  link: { op: "link", path: second },
  symlink: { op: "link", path: second },
  copyFile: { op: "write", path: second },
  unlink: { op: "remove", path: first },
  rm: { op: "remove", path: first },
  rmdir: { op: "remove", path: first },
  mkdir: { op: "mkdir", path: first },
  mkdtemp: { op: "mkdir", path: first },
  chmod: { op: "chmod", path: first },
  fchmod: { op: "chmod", path: first },
  utimes: { op: "touch", path: first },
  futimes: { op: "touch", path: first },
};

/** Of a FileHandle, whose descriptor tells the path. */
const METHODS = {
  write: { op: "write", half: halfWrite(0) },
  writeFile: { op: "write", half: ([data, ...rest]) => [halfOf(data), ...rest] },
  sync: { op: "sync" },
  datasync: { op: "sync" },
  truncate: { op: "truncate" },
  utimes: { op: "touch" },
  chmod: { op: "chmod" },
};

const describe = ({ op, path: pathOf }, args) => ({
  op: typeof op === "function" ? op(args) : op,
  path: pathOf(args),
});

/** The arguments with which it is done before death, or undefined: it is not done at all. */
function lastArguments({ half }, args) {
  if (death.when === "after") return args;
  return death.when === "half" && half !== undefined ? half(args) : undefined;
}

function patchSync(owner, name, kind, describeCall = describe) {
  const original = owner[name];
  owner[name] = function (...args) {
    const operation = describeCall(kind, args, this);
    if (operation !== undefined && isDue(operation)) {
      const last = lastArguments(kind, args);
      try {
        if (last !== undefined) original.apply(this, last);
      } finally {
        die(operation);
      }
    }
    const isOuter = !isInside;
    isInside = true;
    try {
      const result = original.apply(this, args);
      if (name === "openSync") pathOfFd.set(result, first(args));
      if (isAsleep && operation?.sql !== undefined) isAsleep = !since.test(operation.sql);
      return result;
    } finally {
      if (isOuter) isInside = false;
    }
  };
}

function patchPromise(owner, name, kind, describeCall = describe) {
  const original = owner[name];
  owner[name] = async function (...args) {
    const operation = describeCall(kind, args, this);
    if (operation !== undefined && isDue(operation)) {
      const last = lastArguments(kind, args);
      if (last === undefined) die(operation);
      await original.apply(this, last).finally(() => die(operation));
    }
    const result = await original.apply(this, args);
    if (name === "open") pathOfFd.set(result.fd, first(args));
    return result;
  };
}

function patchCallback(owner, name, kind) {
  const original = owner[name];
  owner[name] = (...args) => {
    const operation = describe(kind, args);
    if (!isDue(operation)) return original(...args);
    if (death.when !== "after") die(operation);
    return original(...args.slice(0, -1), () => die(operation));
  };
}

for (const [name, kind] of Object.entries(FUNCTIONS)) {
  patchSync(fs, `${name}Sync`, kind);
  if (name in fs.promises) patchPromise(fs.promises, name, kind);
}
patchCallback(fs, "fsync", FUNCTIONS.fsync);

const handle = await fs.promises.open(process.execPath);
const FileHandle = Object.getPrototypeOf(handle);
await handle.close();
const ofHandle = (kind, _, { fd }) => ({ op: kind.op, path: pathOfFd.get(fd) ?? "" });
for (const [name, kind] of Object.entries(METHODS)) patchPromise(FileHandle, name, kind, ofHandle);
syncBuiltinESMExports();

const ofDatabase = (_, [sql], database) => ({ op: "sql", path: database.name, sql });
const ofClose = (_, __, database) => ({ op: "sql-close", path: database.name });
const ofStatement = (_, __, statement) => ({
  op: "sql",
  path: statement.database.name,
  sql: statement.source,
});
const memory = new Database(":memory:");
const Statement = Object.getPrototypeOf(memory.prepare("SELECT 1"));
memory.close();
patchSync(Database.prototype, "exec", {}, ofDatabase);
patchSync(Database.prototype, "close", {}, ofClose);
for (const name of ["run", "get", "all"]) patchSync(Statement, name, {}, ofStatement);

/** Requests of HTTP/1.1: `before` the head is sent, `half` of the body, `after` the server has answered, and before the answer is read. */
const { write } = net.Socket.prototype;
const doomed = new WeakMap();
net.Socket.prototype.write = function (chunk, ...rest) {
  const [, request] = typeof chunk === "string" ? (/^([A-Z]+ \S+) HTTP\/1\.1\r\n/.exec(chunk) ?? []) : [];
  if (request !== undefined) {
    const operation = { op: "request", path: decodeURIComponent(request) };
    if (isDue(operation)) {
      if (death.when === "before") die(operation);
      doomed.set(this, operation);
    }
  } else if (death.when === "half" && doomed.has(this) && chunk.length > 1) {
    return write.call(this, halfOf(chunk), () => die(doomed.get(this)));
  }
  return write.call(this, chunk, ...rest);
};
net.Socket.prototype.push = function (chunk, encoding) {
  if (death.when === "after" && doomed.has(this)) die(doomed.get(this));
  return Readable.prototype.push.call(this, chunk, encoding);
};
