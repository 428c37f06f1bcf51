import { crc32 } from "node:zlib";
import { runningChecksum } from "../../helpers/wal/twin.ts";

/** A log's first 32 bytes with the checksum that SQLite wants. */
export function repairLogHeader(bytes: Uint8Array): Uint8Array {
  const header = new Uint8Array(bytes);
  if (header.length < 32) return header;
  const view = new DataView(header.buffer);
  const [s0, s1] = runningChecksum(header.subarray(0, 24), view.getUint32(0) !== 0x377f0683);
  view.setUint32(24, s0);
  view.setUint32(28, s1);
  return header;
}

/** The same for a whole log: header and frames get the salts and checksums that they want. */
export function repairLog(bytes: Uint8Array): Uint8Array {
  const log = repairLogHeader(bytes);
  if (log.length < 32) return log;
  const view = new DataView(log.buffer);
  const pageSize = view.getUint32(8);
  if (pageSize < 512 || pageSize > 65536 || pageSize % 8 !== 0) return log;
  const isLittle = view.getUint32(0) !== 0x377f0683;
  let sum: [number, number] = [view.getUint32(24), view.getUint32(28)];
  for (let at = 32; at + 24 + pageSize <= log.length; at += 24 + pageSize) {
    view.setUint32(at + 8, view.getUint32(16));
    view.setUint32(at + 12, view.getUint32(20));
    sum = runningChecksum(log.subarray(at, at + 8), isLittle, sum);
    sum = runningChecksum(log.subarray(at + 24, at + 24 + pageSize), isLittle, sum);
    view.setUint32(at + 16, sum[0]);
    view.setUint32(at + 20, sum[1]);
  }
  return log;
}

/** A wal-index header with its checksum, and its second copy. */
export function repairWalIndex(bytes: Uint8Array): Uint8Array {
  const index = new Uint8Array(bytes);
  if (index.length < 96) return index;
  const view = new DataView(index.buffer);
  const [s0, s1] = runningChecksum(index.subarray(0, 40), true);
  view.setUint32(40, s0, true);
  view.setUint32(44, s1, true);
  index.copyWithin(48, 0, 48);
  return index;
}

/** A segment whose log header and own header have the checksums that they want. */
export function repairSegment(bytes: Uint8Array): Uint8Array {
  const segment = Buffer.from(bytes);
  if (segment.length < 88) return segment;
  segment.set(repairLogHeader(segment.subarray(24, 56)), 24);
  segment.writeUInt32BE(crc32(segment.subarray(0, 80)), 80);
  return segment;
}

/** One line of JSON with its CRC-32 on the next (sealed-json.ts). */
export function repairSealed(bytes: Uint8Array): Uint8Array {
  const [body = ""] = Buffer.from(bytes).toString("utf8").split("\n");
  return Buffer.from(`${body}\n${crc32(body).toString(16)}\n`);
}
