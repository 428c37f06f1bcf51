import { existsSync, readFileSync, truncateSync, writeFileSync } from "node:fs";

/** Offset of nBackfill in the -shm, behind the two headers of 48 bytes (SQLite's walformat.html, section 2.1). */
const BACKFILLED_AT = 96;
const [LOG_HEADER_BYTES, FRAME_HEADER_BYTES] = [32, 24];
const [SALTS_AT, SALTS_END] = [16, 24];

/**
 * How much of a log would be there after a loss of power. The application runs with synchronous=NORMAL: SQLite syncs the log before it backfills,
 * and at no other time. What it counts as backfilled it forgets when the last connection goes, so it is noted here.
 */
export class SyncedLog {
  readonly #database: string;
  #salts = "";
  #frames = 0;

  constructor(database: string) {
    this.#database = database;
  }

  /** To be called before connections go. */
  note(): void {
    const log = contentOf(`${this.#database}-wal`);
    const shm = contentOf(`${this.#database}-shm`);
    if (
      log === undefined ||
      log.length < LOG_HEADER_BYTES ||
      shm === undefined ||
      shm.length < BACKFILLED_AT + 4
    )
      return;
    const salts = log.toString("hex", SALTS_AT, SALTS_END);
    const backfilled = shm.readUInt32LE(BACKFILLED_AT);
    this.#frames = salts === this.#salts ? Math.max(this.#frames, backfilled) : backfilled;
    this.#salts = salts;
  }

  /** The power is gone: of what was not synced `share` is left, and the rest is cut off, or zeros. Nobody may have the database open. */
  tear(share: number, zeros: boolean): void {
    const path = `${this.#database}-wal`;
    const log = contentOf(path);
    if (log === undefined || log.length < LOG_HEADER_BYTES) return;
    const syncedBytes = LOG_HEADER_BYTES + this.#frames * (FRAME_HEADER_BYTES + log.readUInt32BE(8));
    if (syncedBytes >= log.length) return;
    const keptBytes = syncedBytes + Math.floor((log.length - syncedBytes) * share);
    if (zeros)
      writeFileSync(path, Buffer.concat([log.subarray(0, keptBytes), Buffer.alloc(log.length - keptBytes)]));
    else truncateSync(path, keptBytes);
  }
}

function contentOf(path: string): Buffer | undefined {
  return existsSync(path) ? readFileSync(path) : undefined;
}
