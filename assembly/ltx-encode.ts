// Encodes pages where they lie in INPUT to page frames in OUTPUT, and their index entries in INDEX.
//
//   page frame: pgno u32 | flags u16 = 1 | size u32 | LZ4 block        (big-endian; formats.md, section 2)
//   index entry: pgno, offset, size of the frame as unsigned varints
//
// One pass over a page serves both its own checksum and the file's: with s the register behind the pgno and f the file's
// behind the frame's header, CRC(f, page) = CRC(s, page) ^ (f ^ s) * x^(8 * page size), because CRC is linear.
import { storeU16BE, storeU32BE } from "./bytes";
import { shiftByPage, update, updateU16, updateU32, updateU64 } from "./crc64";
import {
  checkPgno, CHECKSUM_FLAG, newChecksumOf, oldChecksumOf, PAGE_FLAG_SIZED, pgnoOf, SIZED_HEADER_SIZE,
  Stream,
} from "./ltx-stream";
import { blockBound, compressBlock } from "./lz4";
import {
  BAD_CALL, BATCH_ROWS, INDEX_ENTRY_MAX, INDEX_OFFSET, INDEX_SIZE, INPUT_OFFSET, INPUT_SIZE, OUTPUT_OFFSET,
  OUTPUT_SIZE,
} from "./memory";

let outputEnd: usize = OUTPUT_OFFSET;
let indexEnd: usize = INDEX_OFFSET;

/** Forgets what OUTPUT and INDEX hold: before the first page, and when both were taken. */
export function encodeTaken(): void {
  outputEnd = OUTPUT_OFFSET;
  indexEnd = INDEX_OFFSET;
}

/** Bytes of page frames in OUTPUT. */
export function encodedLength(): i32 {
  return <i32>(outputEnd - OUTPUT_OFFSET);
}

/** Bytes of index entries in INDEX. */
export function encodedIndexLength(): i32 {
  return <i32>(indexEnd - INDEX_OFFSET);
}

/**
 * Encodes the rows [first, count) of the batch: page `i` lies at i * page size. Rows whose old checksum is the page's are
 * left out. Every row passed gets its new checksum.
 * @returns the first row that is left because OUTPUT or INDEX has no room for it (`count` when none is), or a status
 */
export function encodePages(first: u32, count: u32): i32 {
  const pageSize = Stream.pageSize;
  if (count > <u32>BATCH_ROWS || <u64>count * pageSize > <u64>INPUT_SIZE) return BAD_CALL;
  const room: usize = SIZED_HEADER_SIZE + blockBound(pageSize);
  for (let row = first; row < count; row += 1) {
    if (outputEnd + room > <usize>(OUTPUT_OFFSET + OUTPUT_SIZE)) return row;
    if (indexEnd + INDEX_ENTRY_MAX > <usize>(INDEX_OFFSET + INDEX_SIZE)) return row;
    const pgno = load<u32>(pgnoOf(row));
    const status = checkPgno(pgno);
    if (status < 0) return status;
    Stream.lastPgno = pgno;
    encodePage(row, pgno, INPUT_OFFSET + row * pageSize);
  }
  return count;
}

// @ts-ignore: decorator
@inline
function encodePage(row: u32, pgno: u32, page: usize): void {
  const pageSize = Stream.pageSize;
  const behindPgno = updateU32(~0, bswap<u32>(pgno));
  const behindPage = update(behindPgno, page, pageSize);
  const checksum = ~behindPage | CHECKSUM_FLAG;
  const oldChecksum = load<u64>(oldChecksumOf(row));
  store<u64>(newChecksumOf(row), checksum);
  if (checksum == oldChecksum) return;

  const frame = outputEnd;
  const size = compressBlock(page, pageSize, frame + SIZED_HEADER_SIZE);
  storeU32BE(frame, pgno);
  storeU16BE(frame + 4, PAGE_FLAG_SIZED);
  storeU32BE(frame + 6, size);
  const behindHeader = updateU16(updateU64(Stream.register, load<u64>(frame)), load<u16>(frame, 8));
  Stream.register = shiftByPage(behindHeader ^ behindPgno, pageSize) ^ behindPage;
  Stream.summed += SIZED_HEADER_SIZE + pageSize;
  Stream.databaseXor ^= checksum ^ oldChecksum;
  Stream.pageCount += 1;

  const frameSize = SIZED_HEADER_SIZE + size;
  indexEnd = storeVarint(storeVarint(storeVarint(indexEnd, pgno), Stream.offset), frameSize);
  Stream.offset += frameSize;
  outputEnd = frame + frameSize;
}

function storeVarint(at: usize, value: u64): usize {
  for (; value >= 128; value >>= 7) {
    store<u8>(at, value | 128);
    at += 1;
  }
  store<u8>(at, value);
  return at + 1;
}
