import { execFileSync } from "node:child_process";
import { closeSync, copyFileSync, mkdirSync, openSync, readFileSync, statSync, writeSync } from "node:fs";
import { dirname, join } from "node:path";
import { openApp } from "./temp-database.ts";

/**
 * Leaves in the log of `database` what a writer leaves that is killed between writing a commit's frames and publishing them in the
 * wal-index (with synchronous=FULL: while it waits for fsync): valid frames that SQLite does not count, and will overwrite.
 * They come from a twin that goes on from the same bytes. Nobody may be writing meanwhile.
 */
export function leaveDeadCommit(database: string, commit: (twin: ReturnType<typeof openApp>) => void): void {
  const folder = join(dirname(database), "twin");
  mkdirSync(folder, { recursive: true });
  const twinPath = join(folder, "twin.db");
  copyFileSync(`${database}-wal`, `${twinPath}-wal`);
  copyDatabase(database, twinPath);
  const end = logEnd(`${twinPath}-wal`);
  const twin = openApp(twinPath);
  commit(twin);
  const frames = readFileSync(`${twinPath}-wal`).subarray(end);
  const log = openSync(`${database}-wal`, "r+");
  writeSync(log, frames, 0, frames.length, end);
  closeSync(log);
}

function logEnd(path: string): number {
  return statSync(path).size;
}

/** Not through a descriptor of this process: closing it would drop the locks of the link under test (pitfall 14). */
function copyDatabase(from: string, to: string): void {
  execFileSync("cp", [from, to]);
}
