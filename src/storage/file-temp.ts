import { constants } from "node:fs";
import { type FileHandle, link, lstat, open, rename, unlink } from "node:fs/promises";
import { dirname, join } from "node:path";
import { WalrustError } from "../errors.ts";
import { whileClaimed } from "./file-claim.ts";
import { errnoOf } from "./file-error.ts";
import { type StorageFolder, syncFolder } from "./file-folder.ts";
import type { PutCondition, PutResult } from "./storage.ts";
import { tempName } from "./temp-names.ts";

const FILE_MODE = 0o600;
/** Answers of file systems without hard links (FAT, some network mounts), and of files that have too many. */
const NO_LINKS = new Set(["EPERM", "ENOTSUP", "EOPNOTSUPP", "ENOSYS", "EMLINK"]);

/**
 * A file on its way to becoming an object: written under a temporary name in the object's own folder, made durable, then
 * given its name in one step. Until then no one sees it, and `discard` leaves nothing behind.
 */
export class TempFile {
  readonly #folder: StorageFolder;
  readonly #key: string;
  readonly #target: string;
  readonly #path: string;
  readonly #handle: FileHandle;

  private constructor(folder: StorageFolder, key: string, target: string, path: string, handle: FileHandle) {
    this.#folder = folder;
    this.#key = key;
    this.#target = target;
    this.#path = path;
    this.#handle = handle;
  }

  static async create(folder: StorageFolder, key: string, random: () => number): Promise<TempFile> {
    const target = folder.pathOf(key);
    const parent = dirname(target);
    const path = join(parent, tempName(random));
    const flags = constants.O_CREAT | constants.O_EXCL | constants.O_WRONLY | constants.O_NOFOLLOW;
    await folder.prepare(parent);
    try {
      return new TempFile(folder, key, target, path, await open(path, flags, FILE_MODE));
    } catch (error) {
      const errno = errnoOf(error);
      if (errno === "EEXIST") return TempFile.create(folder, key, random);
      if (errno !== "ENOENT") throw error;
    }
    folder.forget();
    await folder.prepare(parent);
    return new TempFile(folder, key, target, path, await open(path, flags, FILE_MODE));
  }

  async write(bytes: Uint8Array, position: number): Promise<void> {
    for (let done = 0; done < bytes.length; ) {
      // A short count is legal, and what a disk that just filled up answers before ENOSPC.
      done += (await this.#handle.write(bytes, done, bytes.length - done, position + done)).bytesWritten;
    }
  }

  /** Durable and visible when this resolves. Errors: STORAGE_CONFLICT. Whatever happens, `discard` is called next. */
  async publish(condition: PutCondition | undefined, timestampMs: number | undefined): Promise<PutResult> {
    if (timestampMs !== undefined) await this.#setTime(timestampMs);
    await this.#handle.sync();
    const etag =
      condition?.kind === "match" ? await this.#replace(condition.etag) : await this.#place(condition);
    await syncFolder(dirname(this.#target));
    return { etag };
  }

  async discard(): Promise<void> {
    await this.#handle.close();
    try {
      await unlink(this.#path);
    } catch (error) {
      if (errnoOf(error) !== "ENOENT") throw error; // ENOENT: renamed
    }
  }

  async #place(condition: PutCondition | undefined): Promise<string> {
    const etag = etagOf(await this.#handle.stat());
    if (condition === undefined) {
      await rename(this.#path, this.#target);
      return etag;
    }
    try {
      await link(this.#path, this.#target);
    } catch (error) {
      const errno = errnoOf(error) ?? "";
      if (errno === "EEXIST") throw this.#conflict("it exists", error);
      if (!NO_LINKS.has(errno)) throw error;
      await this.#placeWithoutLinks();
    }
    return etag;
  }

  /** Absent is then only proved among walrusts: all of them claim before they look. */
  #placeWithoutLinks(): Promise<void> {
    return whileClaimed(this.#target, this.#folder.clock, async () => {
      if ((await etagAt(this.#target)) !== undefined) throw this.#conflict("it exists");
      await rename(this.#path, this.#target);
    });
  }

  #replace(expectedEtag: string): Promise<string> {
    return whileClaimed(this.#target, this.#folder.clock, async () => {
      if ((await etagAt(this.#target)) !== expectedEtag)
        throw this.#conflict("it was changed or deleted meanwhile");
      // Times along a series of replacements strictly ascend, so that no etag comes twice even when inodes do.
      const beforeMs = (await lstat(this.#target)).mtimeMs;
      await this.#setTime(Math.max(this.#folder.clock.now(), Math.ceil(beforeMs) + 1));
      await this.#handle.sync();
      const etag = etagOf(await this.#handle.stat());
      await rename(this.#path, this.#target);
      return etag;
    });
  }

  #setTime(ms: number): Promise<void> {
    return this.#handle.utimes(ms / 1000, ms / 1000);
  }

  #conflict(reason: string, cause?: unknown): WalrustError {
    return new WalrustError("STORAGE_CONFLICT", `${this.#key} was not written: ${reason}`, { cause });
  }
}

/** Objects are replaced, never written in place: an inode, a size and a time name one content. */
export function etagOf(stats: {
  readonly ino: number;
  readonly size: number;
  readonly mtimeMs: number;
}): string {
  return `${stats.ino.toString(36)}-${stats.size.toString(36)}-${stats.mtimeMs}`;
}

async function etagAt(path: string): Promise<string | undefined> {
  try {
    return etagOf(await lstat(path));
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return undefined;
    throw error;
  }
}
