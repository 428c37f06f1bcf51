// Decodes the page block and the page index of an LTX file (formats.md, section 2), as far as bytes have arrived.
// Nothing is believed: every length is compared with what is there before it is used.
//
// The index is proved to be that of the pages without keeping it: a CRC over the numbers of both must agree.
import { loadU16BE, loadU32BE } from "./bytes";
import { shiftByPage, update, updateU32, updateU64 } from "./crc64";
import {
  checkPgno, CHECKSUM_FLAG, newChecksumOf, PAGE_FLAG_SIZED, PAGE_HEADER_SIZE, pgnoOf, SIZED_HEADER_SIZE,
  Stream, streamSum,
} from "./ltx-stream";
import { blockBound, decompressBlock } from "./lz4";
import { decompressFrame } from "./lz4-frame";
import {
  BAD_INDEX_ENTRY, BAD_INDEX_VARINT, BAD_LZ4_TOO_SHORT, BAD_PAGE_FLAGS, BAD_PAGE_LENGTH, BATCH_ROWS,
  OUTPUT_OFFSET, OUTPUT_SIZE, STREAM_END, STREAM_NEEDS_INPUT, STREAM_OUTPUT_FULL,
} from "./memory";

const VARINT_MAX_SIZE: usize = 10;

/** Where the kernel stopped: everything before it is dealt with. */
let cursor: usize = 0;
/** Pages in OUTPUT. */
let rowCount: u32 = 0;
/** CRC registers over (pgno, offset, size) of each page, and of each index entry. */
let pagesDigest: u64 = 0;
let indexDigest: u64 = 0;
let indexCount: u32 = 0;
/** What readVarint found. */
let varint: u64 = 0;

export function decodeBegin(): void {
  rowCount = 0;
  pagesDigest = 0;
  indexDigest = 0;
  indexCount = 0;
}

/** The address behind the last byte that was dealt with; after a negative status, where the bad thing begins. */
export function decodeCursor(): i32 {
  return <i32>cursor;
}

/** Pages in OUTPUT, one behind the other; their numbers and checksums are in PGNOS and NEW_CHECKSUMS. */
export function decodedRows(): i32 {
  return rowCount;
}

/** Forgets the pages in OUTPUT: they were taken. */
export function decodeTaken(): void {
  rowCount = 0;
}

/** Decodes page frames from [at, end) up to the six zero bytes, which end the block and are dealt with too. */
export function decodePages(at: usize, end: usize): i32 {
  const pageSize = Stream.pageSize;
  const bound = blockBound(pageSize);
  while (true) {
    cursor = at;
    if (end - at < PAGE_HEADER_SIZE) return STREAM_NEEDS_INPUT;
    const pgno = loadU32BE(at);
    const flags = loadU16BE(at + 4);
    if (pgno == 0 && flags == 0) {
      streamSum(at, PAGE_HEADER_SIZE);
      cursor = at + PAGE_HEADER_SIZE;
      return STREAM_END;
    }
    if (flags & ~PAGE_FLAG_SIZED) return BAD_PAGE_FLAGS;
    const status = checkPgno(pgno);
    if (status < 0) return status;
    const page = OUTPUT_OFFSET + rowCount * pageSize;
    if (rowCount == BATCH_ROWS || page + pageSize > OUTPUT_OFFSET + OUTPUT_SIZE) return STREAM_OUTPUT_FULL;

    let headerSize = PAGE_HEADER_SIZE;
    let size: i32;
    if (flags == PAGE_FLAG_SIZED) {
      headerSize = SIZED_HEADER_SIZE;
      if (end - at < headerSize) return STREAM_NEEDS_INPUT;
      const stored = loadU32BE(at + 6);
      if (stored == 0 || stored > bound) return BAD_PAGE_LENGTH;
      if (end - at - headerSize < stored) return STREAM_NEEDS_INPUT;
      const data = at + headerSize;
      const length = decompressBlock(data, data + stored, page, page + pageSize, page);
      if (length < 0) return length;
      if (length != pageSize) return BAD_LZ4_TOO_SHORT;
      size = stored;
    } else {
      size = decompressFrame(at + headerSize, end, page, page + pageSize);
      if (size < 0) return size;
      if (size == 0) return STREAM_NEEDS_INPUT;
    }
    notePage(pgno, page, at, headerSize, <u32>size);
    at += headerSize + size;
  }
}

/** Takes a decompressed page into the checksums; one pass, as in ltx-encode.ts. */
// @ts-ignore: decorator
@inline
function notePage(pgno: u32, page: usize, header: usize, headerSize: u32, size: u32): void {
  const pageSize = Stream.pageSize;
  const behindPgno = updateU32(~0, bswap<u32>(pgno));
  const behindPage = update(behindPgno, page, pageSize);
  const checksum = ~behindPage | CHECKSUM_FLAG;
  const behindHeader = update(Stream.register, header, headerSize);
  Stream.register = shiftByPage(behindHeader ^ behindPgno, pageSize) ^ behindPage;
  Stream.summed += headerSize + pageSize;
  Stream.databaseXor ^= checksum;
  Stream.pageCount += 1;
  Stream.lastPgno = pgno;
  const frameSize = headerSize + size;
  pagesDigest = updateU64(updateU64(updateU64(pagesDigest, pgno), Stream.offset), frameSize);
  Stream.offset += frameSize;
  store<u32>(pgnoOf(rowCount), pgno);
  store<u64>(newChecksumOf(rowCount), checksum);
  rowCount += 1;
}

/** Reads index entries from [at, end) up to the 0 that ends them, which is dealt with too. */
export function decodeIndex(at: usize, end: usize): i32 {
  const start = at;
  let status: i32 = STREAM_NEEDS_INPUT;
  while (true) {
    cursor = at;
    let next = readVarint(at, end);
    if (next == at) break;
    if (next == 0) return BAD_INDEX_VARINT;
    const pgno = varint;
    if (pgno == 0) {
      if (indexCount != Stream.pageCount || indexDigest != pagesDigest) return BAD_INDEX_ENTRY;
      cursor = next;
      status = STREAM_END;
      break;
    }
    let before = next;
    next = readVarint(before, end);
    if (next == before) break;
    if (next == 0) return BAD_INDEX_VARINT;
    const offset = varint;
    before = next;
    next = readVarint(before, end);
    if (next == before) break;
    if (next == 0) return BAD_INDEX_VARINT;
    if (indexCount == Stream.pageCount) return BAD_INDEX_ENTRY;
    indexCount += 1;
    indexDigest = updateU64(updateU64(updateU64(indexDigest, pgno), offset), varint);
    at = next;
  }
  streamSum(start, <u32>(cursor - start));
  return status;
}

/**
 * Reads an unsigned varint of at most 64 bits into `varint`; longer forms of a number are allowed, as in Go.
 * @returns the address behind it, `at` when it does not end before `end`, or 0 when it is too long
 */
function readVarint(at: usize, end: usize): usize {
  let value: u64 = 0;
  for (let index: usize = 0; index < VARINT_MAX_SIZE; index += 1) {
    if (at + index >= end) return at;
    const byte: u64 = load<u8>(at + index);
    if (index == VARINT_MAX_SIZE - 1 && byte > 1) return 0;
    value |= (byte & 127) << (7 * index);
    if (byte < 128) {
      varint = value;
      return at + index + 1;
    }
  }
  return 0;
}
