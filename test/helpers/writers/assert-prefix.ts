import Database from "better-sqlite3";
import { expect } from "vitest";

export interface PrefixOptions {
  /** What the writer had acknowledged when the copy was asked for. */
  readonly atLeast?: number;
  /** What the writer had written in the end. */
  readonly atMost?: number;
}

/** The content that writer.py gives to the row of this number. */
export function bodyOf(seq: number): string {
  return `${seq}:`.repeat(200).slice(0, 20 + ((seq * 7919) % 400));
}

/**
 * The oracle: the database is sound, and holds rows 1..n of writer.py and nothing else, row by row, as after one of its
 * transactions. Returns n. The file must not be open elsewhere.
 */
export function assertPrefix(file: string, options: PrefixOptions = {}): number {
  const db = new Database(file, { fileMustExist: true });
  try {
    expect(db.pragma("integrity_check", { simple: true }), file).toBe("ok");
    let count = 0;
    for (const row of db
      .prepare<[], { seq: number; body: string }>("SELECT seq, body FROM log ORDER BY id")
      .iterate()) {
      count += 1;
      if (row.seq !== count || row.body !== bodyOf(count))
        expect(row, file).toEqual({ seq: count, body: bodyOf(count) });
    }
    expect(
      db.prepare("SELECT seq FROM last").pluck().get(),
      `${file}: last and log are of one transaction`,
    ).toBe(count);
    expect(count, `${file}: rows that were acknowledged`).toBeGreaterThanOrEqual(options.atLeast ?? 0);
    expect(count, `${file}: rows that were written`).toBeLessThanOrEqual(options.atMost ?? count);
    return count;
  } finally {
    db.close();
  }
}
