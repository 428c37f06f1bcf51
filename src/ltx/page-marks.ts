/** Pages that follow one another. */
export interface PageRun {
  readonly pgno: number;
  readonly count: number;
}

/** One bit for each page of a database. */
export class PageMarks {
  readonly #pages: number;
  readonly #bits: Uint8Array;

  constructor(pages: number) {
    this.#pages = pages;
    this.#bits = new Uint8Array((pages >>> 3) + 1);
  }

  /** A page that the database does not have is none. */
  set(pgno: number): void {
    const byte = pgno >>> 3;
    this.#bits[byte] = (this.#bits[byte] ?? 0) | (1 << (pgno & 7));
  }

  clear(pgno: number): void {
    const byte = pgno >>> 3;
    this.#bits[byte] = (this.#bits[byte] ?? 0) & ~(1 << (pgno & 7));
  }

  /** The pages that are marked, ascending, in pieces of `most`. */
  *runs(most: number): Generator<PageRun> {
    for (let pgno = 1; pgno <= this.#pages; ) {
      let end = pgno;
      while (end <= this.#pages && end - pgno < most && this.#has(end)) end++;
      if (end > pgno) yield { pgno, count: end - pgno };
      pgno = end > pgno ? end : this.#nextAfter(pgno);
    }
  }

  #has(pgno: number): boolean {
    return ((this.#bits[pgno >>> 3] ?? 0) & (1 << (pgno & 7))) !== 0;
  }

  /** Over whole bytes without a mark at once. */
  #nextAfter(pgno: number): number {
    let next = pgno + 1;
    while ((next & 7) === 0 && next <= this.#pages && this.#bits[next >>> 3] === 0) next += 8;
    return next;
  }
}
