import { lstatSync, mkdtempSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { isMarkOfTheDead, ownMark } from "../process-identity.ts";
import { localError } from "../shadow/local-error.ts";

/** What mkdtemp adds. */
const RANDOM_LENGTH = 6;

/**
 * Makes a folder that nobody else can enter, for what is of use only while this process lives: its name tells whose it is.
 * Errors: LOCAL_IO, LOCAL_DISK_FULL.
 */
export function makeMarkedFolder(parent: string, prefix: string): string {
  try {
    return mkdtempSync(join(parent, `${prefix}${ownMark()}-`));
  } catch (error) {
    throw localError(error, "create a folder in", parent);
  }
}

/** Such folders of this user whose processes were killed. Where the parent cannot be read, none are known. */
export function foldersOfTheDead(parent: string, prefix: string): readonly string[] {
  return namesIn(parent)
    .filter((name) => name.startsWith(prefix))
    .filter((name) => isMarkOfTheDead(name.slice(prefix.length, -RANDOM_LENGTH - 1)))
    .map((name) => join(parent, name))
    .filter(isOwnFolder);
}

function namesIn(parent: string): readonly string[] {
  try {
    return readdirSync(parent);
  } catch {
    return []; // whatever needs the parent says why it cannot be used
  }
}

/** Anybody may put something under such a name where anybody may write. What cannot be looked at is left for another time. */
function isOwnFolder(path: string): boolean {
  try {
    const stat = lstatSync(path);
    return stat.isDirectory() && stat.uid === process.geteuid?.();
  } catch {
    return false;
  }
}
