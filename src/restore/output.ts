import {
  chmodSync,
  chownSync,
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
import { cleanUpAfterFailure } from "../shadow/clean-up.ts";
import { fsyncFolder } from "../shadow/durable-file.ts";
import { localError } from "../shadow/local-error.ts";
import { removeLocalFolder } from "../shadow/local-files.ts";
import { withDatabase } from "../sqlite/driver.ts";
import { foldersOfTheDead, makeMarkedFolder } from "./marked-folder.ts";

/** Where a restored database goes, and how it gets there whole. */
export interface Output {
  /** Symbolic links of an existing file resolved, as SQLite does. */
  readonly path: string;
  /** On the same file system, in a folder that nobody else can enter; not there yet. */
  readonly temporaryPath: string;
  /** Permissions of the finished file. */
  readonly mode: number;
  /** Of the file that it replaces: whose the finished one is to be. */
  readonly owner: FileOwner | undefined;
  readonly replaces: boolean;
}

export interface FileOwner {
  readonly uid: number;
  readonly gid: number;
}

/** A copy is as private as the backup: what the source's permissions were is in none of its files. */
const NEW_MODE = 0o600;
/** What SQLite would replay into the new file. */
const LOGS = ["-wal", "-journal"] as const;
const STAGED = "restored.db";
const LEAST_DATABASE_BYTES = 512;

const asidesOf = (temporaryPath: string, path: string) =>
  LOGS.map((suffix) => ({ log: path + suffix, aside: `${temporaryPath}-old${suffix}` }));

/**
 * Checks before anything is fetched, and makes the folder for the temporary file. In one that others may write to, they could else put
 * links and logs of their own beside it, under names that are known, which we and SQLite would take for ours. `closeOutput` is called in
 * the end. Errors: OUTPUT_EXISTS, USAGE, LOCAL_IO, LOCAL_DISK_FULL.
 */
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
  const prefix = `.${basename(target)}.walrust-`;
  for (const left of foldersOfTheDead(folder, prefix)) clearUp(left, target);
  return {
    path: target,
    temporaryPath: join(makeMarkedFolder(folder, prefix), STAGED),
    mode: existing ? existing.mode & 0o777 : NEW_MODE,
    owner: existing && { uid: existing.uid, gid: existing.gid },
    replaces: existing !== undefined,
  };
}

/** Leaves nothing beside the output. Errors: LOCAL_IO. */
export function closeOutput({ temporaryPath }: Output): void {
  removeLocalFolder(dirname(temporaryPath));
}

/**
 * Puts the finished, synced temporary file in place of the target, at once and durably. The target's old log
 * must not be replayed into the new file, and must not be lost either before the new file stands: it is moved
 * aside first, and brought back if the last step fails.
 * Errors: OUTPUT_EXISTS, LOCAL_IO, LOCAL_DISK_FULL.
 */
export function placeOutput(output: Output): void {
  const { path, temporaryPath, mode, owner, replaces } = output;
  const asides = asidesOf(temporaryPath, path);
  const moved: typeof asides = [];
  try {
    if (replaces) settle(path);
    if (owner) giveTo(temporaryPath, owner);
    chmodSync(temporaryPath, mode);
    for (const { log, aside } of asides) {
      if (!existsSync(log)) continue;
      renameSync(log, aside);
      moved.push({ log, aside });
    }
    if (replaces) renameSync(temporaryPath, path);
    else moveWithoutReplacing(temporaryPath, path);
  } catch (error) {
    cleanUpAfterFailure(() => {
      for (const { log, aside } of moved) renameSync(aside, log);
    });
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

/**
 * Lets SQLite bring the log of the database that goes into its file: killed at any moment before the new one stands, it still has all of its
 * commits. Where that cannot be, since it is none or in use, its log is moved aside with them.
 */
function settle(path: string): void {
  const sizeBytes = statSync(path, { throwIfNoEntry: false })?.size ?? 0;
  if (sizeBytes < LEAST_DATABASE_BYTES) return; // SQLite would delete its log
  try {
    withDatabase(path, (database) => {
      database.all("PRAGMA user_version"); // reads, which rolls back what a journal holds
      database.all("PRAGMA wal_checkpoint(TRUNCATE)");
    });
  } catch {
    // what is wrong with it is why it goes
  }
}

/** After a restore that was killed: a log that it had moved aside, and whose database still stands, is brought back. */
function clearUp(left: string, path: string): void {
  const temporaryPath = join(left, STAGED);
  const staged = statSync(temporaryPath, { throwIfNoEntry: false });
  const isPlaced = staged === undefined || staged.ino === statSync(path, { throwIfNoEntry: false })?.ino;
  try {
    for (const { log, aside } of isPlaced ? [] : asidesOf(temporaryPath, path))
      if (existsSync(aside) && !existsSync(log)) renameSync(aside, log);
    rmSync(left, { recursive: true, force: true });
  } catch (error) {
    throw localError(error, "clean up", left);
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

/** Only root can give files away; whoever else replaces a file owns the new one. */
function giveTo(path: string, { uid, gid }: FileOwner): void {
  const made = statSync(path);
  const isAnothers = made.uid !== uid || made.gid !== gid;
  if (isAnothers && process.geteuid?.() === 0) chownSync(path, uid, gid);
}

function outputExists(path: string): WalrustError {
  return new WalrustError("OUTPUT_EXISTS", `${path} exists already`, {
    hint: "Name another file, or give --force to replace it.",
  });
}
