import { decompressBlock } from "../../helpers/oracle/lz4.ts";
import { xxh32 } from "../../helpers/oracle/xxh32.ts";

export interface TwinFrame {
  readonly data: Uint8Array;
  /** Bytes of the frame. */
  readonly size: number;
}

/** Reads an LZ4 frame of exactly `limit` bytes of data (lz4_Frame_format.md), slowly. Undefined: it is none, or not whole. */
export function readFrame(bytes: Buffer, limit: number): TwinFrame | undefined {
  if (bytes.length < 7 || bytes.readUInt32LE(0) !== 0x184d2204) return undefined;
  const [flags = 0, descriptor = 0] = bytes.subarray(4, 6);
  const blockMax = descriptor >> 4;
  if (flags >> 6 !== 1 || (flags & 3) !== 0 || (descriptor & 0x8f) !== 0 || blockMax < 4) return undefined;
  const [isIndependent, sums, hasSize, hasSum] = [0x20, 0x10, 0x08, 0x04].map((bit) => (flags & bit) !== 0);
  let at = hasSize ? 15 : 7;
  if (bytes.length < at) return undefined;
  if (bytes[at - 1] !== ((xxh32(bytes.subarray(4, at - 1)) >>> 8) & 255)) return undefined;
  if (hasSize && bytes.readBigUInt64LE(6) !== BigInt(limit)) return undefined;
  const data: number[] = [];
  for (;;) {
    if (at + 4 > bytes.length) return undefined;
    const word = bytes.readUInt32LE(at);
    at += 4;
    if (word === 0) break;
    const size = word & 0x7fffffff;
    const end = at + size + (sums ? 4 : 0);
    if (size > 1 << (8 + 2 * blockMax) || end > bytes.length) return undefined;
    const block = bytes.subarray(at, at + size);
    if (sums && xxh32(block) !== bytes.readUInt32LE(at + size)) return undefined;
    const isStored = word >>> 31 === 1;
    const out = isStored
      ? [...block]
      : decompressBlock(block, limit - data.length, isIndependent ? [] : data);
    if (out === undefined || data.length + out.length > limit) return undefined;
    for (const byte of out) data.push(byte);
    at = end;
  }
  if (data.length !== limit) return undefined;
  if (!hasSum) return { data: Uint8Array.from(data), size: at };
  if (at + 4 > bytes.length || bytes.readUInt32LE(at) !== xxh32(Uint8Array.from(data))) return undefined;
  return { data: Uint8Array.from(data), size: at + 4 };
}

/** The same bytes with the checksums that a reader wants, as far as they can be read as a frame. */
export function repairFrame(bytes: Uint8Array, limit: number): Uint8Array {
  const frame = Buffer.from(bytes);
  const flags = frame[4] ?? 0;
  const headSize = flags & 0x08 ? 15 : 7;
  if (frame.length < headSize) return frame;
  frame[headSize - 1] = (xxh32(frame.subarray(4, headSize - 1)) >>> 8) & 255;
  const data: number[] = [];
  for (let at = headSize; at + 4 <= frame.length; ) {
    const word = frame.readUInt32LE(at);
    const size = word & 0x7fffffff;
    at += 4;
    if (word === 0) {
      if (flags & 0x04 && at + 4 <= frame.length) frame.writeUInt32LE(xxh32(Uint8Array.from(data)), at);
      break;
    }
    if (at + size > frame.length) break;
    const block = frame.subarray(at, at + size);
    const out = word >>> 31 ? [...block] : decompressBlock(block, limit, flags & 0x20 ? [] : data);
    for (const byte of out ?? []) data.push(byte);
    at += size;
    if (flags & 0x10 && at + 4 <= frame.length) frame.writeUInt32LE(xxh32(block), at);
    if (flags & 0x10) at += 4;
  }
  return frame;
}
