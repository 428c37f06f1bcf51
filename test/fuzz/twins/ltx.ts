import { createHash } from "node:crypto";
import { decompressBlock } from "../../helpers/oracle/lz4.ts";
import { readFrame } from "./lz4-frame.ts";

/*
 * A slow, obvious reader of LTX files (formats.md, sections 2, 3 and 6): the oracle of the decoder, written from the document. It shares no code
 * with ours but the oracles of LZ4.
 */

export interface TwinPage {
  readonly pgno: number;
  readonly data: Uint8Array;
}

/** As far as a file can be read: the rest of it is `undefined`. */
interface Walk {
  readonly pages: readonly (TwinPage & { readonly offset: number; readonly size: number })[];
  /** Over what it runs: headers as stored, pages decompressed. */
  readonly summed: Buffer;
  /** Behind the six zero bytes. */
  readonly indexAt: number;
}

const BIT_63 = 1n << 63n;
const HEADER = 100;
const TRAILER = 16;

/** The pages of a sound file; undefined: it must be refused. */
export function readLtx(bytes: Uint8Array): readonly TwinPage[] | undefined {
  const file = Buffer.from(bytes);
  if (!isHeaderSound(file)) return undefined;
  const walk = walkPages(file);
  if (walk === undefined || !areNumbersSound(file, walk.pages)) return undefined;
  const indexEnd = readIndex(file, walk);
  if (indexEnd === undefined || file.length !== indexEnd + 8 + TRAILER) return undefined;
  if (file.readBigUInt64BE(indexEnd) !== BigInt(indexEnd - walk.indexAt)) return undefined;
  return areChecksumsSound(file, walk) ? walk.pages : undefined;
}

/** The same bytes with page index, body checksum, post-apply and file checksum as its header and pages want them. */
export function repairLtx(bytes: Uint8Array): Uint8Array {
  const walk = bytes.length > HEADER ? walkPages(Buffer.from(bytes)) : undefined;
  if (walk === undefined) return bytes;
  const file = Buffer.from(bytes);
  const index = Buffer.from([
    ...walk.pages.flatMap(({ pgno, offset, size }) => [pgno, offset, size].flatMap(varint)),
    0,
  ]);
  const size = Buffer.alloc(8);
  size.writeBigUInt64BE(BigInt(index.length));
  const body = Buffer.concat([file.subarray(HEADER, walk.indexAt), index, size]);
  const isSnapshot = file.readBigUInt64BE(16) === 1n;
  const hasChecksums = (file.readUInt32BE(4) & 2) === 0;
  const postApply = !hasChecksums
    ? 0n
    : isSnapshot || file.readUInt32BE(12) === 0
      ? databaseChecksum(walk.pages)
      : BIT_63 | 5n;
  if (file.readBigUInt64BE(80) !== 0n) file.writeBigUInt64BE(bodyChecksum(body), 80);
  const trailer = Buffer.alloc(TRAILER);
  trailer.writeBigUInt64BE(postApply, 0);
  const summed = Buffer.concat([file.subarray(0, HEADER), walk.summed, index, size, trailer.subarray(0, 8)]);
  trailer.writeBigUInt64BE(crc64(summed) | BIT_63, 8);
  return new Uint8Array(Buffer.concat([file.subarray(0, HEADER), body, trailer]));
}

function isHeaderSound(file: Buffer): boolean {
  if (file.length < HEADER || file.toString("latin1", 0, 4) !== "LTX1") return false;
  const [flags, pageSize] = [file.readUInt32BE(4), file.readUInt32BE(8)];
  if (flags !== 0 && flags !== 2) return false;
  if (!PAGE_SIZES.includes(pageSize)) return false;
  const [min, max, time] = [file.readBigUInt64BE(16), file.readBigUInt64BE(24), file.readBigInt64BE(32)];
  const [preApply, walOffset, walSize] = [
    file.readBigUInt64BE(40),
    file.readBigInt64BE(48),
    file.readBigInt64BE(56),
  ];
  if (min === 0n || max < min || time < 0n || time > LAST_TIME) return false;
  const mayHavePreApply = flags === 0 && min > 1n;
  if (mayHavePreApply ? preApply < BIT_63 : preApply !== 0n) return false;
  if (walOffset < 0n || walSize < 0n) return false;
  if (walOffset === 0n && (walSize !== 0n || file.readBigUInt64BE(64) !== 0n)) return false;
  const body = file.readBigUInt64BE(80);
  if (body !== 0n && body < BIT_63) return false;
  return file.subarray(88, HEADER).every((byte) => byte === 0);
}

const PAGE_SIZES = [512, 1024, 2048, 4096, 8192, 16384, 32768, 65536];
const LAST_TIME = BigInt(Date.parse("9999-12-31T23:59:59.999Z"));

function walkPages(file: Buffer): Walk | undefined {
  const pageSize = file.readUInt32BE(8);
  if (!PAGE_SIZES.includes(pageSize)) return undefined;
  const pages: (TwinPage & { offset: number; size: number })[] = [];
  const summed: Buffer[] = [];
  for (let at = HEADER; ; ) {
    if (at + 6 > file.length) return undefined;
    const [pgno, flags] = [file.readUInt32BE(at), file.readUInt16BE(at + 4)];
    if (pgno === 0 && flags === 0) {
      summed.push(file.subarray(at, at + 6));
      return { pages, summed: Buffer.concat(summed), indexAt: at + 6 };
    }
    const page =
      flags === 1 ? blockAt(file, at, pageSize) : flags === 0 ? frameAt(file, at, pageSize) : undefined;
    if (page === undefined) return undefined;
    pages.push({ pgno, data: page.data, offset: at, size: page.size });
    summed.push(file.subarray(at, at + (flags === 1 ? 10 : 6)), Buffer.from(page.data));
    at += page.size;
  }
}

function blockAt(file: Buffer, at: number, pageSize: number) {
  if (at + 10 > file.length) return undefined;
  const size = file.readUInt32BE(at + 6);
  if (size === 0 || size > pageSize + Math.floor(pageSize / 255) + 16 || at + 10 + size > file.length)
    return undefined;
  const data = decompressBlock(file.subarray(at + 10, at + 10 + size), pageSize);
  return data?.length === pageSize ? { data: Uint8Array.from(data), size: 10 + size } : undefined;
}

function frameAt(file: Buffer, at: number, pageSize: number) {
  const frame = readFrame(file.subarray(at + 6), pageSize);
  return frame && { data: frame.data, size: 6 + frame.size };
}

function areNumbersSound(file: Buffer, pages: readonly TwinPage[]): boolean {
  const commit = file.readUInt32BE(12);
  const lockPage = 0x40000000 / file.readUInt32BE(8) + 1;
  let last = 0;
  for (const { pgno } of pages) {
    if (pgno <= last || pgno > commit || pgno === lockPage) return false;
    last = pgno;
  }
  const isSnapshot = file.readBigUInt64BE(16) === 1n;
  return !isSnapshot || pages.length === (commit < lockPage ? commit : commit - 1);
}

/** Where it ends; undefined: it is not that of the pages. */
function readIndex(file: Buffer, { pages, indexAt }: Walk): number | undefined {
  let at = indexAt;
  const next = (): bigint | undefined => {
    let value = 0n;
    for (let i = 0; i < 10; i++) {
      const byte = file[at++];
      if (byte === undefined || (i === 9 && byte > 1)) return undefined;
      value |= BigInt(byte & 127) << BigInt(7 * i);
      if (byte < 128) return value;
    }
    return undefined;
  };
  for (const { pgno, offset, size } of pages) {
    for (const field of [pgno, offset, size]) if (next() !== BigInt(field)) return undefined;
  }
  return next() === 0n ? at : undefined;
}

function areChecksumsSound(file: Buffer, { pages, summed, indexAt }: Walk): boolean {
  const trailerAt = file.length - TRAILER;
  const [postApply, fileChecksum] = [file.readBigUInt64BE(trailerAt), file.readBigUInt64BE(trailerAt + 8)];
  const all = Buffer.concat([file.subarray(0, HEADER), summed, file.subarray(indexAt, trailerAt + 8)]);
  if (fileChecksum !== (crc64(all) | BIT_63)) return false;
  const body = file.readBigUInt64BE(80);
  if (body !== 0n && body !== bodyChecksum(file.subarray(HEADER, trailerAt))) return false;
  const hasChecksums = file.readUInt32BE(4) === 0;
  if (!hasChecksums) return postApply === 0n;
  if (postApply < BIT_63) return false;
  if (file.readUInt32BE(12) === 0 && postApply !== BIT_63) return false;
  return file.readBigUInt64BE(16) !== 1n || postApply === databaseChecksum(pages);
}

function bodyChecksum(body: Uint8Array): bigint {
  return createHash("sha256").update(body).digest().readBigUInt64BE(0) | BIT_63;
}

function databaseChecksum(pages: readonly TwinPage[]): bigint {
  return pages.reduce((sum, { pgno, data }) => {
    const number = Buffer.alloc(4);
    number.writeUInt32BE(pgno);
    return (sum ^ crc64(Buffer.concat([number, data]))) | BIT_63;
  }, BIT_63);
}

function varint(value: number): number[] {
  return value < 128 ? [value] : [(value & 127) | 128, ...varint(Math.floor(value / 128))];
}

const TABLE = Array.from({ length: 256 }, (_, byte) => {
  let register = BigInt(byte);
  for (let bit = 0; bit < 8; bit++) register = (register >> 1n) ^ (register & 1n ? 0xd800000000000000n : 0n);
  return register;
});
const HIGH = Uint32Array.from(TABLE, (entry) => Number(entry >> 32n));
const LOW = Uint32Array.from(TABLE, (entry) => Number(entry & 0xffffffffn));

/** CRC-64/GO-ISO by a table, in two halves: the oracle of test/helpers takes a bit at a time, which is too slow here. */
export function crc64(bytes: Uint8Array): bigint {
  let [high, low] = [0xffffffff, 0xffffffff];
  for (const byte of bytes) {
    const entry = (low ^ byte) & 255;
    low = ((low >>> 8) | (high << 24)) ^ (LOW[entry] ?? 0);
    high = (high >>> 8) ^ (HIGH[entry] ?? 0);
  }
  return (BigInt(~high >>> 0) << 32n) | BigInt(~low >>> 0);
}
