import pLimit from "p-limit";
import type { WorkLimit } from "../replication/publisher.ts";

/** Reading a whole large database takes a core for long: so few at once that the small publications of the others always find one. */
const LARGE_AT_ONCE = 2;
const LARGE_BYTES = 64 * 1024 ** 2;

/** Bounds the work with storage, over all databases. */
export function workLimit(atOnce: number): WorkLimit {
  const all = pLimit(atOnce);
  const large = pLimit(LARGE_AT_ONCE);
  return (sizeBytes, work) => (sizeBytes < LARGE_BYTES ? all(work) : large(() => all(work)));
}
