import { dice } from "./dice.ts";

/**
 * Row n of a measured database is a function of n alone, and of the last revision that changed it: the writers' own record is the last row and the
 * last revision whose COMMIT returned, and what was restored is compared with it row by row.
 */
const CORPUS_CHARACTERS = 1 << 20;
const LEAST_LENGTH = 80;
const MOST_LENGTH = 400;
const WORDS = 4000;
const SYLLABLES = "ka ter in mo de sta ler on pre cu ti ve ment lo gra phy ex al ist ro".split(" ");

export const SCHEMA = "CREATE TABLE rows (n INTEGER PRIMARY KEY, text TEXT NOT NULL)";
export const INSERT = "INSERT INTO rows VALUES (?, ?)";
export const UPDATE = "UPDATE rows SET text = ? WHERE n = ?";

let corpus: string | undefined;

/** Words of uneven frequency and numbers: LZ4 halves them, as it does what applications store. All revisions of a row are equally long. */
export function textOfRow(n: number, revision = 0): string {
  corpus ??= makeCorpus();
  const spot = scattered(n);
  const start = (revision === 0 ? spot : scattered(spot + revision)) % CORPUS_CHARACTERS;
  return corpus.slice(start, start + LEAST_LENGTH + (spot % (MOST_LENGTH - LEAST_LENGTH)));
}

/** One row of each `pages` equal parts of the table: on pages of their own, where a part is larger than a page. `revision` counts from 1. */
export function revisedRows(revision: number, { rows, pages }: { rows: number; pages: number }): number[] {
  const distance = Math.floor(rows / pages);
  const first = 1 + (scattered(revision) % distance);
  return Array.from({ length: pages }, (_, index) => first + index * distance);
}

function scattered(value: number): number {
  return Math.imul(value, 2654435761) >>> 0;
}

function makeCorpus(): string {
  const random = dice(20240607);
  const below = (limit: number) => Math.floor(random() * limit);
  const word = () => Array.from({ length: 1 + below(4) }, () => SYLLABLES[below(SYLLABLES.length)]).join("");
  const words = Array.from({ length: WORDS }, word);
  const parts: string[] = [];
  for (let length = 0; length < CORPUS_CHARACTERS + MOST_LENGTH; ) {
    const frequent = words[Math.floor(WORDS ** random()) - 1];
    const part = (random() < 0.9 ? frequent : undefined) ?? String(below(1e9));
    parts.push(part);
    length += part.length + 1;
  }
  return parts.join(" ");
}
