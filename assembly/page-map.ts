// The newest version of each page over many frames: pgno -> ordinal of the frame, for the pages of a window
// [from, to).
//
// An open-addressed hash in PAGE_MAP, a slot of 8 bytes: pgno u32 (0 = free), ordinal u32. It is never more
// than half full: when it is, the lower half of the pages stays, and `to` comes down to the first page that
// went. So a window, however it ends, is exact, and memory is fixed.
import { loadU32BE } from "./bytes";
import { INPUT_OFFSET, PAGE_MAP_OFFSET, PAGE_MAP_SLOTS, ROWS_OFFSET, WAL_FRAME_HEADER_SIZE } from "./memory";

const SLOT_SIZE: usize = 8;
const MAP: usize = PAGE_MAP_OFFSET;
const ROWS: usize = ROWS_OFFSET;
const SLOTS_MIN: u32 = 128;

let mask: u32 = 0;
let capacity: u32 = 0;
let count: u32 = 0;
let fromPgno: u32 = 0;
let toPgno: u32 = 0;
let lockPgno: u32 = 0;

/** Begins the window [from, to). `expectedFrames` only chooses how much memory is touched. */
export function pageMapBegin(from: u32, to: u32, lock: u32, expectedFrames: u32): void {
  let slots = SLOTS_MIN;
  while (slots < <u32>PAGE_MAP_SLOTS && slots / 2 < expectedFrames) slots *= 2;
  mask = slots - 1;
  capacity = slots / 2;
  fromPgno = from;
  toPgno = to;
  lockPgno = lock;
  clear();
}

/**
 * Adds the frames at the start of the input region; ordinals ascend from `firstOrdinal`, and from call to
 * call.
 */
export function pageMapAdd(frames: u32, pageSize: u32, firstOrdinal: u32): void {
  let at: usize = INPUT_OFFSET;
  for (let frame: u32 = 0; frame < frames; frame++) {
    const pgno = loadU32BE(at);
    if (pgno >= fromPgno && pgno < toPgno && pgno != lockPgno) {
      if (!put(pgno, firstOrdinal + frame)) {
        keepLowerHalf();
        if (pgno < toPgno) put(pgno, firstOrdinal + frame);
      }
    }
    at += WAL_FRAME_HEADER_SIZE + pageSize;
  }
}

/** Writes the rows (pgno u32, ordinal u32), ascending by pgno, and returns their number. */
export function pageMapFinish(): u32 {
  writeRows();
  sortRows(count);
  return count;
}

/** The end of the window: what was asked for, or less after an overflow. */
export function pageMapEnd(): u32 {
  return toPgno;
}

function clear(): void {
  count = 0;
  memory.fill(MAP, 0, (<usize>mask + 1) * SLOT_SIZE);
}

/** False when the page is new and there is no room for it. */
function put(pgno: u32, ordinal: u32): bool {
  // Fibonacci hashing: neighbouring pages, the usual case, spread over the table.
  let slot = ((pgno * 0x9e3779b1) >>> 15) & mask;
  while (true) {
    const at = MAP + <usize>slot * SLOT_SIZE;
    const found = load<u32>(at);
    if (found == pgno) {
      store<u32>(at, ordinal, 4);
      return true;
    }
    if (found == 0) {
      if (count == capacity) return false;
      count++;
      store<u32>(at, pgno);
      store<u32>(at, ordinal, 4);
      return true;
    }
    slot = (slot + 1) & mask;
  }
}

function keepLowerHalf(): void {
  writeRows();
  sortRows(count);
  const kept = count / 2;
  toPgno = load<u32>(row(kept));
  clear();
  for (let i: u32 = 0; i < kept; i++) put(load<u32>(row(i)), load<u32>(row(i), 4));
}

function writeRows(): void {
  let to = ROWS;
  const end = MAP + (<usize>mask + 1) * SLOT_SIZE;
  for (let from = MAP; from < end; from += SLOT_SIZE) {
    if (load<u32>(from) == 0) continue;
    store<u64>(to, load<u64>(from));
    to += SLOT_SIZE;
  }
}

// @ts-ignore: decorator
@inline
function row(i: u32): usize {
  return ROWS + <usize>i * SLOT_SIZE;
}

/** Heapsort by pgno, the low word of a row: in place and never quadratic. */
function sortRows(length: u32): void {
  for (let i = length / 2; i > 0; i--) siftDown(i - 1, length);
  for (let end = length; end > 1; end--) {
    const last = load<u64>(row(end - 1));
    store<u64>(row(end - 1), load<u64>(row(0)));
    store<u64>(row(0), last);
    siftDown(0, end - 1);
  }
}

function siftDown(start: u32, length: u32): void {
  const moved = load<u64>(row(start));
  let hole = start;
  for (let child: u32 = 2 * hole + 1; child < length; child = 2 * hole + 1) {
    if (child + 1 < length && load<u32>(row(child)) < load<u32>(row(child + 1))) child++;
    const value = load<u64>(row(child));
    if (<u32>value <= <u32>moved) break;
    store<u64>(row(hole), value);
    hole = child;
  }
  store<u64>(row(hole), moved);
}
