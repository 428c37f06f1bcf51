// The scan of a SQLite log: salts and running checksum of every frame (formats.md, section 1).
import { loadU32BE } from "./bytes";
import { INPUT_OFFSET, SCAN_OFFSET, WAL_FRAME_HEADER_SIZE } from "./memory";

// The state of one scan, u32 each. The first four are given by the caller and go on from call to call;
// the others are about the frames of one call.
//
//   0 salt-1   4 salt-2   8 checksum-1   12 checksum-2
//  16 commits: commit frames in this call
//  20 frames up to and including the last of them
//  24 commit pages: its database size
//  28 checksum-1 and 32 checksum-2 behind it
const SALT_1: usize = SCAN_OFFSET;
const SALT_2: usize = SCAN_OFFSET + 4;
const CHECKSUM_1: usize = SCAN_OFFSET + 8;
const CHECKSUM_2: usize = SCAN_OFFSET + 12;
const COMMITS: usize = SCAN_OFFSET + 16;
const COMMITTED_FRAMES: usize = SCAN_OFFSET + 20;
const COMMIT_PAGES: usize = SCAN_OFFSET + 24;
const COMMIT_CHECKSUM_1: usize = SCAN_OFFSET + 28;
const COMMIT_CHECKSUM_2: usize = SCAN_OFFSET + 32;

/**
 * Verifies up to `frames` frames at the start of the input region, and stops behind the `maxCommits`-th
 * commit frame. Returns how many continue the chain.
 */
export function walScan(frames: i32, pageSize: i32, bigEndian: bool, maxCommits: u32): i32 {
  const salt1 = load<u32>(SALT_1);
  const salt2 = load<u32>(SALT_2);
  store<u32>(COMMITS, 0);
  store<u32>(COMMITTED_FRAMES, 0);

  let at: usize = INPUT_OFFSET;
  let frame: i32 = 0;
  for (; frame < frames; frame++) {
    if (loadU32BE(at) == 0 || loadU32BE(at + 8) != salt1 || loadU32BE(at + 12) != salt2) break;
    if (bigEndian) checksumFrameBE(at, pageSize);
    else checksumFrameLE(at, pageSize);
    if (loadU32BE(at + 16) != s0 || loadU32BE(at + 20) != s1) break;
    store<u32>(CHECKSUM_1, s0);
    store<u32>(CHECKSUM_2, s1);

    const commitPages = loadU32BE(at + 4);
    if (commitPages != 0) {
      const commits = load<u32>(COMMITS) + 1;
      store<u32>(COMMITS, commits);
      store<u32>(COMMITTED_FRAMES, frame + 1);
      store<u32>(COMMIT_PAGES, commitPages);
      store<u32>(COMMIT_CHECKSUM_1, s0);
      store<u32>(COMMIT_CHECKSUM_2, s1);
      if (commits == maxCommits) return frame + 1;
    }
    at += WAL_FRAME_HEADER_SIZE + pageSize;
  }
  return frame;
}

// The pair that a frame's checksum comes to: AssemblyScript returns one value only.
let s0: u32 = 0;
let s1: u32 = 0;

/** Over the first 8 bytes of the frame's header and the page, from the checksum before the frame. */
function checksumFrameLE(frame: usize, pageSize: i32): void {
  let a = load<u32>(CHECKSUM_1);
  let b = load<u32>(CHECKSUM_2);
  a += load<u32>(frame) + b;
  b += load<u32>(frame + 4) + a;
  let at = frame + WAL_FRAME_HEADER_SIZE;
  // Pages are multiples of 512: four pairs a turn.
  for (const end = at + pageSize; at < end; at += 32) {
    a += load<u32>(at) + b;
    b += load<u32>(at, 4) + a;
    a += load<u32>(at, 8) + b;
    b += load<u32>(at, 12) + a;
    a += load<u32>(at, 16) + b;
    b += load<u32>(at, 20) + a;
    a += load<u32>(at, 24) + b;
    b += load<u32>(at, 28) + a;
  }
  s0 = a;
  s1 = b;
}

/** The same with words read big-endian: logs that a big-endian machine wrote. */
function checksumFrameBE(frame: usize, pageSize: i32): void {
  let a = load<u32>(CHECKSUM_1);
  let b = load<u32>(CHECKSUM_2);
  a += loadU32BE(frame) + b;
  b += loadU32BE(frame + 4) + a;
  let at = frame + WAL_FRAME_HEADER_SIZE;
  for (const end = at + pageSize; at < end; at += 8) {
    a += loadU32BE(at) + b;
    b += loadU32BE(at + 4) + a;
  }
  s0 = a;
  s1 = b;
}
