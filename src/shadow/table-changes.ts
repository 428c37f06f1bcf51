import { closeSync, openSync, readSync } from "node:fs";
import { writeFully } from "./durable-file.ts";
import { onLocalFile } from "./local-error.ts";
import { removeLocalFile } from "./local-files.ts";

/** Bytes of a row: pgno u32, then the page's new checksum as u64, both little-endian as the core writes them. */
const ROW_SIZE = 12;
const ROWS_IN_MEMORY = 4096;

/**
 * What a publication changes in the page table, kept aside until storage has acknowledged it. A few thousand rows stay in memory; more go to
 * a scratch file, so that the size of a transaction does not matter.
 */
export class TableChanges {
  readonly #scratchPath: string;
  #tail = Buffer.allocUnsafe(64 * ROW_SIZE);
  #tailRows = 0;
  #fd: number | undefined;
  #spilledBytes = 0;

  constructor(scratchPath: string) {
    this.#scratchPath = scratchPath;
  }

  /** Adds the rows whose checksum is another than before. @param before, after u64 LE per row */
  append(pgnos: Uint32Array, before: Uint8Array, after: Uint8Array, count: number): void {
    for (let row = 0; row < count; row += 1) {
      if (isSameRow(before, after, row * 8)) continue;
      if (this.#tailRows * ROW_SIZE === this.#tail.length) this.#makeRoom();
      const at = this.#tailRows * ROW_SIZE;
      this.#tail.writeUInt32LE(pgnos[row] ?? 0, at);
      this.#tail.set(after.subarray(row * 8, row * 8 + 8), at + 4);
      this.#tailRows += 1;
    }
  }

  /** Hands over every row, in the order in which they came. `checksum` is valid during the call. */
  forEach(apply: (pgno: number, checksum: Uint8Array) => void): void {
    const piece = Buffer.allocUnsafe(Math.min(this.#spilledBytes, ROWS_IN_MEMORY * ROW_SIZE));
    for (let at = 0; at < this.#spilledBytes; at += piece.length) {
      const size = Math.min(piece.length, this.#spilledBytes - at);
      onLocalFile("read", this.#scratchPath, () => readSync(this.#spill(), piece, 0, size, at));
      eachRow(piece, size / ROW_SIZE, apply);
    }
    eachRow(this.#tail, this.#tailRows, apply);
  }

  discard(): void {
    if (this.#fd === undefined) return;
    closeSync(this.#fd);
    removeLocalFile(this.#scratchPath);
    this.#fd = undefined;
  }

  #makeRoom(): void {
    if (this.#tailRows < ROWS_IN_MEMORY) {
      const larger = Buffer.allocUnsafe(Math.min(this.#tail.length * 4, ROWS_IN_MEMORY * ROW_SIZE));
      larger.set(this.#tail);
      this.#tail = larger;
      return;
    }
    onLocalFile("write", this.#scratchPath, () => writeFully(this.#spill(), this.#tail, this.#spilledBytes));
    this.#spilledBytes += this.#tail.length;
    this.#tailRows = 0;
  }

  #spill(): number {
    this.#fd ??= openSync(this.#scratchPath, "w+", 0o600);
    return this.#fd;
  }
}

function isSameRow(a: Uint8Array, b: Uint8Array, at: number): boolean {
  for (let i = at; i < at + 8; i += 1) if (a[i] !== b[i]) return false;
  return true;
}

function eachRow(rows: Buffer, count: number, apply: (pgno: number, checksum: Uint8Array) => void): void {
  for (let at = 0; at < count * ROW_SIZE; at += ROW_SIZE) {
    apply(rows.readUInt32LE(at), rows.subarray(at + 4, at + ROW_SIZE));
  }
}
