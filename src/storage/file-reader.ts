import { lstatSync } from "node:fs";
import { lstat } from "node:fs/promises";
import type { Clock } from "../clock.ts";
import { type FileFacts, type OpenFile, openFile, openFileHere } from "./file-read.ts";

/** So much of a file is read on this thread; more is read beside what is done with it. */
const SMALL_BYTES = 256 * 1024;
/** What takes longer does not come from memory, but from a disk or a server: of that several are better asked for at once. */
const SLOW_MS = 0.5;
const CALLS_OFF_THREAD = 16;

/**
 * Chooses the thread on which a file is read. Each change of threads costs more than a small file that lies in the system's memory. But a
 * folder that does not answer would stop the thread, and what else it has to do: so only where it has nothing else.
 */
export class FileReader {
  readonly #clock: Clock;
  readonly #mayBlock: boolean;
  /** Calls to be made off this thread before this one is tried again. */
  #offThread = 0;
  /** One file after the other is read into the same memory: else most of the work of a thousand small ones is to collect it. */
  #free: Uint8Array | undefined;

  constructor(clock: Clock, mayBlock: boolean) {
    this.#clock = clock;
    this.#mayBlock = mayBlock;
  }

  /** @param bytes how much of it will be read at most. Throws what the file system says. */
  open(path: string, bytes = Number.POSITIVE_INFINITY): Promise<OpenFile> | OpenFile {
    if (bytes > SMALL_BYTES || this.#isOffThread()) return openFile(path);
    const file = this.#timed(() => openFileHere(path));
    const memory = this.#free ?? Buffer.allocUnsafeSlow(SMALL_BYTES);
    this.#free = undefined;
    return {
      facts: file.facts,
      buffer: (sizeBytes) => memory.subarray(0, sizeBytes),
      read: (into, position) => this.#timed(() => file.read(into, position)),
      close: () => {
        this.#free = memory;
        return file.close();
      },
    };
  }

  /** What the file system says of what lies there, links not followed. Throws what it says otherwise. */
  look(path: string): Promise<FileFacts> | FileFacts {
    return this.#isOffThread() ? lstat(path) : this.#timed(() => lstatSync(path));
  }

  #isOffThread(): boolean {
    if (!this.#mayBlock) return true;
    if (this.#offThread === 0) return false;
    this.#offThread -= 1;
    return true;
  }

  #timed<T>(call: () => T): T {
    const sinceMs = this.#clock.monotonicMs();
    try {
      return call();
    } finally {
      if (this.#clock.monotonicMs() - sinceMs > SLOW_MS) this.#offThread = CALLS_OFF_THREAD;
    }
  }
}
