import type { LtxHeader } from "../../../src/ltx/format.ts";
import { crc64 } from "./crc64.ts";
import { buildBlock } from "./lz4.ts";

const CHECKSUM_FLAG = 1n << 63n;

export interface OraclePage {
  readonly pgno: number;
  /** Decompressed: what the file checksum runs over. */
  readonly data: Uint8Array;
  /** An LZ4 frame to store the page as; by default it becomes a block of literals. */
  readonly frame?: Uint8Array;
}

const u16 = (value: number) => integer(2, BigInt(value));
const u32 = (value: number) => integer(4, BigInt(value));
const u64 = (value: bigint) => integer(8, value);

function integer(size: number, value: bigint): Buffer {
  return Buffer.from(value.toString(16).padStart(2 * size, "0"), "hex");
}

function varint(value: number): number[] {
  return value < 128 ? [value] : [(value & 127) | 128, ...varint(Math.floor(value / 128))];
}

/** An LTX file (formats.md, section 2) put together field by field; it refuses nothing and shares no code with ours. */
export function writeLtx(header: LtxHeader, pages: readonly OraclePage[], postApply: bigint): Buffer {
  const head = Buffer.concat([
    Buffer.from("LTX1"),
    u32(header.flags),
    u32(header.pageSizeBytes),
    u32(header.commit),
    u64(header.minTxid),
    u64(header.maxTxid),
    u64(BigInt(header.timestampMs)),
    u64(header.preApply),
    u64(header.walOffset),
    u64(header.walSize),
    u32(header.walSalt1),
    u32(header.walSalt2),
    u64(header.nodeId),
    u64(header.bodyChecksum),
    Buffer.alloc(12),
  ]);
  const stored = [head];
  const summed = [head];
  const index: number[] = [];
  let offset = head.length;
  for (const { pgno, data, frame } of pages) {
    const body = frame ?? buildBlock([{ literals: data }]);
    const pageHeader = frame
      ? Buffer.concat([u32(pgno), u16(0)])
      : Buffer.concat([u32(pgno), u16(1), u32(body.length)]);
    stored.push(pageHeader, Buffer.from(body));
    summed.push(pageHeader, Buffer.from(data));
    const size = pageHeader.length + body.length;
    index.push(...varint(pgno), ...varint(offset), ...varint(size));
    offset += size;
  }
  const tail = Buffer.concat([
    Buffer.alloc(6),
    Buffer.from([...index, 0]),
    u64(BigInt(index.length + 1)),
    u64(postApply),
  ]);
  const fileChecksum = crc64(Buffer.concat([...summed, tail])) | CHECKSUM_FLAG;
  return Buffer.concat([...stored, tail, u64(fileChecksum)]);
}
