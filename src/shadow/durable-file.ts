import { closeSync, fsync, fsyncSync, openSync, renameSync, rmSync, writeSync } from "node:fs";
import { dirname } from "node:path";
import { promisify } from "node:util";
import { localError } from "./local-error.ts";

/* Only what waits for the disk leaves the thread: to hand over the rest costs more than to do it. */
export const fsyncOffThread = promisify(fsync);

/**
 * Replaces `path` whole or not at all, and durably: temporary file, fsync, rename, fsync of the folder. After a failure the old file
 * stands untouched. Errors: LOCAL_IO, LOCAL_DISK_FULL.
 */
export async function replaceFileDurably(path: string, bytes: Uint8Array): Promise<void> {
  const temporary = `${path}.tmp`;
  try {
    const fd = openNew(temporary);
    try {
      writeFully(fd, bytes, 0);
      await fsyncOffThread(fd);
    } finally {
      closeSync(fd);
    }
    renameSync(temporary, path);
    await sync(dirname(path));
  } catch (error) {
    removeIfPossible(temporary); // else the next one takes it away; what failed first is what to tell
    throw localError(error, "write", path);
  }
}

/** Where it is not missed if it stays. */
export function removeIfPossible(path: string): void {
  try {
    rmSync(path, { force: true });
  } catch {}
}

/** Never through a link that lies there under the name: what is there, of a crash as a rule, is taken away. */
function openNew(path: string): number {
  try {
    return openSync(path, "wx", 0o600);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    rmSync(path);
    return openSync(path, "wx", 0o600);
  }
}

/**
 * Makes durable what a file holds, whoever wrote it, or which files a folder holds: one that was deleted without it may be there again after a loss
 * of power. Errors: LOCAL_IO.
 */
export async function syncPath(path: string): Promise<void> {
  await sync(path).catch((error: unknown) => {
    throw localError(error, "sync", path);
  });
}

/** A descriptor to read is enough for either. */
async function sync(path: string): Promise<void> {
  const fd = openSync(path, "r");
  await fsyncOffThread(fd).finally(() => closeSync(fd));
}

/** The same of a folder at once, for within a barrier. Throws what the file system says. */
export function fsyncFolder(path: string): void {
  const fd = openSync(path, "r");
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

/** writeSync may write less than it was given. */
export function writeFully(fd: number, bytes: Uint8Array, position: number): void {
  for (let done = 0; done < bytes.length; ) {
    done += writeSync(fd, bytes, done, bytes.length - done, position + done);
  }
}
