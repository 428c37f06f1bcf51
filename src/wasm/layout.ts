/**
 * The one list of the core's memory regions and status codes. AssemblyScript compiles this very file too
 * (assembly/memory.ts re-exports it), so it may hold only constants whose text means the same in both languages.
 * Offsets and sizes in bytes. The drawing is in assembly/memory.ts.
 */
/** SQLite's limits; a power of two in between. */
export const PAGE_SIZE_MIN = 512;
export const PAGE_SIZE_MAX = 65536;
export const WAL_FRAME_HEADER_SIZE = 24;
/** SQLite locks bytes here, and keeps the page that holds them out of the database. */
export const LOCK_BYTE = 0x40000000;

/** Behind every region that kernels copy through: they may read and write up to so many bytes past its end. */
export const SLACK = 256;

/** AssemblyScript's own data (the patterns of lz4.ts) and everything below. */
export const STATIC_END = 4096;

/** The compressor's table of u16 positions. */
export const LZ4_TABLE_OFFSET = STATIC_END;
export const LZ4_TABLE_SIZE = 16384;

/** Rows of one batch of pages: u32 pgno, u64 old checksum, u64 new checksum, in three columns. */
export const BATCH_ROWS = 2048;
export const PGNOS_OFFSET = LZ4_TABLE_OFFSET + LZ4_TABLE_SIZE;
export const PGNOS_SIZE = BATCH_ROWS * 4;
export const OLD_CHECKSUMS_OFFSET = PGNOS_OFFSET + PGNOS_SIZE;
export const OLD_CHECKSUMS_SIZE = BATCH_ROWS * 8;
export const NEW_CHECKSUMS_OFFSET = OLD_CHECKSUMS_OFFSET + OLD_CHECKSUMS_SIZE;
export const NEW_CHECKSUMS_SIZE = BATCH_ROWS * 8;

/** Page index entries of the pages in the output region: at most 5 + 10 + 5 bytes of varints each. */
export const INDEX_ENTRY_MAX = 20;
export const INDEX_OFFSET = NEW_CHECKSUMS_OFFSET + NEW_CHECKSUMS_SIZE;
export const INDEX_SIZE = BATCH_ROWS * INDEX_ENTRY_MAX;

/** 16 WAL frames of the largest page size; pages to encode; bytes of a file to decode. */
export const INPUT_OFFSET = INDEX_OFFSET + INDEX_SIZE;
export const INPUT_SIZE = 16 * (PAGE_SIZE_MAX + WAL_FRAME_HEADER_SIZE);

/** Encoded bytes of a file, or decoded pages. */
export const OUTPUT_OFFSET = INPUT_OFFSET + INPUT_SIZE + SLACK;
export const OUTPUT_SIZE = 262144;

/** The page map's result: pairs (pgno, ordinal) of u32. */
export const ROWS_CAPACITY = 65536;
export const ROWS_OFFSET = OUTPUT_OFFSET + OUTPUT_SIZE + SLACK;
export const ROWS_SIZE = ROWS_CAPACITY * 8;

/** The page map's open-addressed hash: 8 bytes a slot. */
export const PAGE_MAP_SLOTS = 131072;
export const PAGE_MAP_OFFSET = ROWS_OFFSET + ROWS_SIZE;
export const PAGE_MAP_SIZE = PAGE_MAP_SLOTS * 8;

/** The state of one scan of a log: nine u32, drawn in assembly/wal.ts. */
export const SCAN_OFFSET = PAGE_MAP_OFFSET + PAGE_MAP_SIZE;
export const SCAN_SIZE = 64;

export const MEMORY_END = SCAN_OFFSET + SCAN_SIZE;

/** What a stream's kernel answers; a count or one of these is never negative. */
export const STREAM_NEEDS_INPUT = 0;
export const STREAM_OUTPUT_FULL = 1;
export const STREAM_END = 2;

/** Negative: bytes that are not what they should be. status.ts alone turns them into errors. */
export const BAD_PAGE_NUMBER_ZERO = -1;
export const BAD_PAGE_FLAGS = -2;
export const BAD_PAGE_ORDER = -3;
export const BAD_PAGE_ABOVE_COMMIT = -4;
export const BAD_LOCK_PAGE = -5;
export const BAD_PAGE_LENGTH = -6;
export const BAD_LZ4_BLOCK = -7;
export const BAD_LZ4_TOO_SHORT = -8;
export const BAD_LZ4_TOO_LONG = -9;
export const BAD_LZ4_FRAME = -10;
export const BAD_LZ4_FRAME_CHECKSUM = -11;
export const BAD_INDEX_VARINT = -12;
export const BAD_INDEX_ENTRY = -13;
/** Our own mistake: rows or lengths that cannot be. */
export const BAD_CALL = -14;
