import pLimit from "p-limit";
import type { WorkLimit } from "../replication/publisher.ts";

/** Databases opened at once: each reads its remote state and its log. */
const OPENING_AT_ONCE = 8;
/** Reading a whole large database takes a core for long: so few at once that the small publications of the others always find one. */
const LARGE_AT_ONCE = 2;
const LARGE_BYTES = 64 * 1024 ** 2;

export function openingLimit(): <T>(work: () => Promise<T>) => Promise<T> {
  return pLimit(OPENING_AT_ONCE);
}

/** Bounds the work with storage, over all databases. */
export function workLimit(atOnce: number): WorkLimit {
  const all = pLimit(atOnce);
  const large = pLimit(LARGE_AT_ONCE);
  return (sizeBytes, work) => (sizeBytes < LARGE_BYTES ? all(work) : large(() => all(work)));
}
