import { closest, distance } from "fastest-levenshtein";

/** The known word that was probably meant, if one is near enough to be worth naming. */
export function nearMiss(word: string, known: readonly string[]): string | undefined {
  if (known.length === 0) return undefined;
  const candidate = closest(word, [...known]);
  return distance(word, candidate) <= Math.max(1, Math.floor(word.length / 3)) ? candidate : undefined;
}

/** ` (did you mean x?)`, or nothing. */
export function didYouMean(word: string, known: readonly string[]): string {
  const candidate = nearMiss(word, known);
  return candidate === undefined ? "" : ` (did you mean ${candidate}?)`;
}
