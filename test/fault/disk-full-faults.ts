import fs from "node:fs";
import fsPromises, { type FileHandle } from "node:fs/promises";
import { syncBuiltinESMExports } from "node:module";
import { join } from "node:path";

/**
 * Makes one operation on files of this process fail, as a full or broken disk would. Imported before anything of src/, which keeps
 * what it imported of `node:fs`. SQLite's own files are beyond it: those are filled up for real (disk-full-small.test.ts).
 */
export interface DiskFault {
  readonly errno: Errno;
  /** Counts from 0, over what changes something below `folder`. */
  readonly at: number;
  readonly folder: string;
  /** All that follow fail too: a disk stays full. */
  readonly goesOn: boolean;
}

export const ERRNOS = ["ENOSPC", "EDQUOT", "EIO", "EROFS", "EACCES", "EMFILE"] as const;
export type Errno = (typeof ERRNOS)[number];

/** What was asked of the disk since it was last cleared, as `operation path`. */
export const operations: string[] = [];
let fault: DiskFault | undefined;
let watched = "";
/** Within an operation that node makes of several others. */
let depth = 0;

/** @param folder counts only what happens below it */
export function breakDisk(next: DiskFault): void {
  operations.length = 0;
  fault = next;
  watched = next.folder;
}

/** Nothing fails; operations below `folder` are counted. */
export function mendDisk(folder = ""): void {
  operations.length = 0;
  fault = undefined;
  watched = folder;
}

export const IS_FULL = /^(ENOSPC|EDQUOT)$/;
/** What a full disk still does: space is given back. */
const GIVES_BACK = /^(rm|unlink|ftruncate)/;
/** What needs no space. */
const NEEDS_NO_SPACE = /^(rm|unlink|ftruncate|chmod|fchmod|chown)/;

function step(name: string, path: string | undefined): void {
  if (depth > 0 || watched === "" || path === undefined || !path.startsWith(watched)) return;
  if (fault !== undefined && IS_FULL.test(fault.errno) && NEEDS_NO_SPACE.test(name)) return;
  operations.push(`${name} ${path}`);
  if (fault === undefined) return;
  const { at, errno, goesOn } = fault;
  const count = operations.length - 1;
  if (count === at || (goesOn && count > at && !GIVES_BACK.test(name)))
    throw Object.assign(new Error(`${errno}: told to, ${name} '${path}'`), {
      code: errno,
      syscall: name,
      path,
    });
}

const pathOfFd = new Map<number, string>();
const pathOf = (target: unknown) => (typeof target === "number" ? pathOfFd.get(target) : String(target));
/** What a file is opened for. */
function stepOpen(name: string, path: unknown, flags: unknown = "r"): void {
  const { O_CREAT, O_RDWR, O_WRONLY } = fs.constants;
  const makes = typeof flags === "number" ? (flags & O_CREAT) !== 0 : /[wa]/.test(String(flags));
  const writes =
    typeof flags === "number" ? (flags & (O_RDWR | O_WRONLY)) !== 0 : /[wa+]/.test(String(flags));
  // Who has no descriptors left can open nothing; where there is no space nothing can be made.
  const isOfUse = fault?.errno === "EMFILE" || (writes && (makes || !IS_FULL.test(fault?.errno ?? "")));
  if (isOfUse) step(name, String(path));
}

type Any = (...args: unknown[]) => unknown;
type Functions = Record<string, Any>;

function wrap(module: object, name: string, around: (original: Any) => Any): void {
  const functions = module as Functions;
  const original = functions[name];
  if (original === undefined) throw new Error(`there is no ${name}`);
  functions[name] = around(original.bind(module) as Any);
}

for (const name of [
  "writeSync",
  "writeFileSync",
  "fsyncSync",
  "renameSync",
  "linkSync",
  "rmSync",
  "unlinkSync",
  "ftruncateSync",
  "chmodSync",
  "fchmodSync",
])
  wrap(fs, name, (original) => (...args) => {
    step(name, pathOf(args[0]));
    depth += 1;
    try {
      return original(...args);
    } finally {
      depth -= 1;
    }
  });
wrap(fs, "mkdirSync", (original) => (...args) => {
  // With `recursive` it succeeds where there is one, on a full disk too.
  if (!fs.existsSync(String(args[0]))) step("mkdirSync", String(args[0]));
  return original(...args);
});
wrap(fs, "mkdtempSync", (original) => (...args) => {
  step("mkdtempSync", String(args[0]));
  return original(...args);
});
wrap(fs, "openSync", (original) => (...args) => {
  // Who has no descriptors left can open nothing; else only what makes or changes files fails.
  stepOpen("openSync", args[0], args[1]);
  const fd = original(...args) as number;
  pathOfFd.set(fd, String(args[0]));
  return fd;
});
wrap(fs, "closeSync", (original) => (...args) => {
  pathOfFd.delete(Number(args[0]));
  return original(...args);
});
wrap(fs, "fsync", (original) => (fd, done) => {
  try {
    step("fsync", pathOf(fd));
  } catch (error) {
    return void setImmediate(done as Any, error);
  }
  return original(fd, done);
});

const pathOfHandle = new WeakMap<FileHandle, string>();
for (const name of ["rename", "link", "unlink", "rm", "mkdir"])
  wrap(fsPromises, name, (original) => async (...args) => {
    step(name, String(args[0]));
    return original(...args);
  });
wrap(fsPromises, "open", (original) => async (...args) => {
  stepOpen("open", args[0], args[1]);
  const handle = (await original(...args)) as FileHandle;
  pathOfHandle.set(handle, String(args[0]));
  for (const name of ["write", "writeFile", "sync", "utimes"] as const)
    wrap(handle, name, (call) => async (...parts) => {
      step(`handle.${name}`, pathOfHandle.get(handle));
      return call(...parts);
    });
  return handle;
});
syncBuiltinESMExports();

/** Everything below a folder that is no folder, as paths relative to it. */
export function filesBelow(folder: string): string[] {
  return fs
    .readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => !entry.isDirectory())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
    .sort();
}
