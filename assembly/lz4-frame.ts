// LZ4 frames (lz4_Frame_format.md, version 1.6.x): how LTX writers before superfly/ltx 0.5.2 stored a page. Read only.
// A frame does not say how long it is, so it is read from its start until all of it has arrived.
//
//   magic u32 | FLG u8 | BD u8 | content size u64 if FLG bit 3 | HC u8 |
//   blocks: size u32 (bit 31: stored as it is), data, checksum u32 if FLG bit 4 | 0 u32 | content checksum u32 if FLG bit 2
import { decompressBlock } from "./lz4";
import { BAD_LZ4_FRAME, BAD_LZ4_FRAME_CHECKSUM, BAD_LZ4_TOO_LONG, BAD_LZ4_TOO_SHORT } from "./memory";
import { xxh32 } from "./xxh32";

const MAGIC: u32 = 0x184d2204;
const FLAG_INDEPENDENT: u32 = 0x20;
const FLAG_BLOCK_CHECKSUM: u32 = 0x10;
const FLAG_CONTENT_SIZE: u32 = 0x08;
const FLAG_CONTENT_CHECKSUM: u32 = 0x04;
/** Reserved, and the id of a dictionary that no page has. */
const FLAGS_REFUSED: u32 = 0x03;
const STORED: u32 = 0x80000000;

/**
 * Decompresses the frame at `from` to exactly [to, toEnd).
 * @returns the size of the frame, 0 when it does not end before `fromEnd`, or a negative status
 */
export function decompressFrame(from: usize, fromEnd: usize, to: usize, toEnd: usize): i32 {
  const start = from;
  const base = to;
  if (fromEnd - from < 7) return 0;
  if (load<u32>(from) != MAGIC) return BAD_LZ4_FRAME;
  const flags: u32 = load<u8>(from, 4);
  const descriptor: u32 = load<u8>(from, 5);
  const maxSizeCode = descriptor >> 4;
  if (flags >> 6 != 1 || flags & FLAGS_REFUSED || descriptor & 0x8f || maxSizeCode < 4) return BAD_LZ4_FRAME;
  const headSize: usize = flags & FLAG_CONTENT_SIZE ? 15 : 7;
  if (fromEnd - from < headSize) return 0;
  if (load<u8>(from + headSize - 1) != <u8>(xxh32(from + 4, headSize - 5) >> 8))
    return BAD_LZ4_FRAME_CHECKSUM;
  if (flags & FLAG_CONTENT_SIZE && load<u64>(from, 6) != toEnd - to) return BAD_LZ4_FRAME;
  const maxSize: u32 = 1 << (8 + 2 * maxSizeCode);
  const blockTail: usize = flags & FLAG_BLOCK_CHECKSUM ? 4 : 0;
  from += headSize;

  while (true) {
    if (fromEnd - from < 4) return 0;
    const word = load<u32>(from);
    from += 4;
    if (word == 0) break;
    const size = word & ~STORED;
    if (size > maxSize) return BAD_LZ4_FRAME;
    if (fromEnd - from < size + blockTail) return 0;
    if (blockTail && xxh32(from, size) != load<u32>(from + size)) return BAD_LZ4_FRAME_CHECKSUM;
    if (word & STORED) {
      if (size > toEnd - to) return BAD_LZ4_TOO_LONG;
      memory.copy(to, from, size);
      to += size;
    } else {
      const length = decompressBlock(from, from + size, to, toEnd, flags & FLAG_INDEPENDENT ? to : base);
      if (length < 0) return length;
      to += length;
    }
    from += size + blockTail;
  }
  if (to != toEnd) return BAD_LZ4_TOO_SHORT;
  if (flags & FLAG_CONTENT_CHECKSUM) {
    if (fromEnd - from < 4) return 0;
    if (xxh32(base, to - base) != load<u32>(from)) return BAD_LZ4_FRAME_CHECKSUM;
    from += 4;
  }
  return <i32>(from - start);
}
