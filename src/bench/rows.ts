/**
 * Row n of a measured database is a function of n alone: the writers' own record is one number, the last row whose COMMIT returned, and what was
 * restored is compared with it row by row.
 */
const CORPUS_CHARACTERS = 1 << 20;
const LEAST_LENGTH = 80;
const MOST_LENGTH = 400;
const WORDS = 4000;
const SYLLABLES = "ka ter in mo de sta ler on pre cu ti ve ment lo gra phy ex al ist ro".split(" ");

export const SCHEMA = "CREATE TABLE rows (n INTEGER PRIMARY KEY, text TEXT NOT NULL)";
export const INSERT = "INSERT INTO rows VALUES (?, ?)";

let corpus: string | undefined;

/** Words of uneven frequency and numbers: LZ4 halves them, as it does what applications store. */
export function textOfRow(n: number): string {
  corpus ??= makeCorpus();
  const spot = Math.imul(n, 2654435761) >>> 0;
  const start = spot % CORPUS_CHARACTERS;
  return corpus.slice(start, start + LEAST_LENGTH + (spot % (MOST_LENGTH - LEAST_LENGTH)));
}

function makeCorpus(): string {
  const random = seeded(20240607);
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

/** The same sequence for the same seed (mulberry32); values in [0, 1). */
export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
