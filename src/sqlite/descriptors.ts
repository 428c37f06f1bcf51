import { closeSync, fstatSync, fsync, openSync, readSync, statSync } from "node:fs";
import { promisify } from "node:util";
import { fileError } from "./file-error.ts";

const fsyncOffThread = promisify(fsync);

/** Which file it is, whatever its name: a file replaced by rename has another identity. */
export interface FileIdentity {
  readonly dev: bigint;
  readonly ino: bigint;
}

/** A descriptor shared by all who hold the same file in this process. */
export interface HeldDescriptor {
  readonly fd: number;
  readonly identity: FileIdentity;
  /** Safe to call twice. Only after one's own connections to the database are closed. */
  release(): void;
}

interface Holding {
  users: number;
  readonly fds: number[];
}

/**
 * POSIX drops all of a process's locks on a file when *any* of its descriptors of that file is closed, and SQLite's locks
 * are such locks (pitfall 14). They belong to the process, so this table does too: a descriptor of a database
 * file or of its -shm is closed only when nobody in the process holds that file any longer.
 */
const holdings = new Map<string, Holding>();

/** @throws DATABASE_NOT_FOUND, DATABASE_UNREADABLE */
export function holdDescriptor(path: string, flags: "r" | "r+"): HeldDescriptor {
  try {
    const known = identityOf(statSync(path, { bigint: true }));
    const shared = holdings.get(key(known));
    return shared === undefined ? openAndHold(path, flags) : hold(known, shared);
  } catch (error) {
    throw fileError(path, error);
  }
}

/**
 * The identity of what `path` names now; undefined if nothing is there.
 *
 * @throws DATABASE_UNREADABLE
 */
export function identityAt(path: string): FileIdentity | undefined {
  try {
    const stat = statSync(path, { bigint: true, throwIfNoEntry: false });
    return stat && identityOf(stat);
  } catch (error) {
    throw fileError(path, error);
  }
}

export function isSameFile(a: FileIdentity | undefined, b: FileIdentity): boolean {
  return a !== undefined && a.dev === b.dev && a.ino === b.ino;
}

/** Fills `into` from `offset` on; returns how many bytes, fewer only at the end of the file. */
export function readFully(fd: number, into: Uint8Array, offset: number): number {
  let done = 0;
  while (done < into.length) {
    const got = readSync(fd, into, done, into.length - done, offset + done);
    if (got === 0) break;
    done += got;
  }
  return done;
}

/**
 * Brings to disk what anybody wrote to the file so far, off this thread. The descriptor must stay open meanwhile.
 *
 * @throws DATABASE_UNREADABLE
 */
export async function syncFile(path: string, fd: number): Promise<void> {
  try {
    await fsyncOffThread(fd);
  } catch (error) {
    throw fileError(path, error);
  }
}

function openAndHold(path: string, flags: "r" | "r+"): HeldDescriptor {
  const fd = openSync(path, flags);
  const identity = identityOf(fstatSync(fd, { bigint: true }));
  // Another file may have come under this name since the stat, one that is held already: then this descriptor stays open as long.
  const holding = holdings.get(key(identity)) ?? { users: 0, fds: [] };
  holding.fds.push(fd);
  holdings.set(key(identity), holding);
  return hold(identity, holding);
}

function hold(identity: FileIdentity, holding: Holding): HeldDescriptor {
  const [fd] = holding.fds;
  if (fd === undefined) throw new Error("a held file has a descriptor");
  return new Held(fd, identity, holding);
}

class Held implements HeldDescriptor {
  readonly fd: number;
  readonly identity: FileIdentity;
  #holding: Holding | undefined;

  constructor(fd: number, identity: FileIdentity, holding: Holding) {
    this.fd = fd;
    this.identity = identity;
    this.#holding = holding;
    holding.users += 1;
  }

  release(): void {
    const holding = this.#holding;
    this.#holding = undefined;
    if (holding === undefined) return;
    holding.users -= 1;
    if (holding.users > 0) return;
    holdings.delete(key(this.identity));
    for (const each of holding.fds) closeSync(each);
  }
}

function identityOf(stat: { readonly dev: bigint; readonly ino: bigint }): FileIdentity {
  return { dev: stat.dev, ino: stat.ino };
}

function key(identity: FileIdentity): string {
  return `${identity.dev}:${identity.ino}`;
}
