import { readFileSync, statSync } from "node:fs";

/** The POSIX locks of this process on a file, as `READ 124-124`; from /proc/locks, so on Linux only. */
export function locksOf(path: string): readonly string[] {
  const { ino } = statSync(path);
  return readFileSync("/proc/locks", "latin1")
    .split("\n")
    .map((line) => line.trim().split(/\s+/))
    .filter(
      ([, kind, , , pid, file]) =>
        kind === "POSIX" && Number(pid) === process.pid && file?.endsWith(`:${ino}`),
    )
    .map(([, , , type, , , start, end]) => `${type} ${start}-${end}`)
    .sort();
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
