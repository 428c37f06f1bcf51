import { readFileSync, statSync } from "node:fs";

const MOST_LOOKS = 100;

/**
 * The POSIX locks of this process on a file, as `READ 124-124`; from /proc/locks, so on Linux only. The kernel gives that list in pieces: where other
 * processes take and leave locks meanwhile, an entry may be in it twice, or be left out. So it is read until two looks agree.
 */
export function locksOf(path: string): readonly string[] {
  let before = lookAt(path);
  for (let looks = 0; looks < MOST_LOOKS; looks++) {
    const now = lookAt(path);
    if (now.join() === before.join()) return now;
    before = now;
  }
  throw new Error("/proc/locks does not come to rest");
}

function lookAt(path: string): readonly string[] {
  const { ino } = statSync(path);
  const locks = readFileSync("/proc/locks", "latin1")
    .split("\n")
    .map((line) => line.trim().split(/\s+/))
    .filter(
      ([, kind, , , pid, file]) =>
        kind === "POSIX" && Number(pid) === process.pid && file?.endsWith(`:${ino}`),
    )
    .map(([, , , type, , , start, end]) => `${type} ${start}-${end}`);
  return [...new Set(locks)].sort();
}

/** Bytes of the -shm that SQLite locks for WAL_READ_LOCK(0) to (4). */
const FIRST_READ_LOCK = 123;
const READ_LOCKS = 5;

/** The marks' slots that this process holds. */
export function readSlotsOf(shm: string): readonly number[] {
  const slots = Array.from({ length: READ_LOCKS }, (_, slot) => slot);
  const ranges = locksOf(shm).map((lock) => /(\d+)-(\d+)/.exec(lock));
  return slots.filter((slot) =>
    ranges.some(
      (range) => Number(range?.[1]) <= FIRST_READ_LOCK + slot && FIRST_READ_LOCK + slot <= Number(range?.[2]),
    ),
  );
}

/** A line of the list: a lock on bytes `FIRST LAST` of a file. */
export function lockLine(pid: number, inode: number | bigint, bytes: string, type = "WRITE"): string {
  return `1: POSIX  ADVISORY  ${type} ${pid} 08:01:${inode} ${bytes}\n`;
}
