import { closeSync, fstatSync, openSync, type Stats } from "node:fs";
import type { ReadAt } from "../wal/read-at.ts";
import { readFully, syncFile } from "./descriptors.ts";
import { fileError } from "./file-error.ts";

/** The log, opened when it is first there. It carries no locks, so its descriptor may be closed and opened at any time. */
export class WalFile {
  readonly #path: string;
  #fd: number | undefined;

  constructor(path: string) {
    this.#path = path;
  }

  /** Reads 0 bytes where there is no log. */
  readonly read: ReadAt = (into, offset) => {
    this.#fd ??= this.#openIfThere();
    if (this.#fd === undefined) return 0;
    try {
      return readFully(this.#fd, into, offset);
    } catch (error) {
      throw fileError(this.#path, error);
    }
  };

  /** Brings to disk what SQLite wrote so far, off this thread. */
  async sync(): Promise<void> {
    this.#fd ??= this.#openIfThere();
    if (this.#fd !== undefined) await syncFile(this.#path, this.#fd);
  }

  /** Bytes, 0 without a log. Notices that it was deleted or made anew, which no pin of ours allows to SQLite. */
  size(): number {
    this.#fd ??= this.#openIfThere();
    const stat = this.#stat();
    if (stat === undefined || stat.nlink > 0) return stat?.size ?? 0;
    this.close();
    this.#fd = this.#openIfThere();
    return this.#stat()?.size ?? 0;
  }

  #stat(): Stats | undefined {
    try {
      return this.#fd === undefined ? undefined : fstatSync(this.#fd);
    } catch (error) {
      throw fileError(this.#path, error);
    }
  }

  close(): void {
    if (this.#fd !== undefined) closeSync(this.#fd);
    this.#fd = undefined;
  }

  #openIfThere(): number | undefined {
    try {
      return openSync(this.#path, "r");
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
      throw fileError(this.#path, error);
    }
  }
}
