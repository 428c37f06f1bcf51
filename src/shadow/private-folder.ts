import {
  closeSync,
  constants,
  fchmodSync,
  fstatSync,
  mkdirSync,
  openSync,
  type Stats,
  statSync,
} from "node:fs";
import { dirname } from "node:path";
import { WalrustError } from "../errors.ts";
import { localError } from "./local-error.ts";

const PRIVATE = 0o700;
const OPEN_TO_OTHERS = 0o077;

/**
 * Makes a folder that only its owner can enter, or takes the one that is there. What lies in it holds pages of databases, and is opened
 * by names that everybody knows: so it must be a folder, not a link to one, and none that somebody else has put there to read along, or
 * with links in it that lead our writes elsewhere. Errors: LOCAL_IO, LOCAL_DISK_FULL.
 * @param hint what to do if it can't be used
 */
export function makePrivateFolder(path: string, hint: string): void {
  try {
    if (!isMade(path)) takeOver(path, hint);
  } catch (error) {
    throw localError(error, "create the folder", path, hint);
  }
}

/** With the folders above it. False: something of that name is there. */
function isMade(path: string): boolean {
  try {
    mkdirSync(path, { mode: PRIVATE });
    return true;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "EEXIST") return false;
    if (code !== "ENOENT") throw error;
    mkdirSync(dirname(path), { recursive: true, mode: PRIVATE });
    return isMade(path);
  }
}

function takeOver(path: string, hint: string): void {
  const fd = openSync(path, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);
  try {
    const stat = fstatSync(fd);
    if (!isTrusted(stat, path)) throw notOurs(path, stat.uid, hint);
    if (stat.uid === process.geteuid?.() && (stat.mode & OPEN_TO_OTHERS) !== 0) closeToOthers(fd);
  } finally {
    closeSync(fd);
  }
}

/**
 * Made by us, by root, or by the owner of the folder that it is in, who can replace it at any time. On file systems that know no owners
 * everything is that one's.
 */
function isTrusted({ uid }: Stats, path: string): boolean {
  return uid === process.geteuid?.() || uid === 0 || uid === statSync(dirname(path)).uid;
}

function closeToOthers(fd: number): void {
  try {
    fchmodSync(fd, PRIVATE);
  } catch (error) {
    // Where the mount decides on permissions, nobody else does.
    if ((error as NodeJS.ErrnoException).code !== "EPERM") throw error;
  }
}

function notOurs(path: string, uid: number, hint: string): WalrustError {
  return new WalrustError("LOCAL_IO", `the folder ${path} is not used: user ${uid} has made it`, {
    hint,
    details: { uid },
  });
}
