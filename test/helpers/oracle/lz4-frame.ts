import { buildBlock } from "./lz4.ts";
import { xxh32 } from "./xxh32.ts";

export interface FrameOptions {
  readonly independent?: boolean;
  readonly blockChecksums?: boolean;
  readonly contentSize?: boolean;
  readonly contentChecksum?: boolean;
  /** Bytes of data in each block. */
  readonly blockSize?: number;
  /** Blocks are stored as they are. */
  readonly stored?: boolean;
}

const u32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
};

/** An LZ4 frame (lz4_Frame_format.md). A linked block begins with a match into the one before, where the data allow it. */
export function buildFrame(data: Buffer, options: FrameOptions = {}): Buffer {
  const { independent = true, blockChecksums = false, contentSize = false, contentChecksum = true } = options;
  const { blockSize = 65536, stored = false } = options;
  const flags =
    0x40 |
    (independent ? 0x20 : 0) |
    (blockChecksums ? 0x10 : 0) |
    (contentSize ? 0x08 : 0) |
    (contentChecksum ? 0x04 : 0);
  const size = Buffer.alloc(8);
  size.writeBigUInt64LE(BigInt(data.length));
  const descriptor = Buffer.concat([Buffer.from([flags, 0x40]), contentSize ? size : Buffer.alloc(0)]);
  const parts = [u32(0x184d2204), descriptor, Buffer.from([(xxh32(descriptor) >>> 8) & 255])];
  for (let at = 0; at < data.length; at += blockSize) {
    const part = data.subarray(at, at + blockSize);
    const linkable = !independent && at > 0 && part.length >= 4 && part[0] === data[at - 1];
    const run = linkable ? runLength(part) : 0;
    const block = stored
      ? part
      : buildBlock(
          run >= 4
            ? [
                { literals: part.subarray(0, 0), distance: 1, matchLength: run },
                { literals: part.subarray(run) },
              ]
            : [{ literals: part }],
        );
    parts.push(u32(stored ? (block.length | 0x80000000) >>> 0 : block.length), block);
    if (blockChecksums) parts.push(u32(xxh32(block)));
  }
  parts.push(u32(0));
  if (contentChecksum) parts.push(u32(xxh32(data)));
  return Buffer.concat(parts);
}

function runLength(bytes: Uint8Array): number {
  const end = bytes.findIndex((byte) => byte !== bytes[0]);
  return end < 0 ? bytes.length : end;
}
