import { writevSync } from "node:fs";
import { writeFully } from "../shadow/durable-file.ts";

/** Memory that is touched only as far as it is needed. */
const HELD_BYTES = 8 * 1024 * 1024;
/** IOV_MAX of Linux and macOS. */
const PAGES_A_CALL = 1024;

/**
 * Pages on their way into a file under construction. Increments bring a few pages each, far apart, and often the same ones again: they are held
 * back, so that the last version alone is written, and neighbours in one call. What was put is in the file after `flush`, and not before.
 */
export class HeldPages {
  readonly #fd: number;
  readonly #pageSizeBytes: number;
  readonly #capacity: number;
  /** Page number -> where it lies in `#bytes`, in pages. */
  readonly #slots = new Map<number, number>();
  #bytes: Uint8Array | undefined;
  /** Slots in use, also those of pages that were dropped: they come free all at once. */
  #used = 0;

  /** @param fd whose file begins with page 1; the caller's to close */
  constructor(fd: number, pageSizeBytes: number) {
    this.#fd = fd;
    this.#pageSizeBytes = pageSizeBytes;
    this.#capacity = HELD_BYTES / pageSizeBytes;
  }

  /** Takes a copy of the pages from `pgno` on. Throws what the file system says. */
  put(pgno: number, pages: Uint8Array): void {
    const size = this.#pageSizeBytes;
    this.#bytes ??= Buffer.allocUnsafeSlow(HELD_BYTES);
    for (let at = 0; at < pages.length; at += size) {
      const number = pgno + at / size;
      let slot = this.#slots.get(number);
      if (slot === undefined) {
        if (this.#used === this.#capacity) this.flush();
        slot = this.#used++;
        this.#slots.set(number, slot);
      }
      this.#bytes.set(pages.subarray(at, at + size), slot * size);
    }
  }

  /** Pages from `first` to `last` are written otherwise, or are gone. */
  drop(first: number, last: number): void {
    if (last - first < this.#slots.size) {
      for (let pgno = first; pgno <= last; pgno += 1) this.#slots.delete(pgno);
      return;
    }
    for (const pgno of [...this.#slots.keys()]) if (pgno >= first && pgno <= last) this.#slots.delete(pgno);
  }

  /** Throws what the file system says. */
  flush(): void {
    const size = this.#pageSizeBytes;
    const pgnos = Uint32Array.from(this.#slots.keys()).sort();
    for (let at = 0; at < pgnos.length; ) {
      const first = pgnos[at] ?? 0;
      const run: Uint8Array[] = [];
      while (run.length < PAGES_A_CALL && pgnos[at] === first + run.length) {
        const slot = this.#slots.get(first + run.length) ?? 0;
        run.push((this.#bytes as Uint8Array).subarray(slot * size, (slot + 1) * size));
        at += 1;
      }
      writeAll(this.#fd, run, (first - 1) * size);
    }
    this.#slots.clear();
    this.#used = 0;
  }
}

/** writevSync may write less than it was given. */
function writeAll(fd: number, parts: readonly Uint8Array[], position: number): void {
  let done = writevSync(fd, parts, position);
  let at = position;
  for (const part of parts) {
    const ofPart = Math.min(done, part.length);
    if (ofPart < part.length) writeFully(fd, part.subarray(ofPart), at + ofPart);
    done -= ofPart;
    at += part.length;
  }
}
