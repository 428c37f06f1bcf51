import Database from "better-sqlite3";

/** How far one database of application.py has come. `life` counts how often its file was made anew. */
export interface Progress {
  readonly life: number;
  readonly seq: number;
}

/** The content that application.py gives to a row. */
export function contentOf(life: number, seq: number): string {
  return `${life}.${seq}:`.repeat(300).slice(0, 100 + ((seq * 7919) % 800));
}

/**
 * The oracle: the file is sound, and holds the ring of application.py as it was after one of its transactions, row by row, and nothing
 * else. Returns which; undefined for a file from before its first one. Throws if it is anything else. The file must not be open elsewhere in
 * this process.
 */
export function recordOf(file: string, slots: number): Progress | undefined {
  const db = new Database(file, { readonly: true, fileMustExist: true });
  try {
    const sound = db.pragma("integrity_check", { simple: true });
    if (sound !== "ok") throw new Error(`${file}: ${sound}`);
    if (db.prepare("SELECT count(*) FROM sqlite_master").pluck().get() === 0) return undefined;
    const last = db.prepare<[], Progress>("SELECT life, seq FROM last").get();
    if (last === undefined) throw new Error(`${file}: its record is missing`);
    let rows = 0;
    for (const row of db.prepare<[], Row>("SELECT slot, seq, content FROM ring").iterate()) {
      rows += 1;
      // of the transactions so far, the last one that wrote this slot
      const seq = last.seq - ((((last.seq - row.slot) % slots) + slots) % slots);
      if (row.seq !== seq || row.content !== contentOf(last.life, seq))
        throw new Error(
          `${file}: slot ${row.slot} of ${last.life}.${last.seq} holds ${row.content.slice(0, 20)}`,
        );
    }
    if (rows !== Math.min(last.seq, slots))
      throw new Error(`${file}: ${rows} rows at ${last.life}.${last.seq}`);
    return last;
  } finally {
    db.close();
  }
}

interface Row {
  readonly slot: number;
  readonly seq: number;
  readonly content: string;
}

/** Negative: `a` is older. */
export function compareProgress(a: Progress, b: Progress): number {
  return a.life - b.life || a.seq - b.seq;
}
