import {
  chmodSync,
  existsSync,
  linkSync,
  lstatSync,
  realpathSync,
  renameSync,
  rmSync,
  type Stats,
  statSync,
} from "node:fs";
import { basename, dirname, join } from "node:path";
import { WalrustError } from "../errors.ts";
import { fsyncFolder } from "../shadow/durable-file.ts";
import { localError } from "../shadow/local-error.ts";

/** Where a restored database goes, and how it gets there whole. */
export interface Output {
  /** Symbolic links of an existing file resolved, as SQLite does. */
  readonly path: string;
  /** Beside it, and not there yet. */
  readonly temporaryPath: string;
  /** Permissions of the finished file. */
  readonly mode: number;
  readonly replaces: boolean;
}

const DEFAULT_MODE = 0o644;
/** What SQLite would replay into the new file. */
const LOGS = ["-wal", "-journal"] as const;

/** Checks before anything is fetched. Errors: OUTPUT_EXISTS, USAGE, LOCAL_IO. */
export function openOutput(path: string, options: { readonly force: boolean }): Output {
  const existing = inspect(path);
  if (existing?.isDirectory())
    throw new WalrustError("USAGE", `${path} is a folder`, { hint: "Name a file: -o FILE." });
  if (existing && !existing.isFile()) throw new WalrustError("USAGE", `${path} is no regular file`);
  if (existing && !options.force) throw outputExists(path);
  const target = existing ? realpathSync(path) : path;
  const folder = dirname(target);
  if (!inspect(folder)?.isDirectory()) {
    throw new WalrustError("USAGE", `the folder ${folder} does not exist`, { hint: "Create it first." });
  }
  return {
    path: target,
    temporaryPath: freeName(folder, basename(target)),
    mode: existing ? existing.mode & 0o777 : DEFAULT_MODE & ~process.umask(),
    replaces: existing !== undefined,
  };
}

/**
 * Puts the finished, synced temporary file in place of the target, at once and durably. The target's old log
 * must not be replayed into the new file, and must not be lost either before the new file stands: it is moved
 * aside first, and brought back if the last step fails.
 * Errors: OUTPUT_EXISTS, LOCAL_IO, LOCAL_DISK_FULL.
 */
export function placeOutput(output: Output): void {
  const { path, temporaryPath, mode, replaces } = output;
  const asides = LOGS.map((suffix) => ({ log: path + suffix, aside: `${temporaryPath}-old${suffix}` }));
  const moved: typeof asides = [];
  try {
    chmodSync(temporaryPath, mode);
    for (const { log, aside } of asides) {
      if (!existsSync(log)) continue;
      renameSync(log, aside);
      moved.push({ log, aside });
    }
    if (replaces) renameSync(temporaryPath, path);
    else moveWithoutReplacing(temporaryPath, path);
  } catch (error) {
    for (const { log, aside } of moved) renameSync(aside, log);
    throw localError(error, "put the restored database at", path);
  }
  try {
    fsyncFolder(dirname(path));
    for (const { aside } of moved) rmSync(aside);
    rmSync(`${path}-shm`, { force: true });
  } catch (error) {
    throw localError(error, "clean up beside", path);
  }
}

/** A rename that never replaces: somebody may have made the file since we looked. */
function moveWithoutReplacing(from: string, to: string): void {
  try {
    linkSync(from, to);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "EEXIST") throw outputExists(to);
    // No hard links on this file system: look and rename is the best that it can do.
    if (existsSync(to)) throw outputExists(to);
    renameSync(from, to);
    return;
  }
  rmSync(from);
}

function inspect(path: string): Stats | undefined {
  try {
    // A dangling link is somebody's file too: what it points to cannot be told.
    return statSync(path, { throwIfNoEntry: false }) ?? lstatSync(path, { throwIfNoEntry: false });
  } catch (error) {
    throw localError(error, "look at", path);
  }
}

function freeName(folder: string, file: string): string {
  for (let i = 0; ; i++) {
    const path = join(folder, `.${file}.walrust-${process.pid}-${i}`);
    if (!existsSync(path)) return path;
  }
}

function outputExists(path: string): WalrustError {
  return new WalrustError("OUTPUT_EXISTS", `${path} exists already`, {
    hint: "Name another file, or give --force to replace it.",
  });
}
