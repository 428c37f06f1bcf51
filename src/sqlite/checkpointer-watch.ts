import { closeSync, openSync, readSync } from "node:fs";
import type { Clock } from "../clock.ts";
import type { FileIdentity } from "./descriptors.ts";

/** Where Linux lists the locks of all processes that this one may know of. */
const LOCKS = "/proc/locks";
/** How often it is looked at: more seldom where it is long, since making and reading 60 bytes of it takes about 5 microseconds; so a hundredth of a core at most. */
const SHORTEST_MS = 20;
const BYTES_PER_MS = 125;
/** Room for some 1,000 locks; it grows with need. */
const FIRST_SIZE_BYTES = 64 * 1024;

/**
 * A checkpointer that has the write lock (byte 120 of the -shm) as well as its own (121) is a FULL, RESTART or TRUNCATE: a PASSIVE one has no write
 * lock (wal.c, WAL_WRITE_LOCK, WAL_CKPT_LOCK; adjoining locks of one process are listed as one).
 *
 *     1: POSIX  ADVISORY  WRITE 4711 08:01:131 120 121
 */
const WAITING = Buffer.from(" 120 121\n");

export interface CheckpointerWatchOptions {
  readonly clock: Clock;
  /** The list of locks; undefined where there is none. */
  readonly readLocks?: () => Buffer | undefined;
  readonly pid?: number;
}

/**
 * Tells when a checkpoint of an application may wait for a pin of ours, for all databases of the process in one look. It is a hint: locks of processes
 * in other containers are not listed, other systems have no such list, and who is not told finds the pin moved a little later.
 */
export class CheckpointerWatch {
  readonly #clock: Clock;
  readonly #readLocks: () => Buffer | undefined;
  readonly #own: string;
  /** By inode of the -shm; the device is named in other ways here than in stat, and a false alarm costs little. */
  readonly #followed = new Map<string, () => void>();
  #cancel: (() => void) | undefined;
  #isUnavailable = false;

  constructor({ clock, readLocks = procLocks(), pid = process.pid }: CheckpointerWatchOptions) {
    this.#clock = clock;
    this.#readLocks = readLocks;
    this.#own = ` ${pid} `;
  }

  /** Calls `onWaiting` each time that a checkpointer is seen on that -shm. The function returned ends it. Nothing is looked at while nobody follows. */
  follow(shm: FileIdentity, onWaiting: () => void): () => void {
    const inode = String(shm.ino);
    this.#followed.set(inode, onWaiting);
    this.#cancel ??= this.#clock.schedule(SHORTEST_MS, () => this.#look());
    return () => {
      if (this.#followed.get(inode) === onWaiting) this.#followed.delete(inode);
      if (this.#followed.size > 0) return;
      this.#cancel?.();
      this.#cancel = undefined;
    };
  }

  #look(): void {
    this.#cancel = undefined;
    if (this.#isUnavailable) return;
    const locks = this.#readLocks();
    if (locks === undefined) {
      this.#isUnavailable = true;
      return;
    }
    for (const inode of waitingInodes(locks, this.#own)) this.#followed.get(inode)?.();
    const pauseMs = Math.max(SHORTEST_MS, locks.length / BYTES_PER_MS);
    this.#cancel = this.#clock.schedule(pauseMs, () => this.#look());
  }
}

/** @param own our pid between spaces: our own barriers are no news */
function* waitingInodes(locks: Buffer, own: string): Generator<string> {
  for (let at = locks.indexOf(WAITING); at >= 0; at = locks.indexOf(WAITING, at + 1)) {
    const line = locks.toString("latin1", locks.lastIndexOf("\n", at - 1) + 1, at);
    if (!line.includes(own)) yield line.slice(line.lastIndexOf(":") + 1);
  }
}

/** One buffer for all looks. */
function procLocks(): () => Buffer | undefined {
  let buffer = Buffer.alloc(0);
  return () => {
    let fd: number;
    try {
      fd = openSync(LOCKS, "r");
    } catch {
      return undefined;
    }
    try {
      let size = 0;
      for (;;) {
        if (size === buffer.length) {
          const larger = Buffer.alloc(Math.max(FIRST_SIZE_BYTES, 2 * buffer.length));
          buffer.copy(larger);
          buffer = larger;
        }
        const got = readSync(fd, buffer, size, buffer.length - size, null);
        if (got === 0) return buffer.subarray(0, size);
        size += got;
      }
    } finally {
      closeSync(fd);
    }
  };
}
