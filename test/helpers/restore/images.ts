import { readFileSync } from "node:fs";
import { tempDatabase } from "../sqlite/temp-database.ts";

/** Images of a database that never was one: for everything but SQLite's own check. */
export class ImageMaker {
  readonly #pageSizeBytes: number;
  #state: number;

  constructor(pageSizeBytes: number, seed = 1) {
    this.#pageSizeBytes = pageSizeBytes;
    this.#state = seed;
  }

  /** `pages` pages, of which about `changed` differ from `before`; all of them without it. */
  next(pages: number, before: Uint8Array = new Uint8Array(), changed = 3): Uint8Array {
    const size = this.#pageSizeBytes;
    const image = new Uint8Array(pages * size);
    image.set(before.subarray(0, image.length));
    for (let pgno = Math.floor(before.length / size) + 1; pgno <= pages; pgno++) this.#fill(image, pgno);
    if (pages > 0) for (let i = 0; i < changed; i++) this.#fill(image, (this.#random() % pages) + 1);
    return image;
  }

  #fill(image: Uint8Array, pgno: number): void {
    const size = this.#pageSizeBytes;
    const page = image.subarray((pgno - 1) * size, pgno * size).fill(pgno & 0xff);
    for (let at = 0; at < size / 2; at += 3) page[at] = this.#random() & 0xff;
  }

  #random(): number {
    this.#state = (Math.imul(this.#state, 1_103_515_245) + 12_345) >>> 0;
    return this.#state >>> 8;
  }
}

/** Images of a real database in WAL mode after each of these statements, everything backfilled. */
export function sqliteImages(
  statements: readonly string[],
  options: { readonly pageSize?: number } = {},
): Uint8Array[] {
  const app = tempDatabase({ rows: 0, ...options });
  return statements.map((sql) => {
    app.exec(sql);
    app.pragma("wal_checkpoint(TRUNCATE)");
    return new Uint8Array(readFileSync(app.name));
  });
}
