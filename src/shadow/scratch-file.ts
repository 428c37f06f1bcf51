import { closeSync, openSync, readSync } from "node:fs";
import { writeFully } from "./durable-file.ts";
import { onLocalFile } from "./local-error.ts";
import { removeLocalFile } from "./local-files.ts";

const PIECE_BYTES = 256 * 1024;

/** A temporary file for what of a page index does not fit memory; made when it is first needed. */
export class ScratchFile {
  readonly #path: string;
  #fd: number | undefined;
  #sizeBytes = 0;

  constructor(path: string) {
    this.#path = path;
  }

  /** Errors: LOCAL_IO, LOCAL_DISK_FULL. */
  append(bytes: Uint8Array): undefined {
    onLocalFile("write", this.#path, () => {
      this.#fd ??= openSync(this.#path, "w+", 0o600);
      writeFully(this.#fd, bytes, this.#sizeBytes);
    });
    this.#sizeBytes += bytes.length;
    return undefined;
  }

  /** Errors: LOCAL_IO. */
  async *readBack(): AsyncGenerator<Uint8Array> {
    const piece = new Uint8Array(PIECE_BYTES);
    for (let at = 0; at < this.#sizeBytes && this.#fd !== undefined; ) {
      const fd = this.#fd;
      const read = onLocalFile("read", this.#path, () => readSync(fd, piece, 0, piece.length, at));
      yield piece.subarray(0, read);
      at += read;
    }
  }

  discard(): void {
    if (this.#fd === undefined) return;
    closeSync(this.#fd);
    this.#fd = undefined;
    removeLocalFile(this.#path);
  }
}
