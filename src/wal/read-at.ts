/**
 * Reads from a log at a byte offset into the whole of `into`; returns how many bytes, fewer only at the end
 * of the file.
 */
export type ReadAt = (into: Uint8Array, offset: number) => number;
