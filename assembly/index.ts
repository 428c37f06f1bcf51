// The ABI of the core: every export and nothing else. Addresses are those of the regions in src/wasm/layout.ts, where the
// status codes are too; src/wasm/status.ts turns them into errors.
export { crc64, crc64Combine } from "./crc64";
export { decodeBegin, decodeCursor, decodedRows, decodeIndex, decodePages, decodeTaken } from "./ltx-decode";
export { encodedIndexLength, encodedLength, encodePages, encodeTaken } from "./ltx-encode";
export {
  streamBegin,
  streamChecksum,
  streamDatabaseXor,
  streamPageCount,
  streamSum,
  streamSummed,
} from "./ltx-stream";
export { compressBlock, decompressBlock } from "./lz4";
export { decompressFrame } from "./lz4-frame";
export { pageMapAdd, pageMapBegin, pageMapEnd, pageMapFinish } from "./page-map";
export { walScan } from "./wal";
export { checksumPages } from "./page-checksums";
export { xxh32 } from "./xxh32";
