import { constants } from "node:fs";
import { lstat, mkdir, open, readdir, stat, unlink } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { Clock } from "../clock.ts";
import { WalrustError } from "../errors.ts";
import { removeIfStale } from "./file-claim.ts";
import { errnoOf, fileError, meansNothingThere } from "./file-error.ts";
import { assertKey } from "./key-rules.ts";
import { CLAIM_PREFIX, isLeftByTheDead, TEMP_PREFIX } from "./temp-names.ts";

/** A temporary file untouched for so long was left by a crash of another machine. By ctime, which no one can set. */
const STALE_TEMP_MS = 24 * 60 * 60 * 1000;

/** Backups are as private as the databases: readable by their owner. */
const FOLDER_MODE = 0o700;

/**
 * The root of a folder storage: turns keys into paths and makes the folders between them durable. The root itself is
 * never made: a backup disk that is not mounted must be an error, not a fresh folder on another disk.
 */
export class StorageFolder {
  readonly root: string;
  readonly clock: Clock;
  /** Folders whose way from the root this process has made durable. A failure is not kept. */
  readonly #prepared = new Map<string, Promise<void>>();

  constructor(root: string, clock: Clock) {
    this.root = root;
    this.clock = clock;
  }

  /** Errors: STORAGE_REJECTED for anything that could leave the root. */
  pathOf(key: string): string {
    assertKey(key);
    return join(this.root, key);
  }

  /** Errors: STORAGE_BUCKET_NOT_FOUND when the root is missing or no folder. */
  async assertRoot(): Promise<void> {
    let reason = "it is not a folder";
    try {
      if ((await stat(this.root)).isDirectory()) return;
    } catch (error) {
      const errno = errnoOf(error);
      if (errno !== "ENOENT" && errno !== "ENOTDIR")
        throw fileError(error, `open the storage folder ${this.root}`);
      reason = "it does not exist";
    }
    throw new WalrustError(
      "STORAGE_BUCKET_NOT_FOUND",
      `the storage folder ${this.root} cannot be used: ${reason}`,
      {
        hint: `Make it (mkdir -p ${this.root}), or mount the disk that it is on.`,
      },
    );
  }

  /** The typed error of looking for an object: "not found" only when the root is there to not have it. */
  async lookupError(error: unknown, key: string): Promise<WalrustError> {
    if (!meansNothingThere(error)) return fileError(error, `read ${key}`);
    try {
      await this.assertRoot();
    } catch (rootError) {
      return fileError(rootError, `read ${key}`);
    }
    return new WalrustError("STORAGE_NOT_FOUND", `${key} does not exist in ${this.root}`, { cause: error });
  }

  /**
   * Makes `path` and every folder from the root to it, durably, and removes what crashes left in it. Done once a process,
   * and again after `forget`. Two callers share one preparation, so neither goes on before the folder is durable.
   */
  prepare(path: string): Promise<void> {
    let preparation = this.#prepared.get(path);
    if (preparation === undefined) {
      preparation = this.#makeDurable(path).then(() => this.#sweep(path));
      this.#prepared.set(path, preparation);
      preparation.catch(() => this.#prepared.delete(path));
    }
    return preparation;
  }

  /** Somebody removed folders: the next `prepare` looks at all of them again, from the root. */
  forget(): void {
    this.#prepared.clear();
  }

  async #makeDurable(path: string): Promise<void> {
    if (path === this.root) return this.assertRoot();
    const parent = dirname(path);
    await this.prepare(parent);
    try {
      await mkdir(path, { mode: FOLDER_MODE });
    } catch (error) {
      if (errnoOf(error) !== "EEXIST") throw error;
      await assertMayFollow(path);
    }
    // Also when it existed: a process that crashed may have made it and not come to this.
    await syncFolder(parent);
  }

  async #sweep(path: string): Promise<void> {
    const now = this.clock.now();
    for (const name of await readdir(path)) {
      if (!name.startsWith(TEMP_PREFIX)) continue;
      const temp = join(path, name);
      try {
        if (name.startsWith(CLAIM_PREFIX)) await removeIfStale(temp, this.clock);
        else if (isLeftByTheDead(name) || now - (await lstat(temp)).ctimeMs > STALE_TEMP_MS)
          await unlink(temp);
      } catch {
        // Its owner finished it just now, or it is another user's: either way no concern of the write that asks for the folder.
      }
    }
  }
}

/**
 * A folder may be moved to another disk and a link put in its place. Only its owner, root, or who could replace the folder that the link
 * is in may do that: in a folder that others may write to, somebody else's link would lead our writes to where only we may write.
 */
async function assertMayFollow(path: string): Promise<void> {
  const entry = await lstat(path);
  if (!entry.isSymbolicLink()) return;
  const trusted = [process.geteuid?.(), 0, (await stat(dirname(path))).uid];
  if (trusted.includes(entry.uid)) return;
  throw new WalrustError("STORAGE_REJECTED", `${path} is a symbolic link that user ${entry.uid} has made`, {
    hint: "Storage folders hold plain files only, in plain folders.",
    details: { uid: entry.uid },
  });
}

/** Makes a folder's entries durable. */
export async function syncFolder(path: string): Promise<void> {
  const handle = await open(path, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    await handle.sync();
  } catch (error) {
    // Some network and user-space file systems know no fsync of folders; their entries are durable when made, or never.
    if (errnoOf(error) !== "EINVAL" && errnoOf(error) !== "ENOTSUP") throw error;
  } finally {
    await handle.close();
  }
}
