import { closeSync, fsyncSync, openSync, writeSync } from "node:fs";
import { type FileHandle, open, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { localError } from "./local-error.ts";

/**
 * Replaces `path` whole or not at all, and durably: temporary file, fsync, rename, fsync of the folder. After a failure the old file
 * stands untouched. Errors: LOCAL_IO, LOCAL_DISK_FULL.
 */
export async function replaceFileDurably(path: string, bytes: Uint8Array): Promise<void> {
  const temporary = `${path}.tmp`;
  try {
    const file = await openNew(temporary);
    try {
      await file.writeFile(bytes);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
    await sync(dirname(path));
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => {}); // the next one takes it away; what failed first is what to tell
    throw localError(error, "write", path);
  }
}

/** Never through a link that lies there under the name: what is there, of a crash as a rule, is taken away. */
async function openNew(path: string): Promise<FileHandle> {
  try {
    return await open(path, "wx", 0o600);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    await rm(path);
    return open(path, "wx", 0o600);
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
  const opened = await open(path, "r");
  await opened.sync().finally(() => opened.close());
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
