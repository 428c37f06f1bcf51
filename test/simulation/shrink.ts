import type { Move, Schedule } from "./moves.ts";

/**
 * Leaves out of a schedule what its failure does not need: halves, quarters, and so on down to single moves, until none can go (delta debugging).
 * @param fails whether it still fails in the same way
 */
export async function shrink(
  schedule: Schedule,
  fails: (schedule: Schedule) => Promise<boolean>,
): Promise<Schedule> {
  let { moves } = schedule;
  for (let size = Math.ceil(moves.length / 2); size >= 1; ) {
    const smaller = await withoutOne(moves, size, (left) => fails({ ...schedule, moves: left }));
    if (smaller !== undefined) moves = smaller;
    else if (size === 1) break;
    size = Math.max(1, Math.min(Math.ceil(moves.length / 2), smaller === undefined ? size >> 1 : size));
  }
  return { ...schedule, moves };
}

/** The moves without one stretch of them that is not needed; undefined: each is. */
async function withoutOne(
  moves: readonly Move[],
  size: number,
  fails: (moves: readonly Move[]) => Promise<boolean>,
): Promise<readonly Move[] | undefined> {
  let left = moves;
  for (let at = moves.length - size; at >= 0; at -= size) {
    const without = [...left.slice(0, at), ...left.slice(at + size)];
    if (await fails(without)) left = without;
  }
  return left.length < moves.length ? left : undefined;
}
