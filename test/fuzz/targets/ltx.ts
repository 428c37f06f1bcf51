import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { formatChecksum, parseChecksum } from "../../../src/ltx/checksum.ts";
import { type DecodedLtx, decodeLtx } from "../../../src/ltx/decoder.ts";
import {
  formatFilename,
  formatLitestreamFilename,
  parseFilename,
  parseLitestreamFilename,
} from "../../../src/ltx/filename.ts";
import { LTX_HEADER_SIZE } from "../../../src/ltx/format.ts";
import { decodeHeader, encodeHeader } from "../../../src/ltx/header.ts";
import { decodeTrailer, encodeTrailer, findPostApplyDefect } from "../../../src/ltx/trailer.ts";
import { Core, compileCore } from "../../../src/wasm/core.ts";
import * as layout from "../../../src/wasm/layout.ts";
import { goldenBytes, goldenFiles } from "../../helpers/ltx/golden.ts";
import { INCREMENTAL, SNAPSHOT } from "../../helpers/ltx/headers.ts";
import { buildBlock, decompressBlock } from "../../helpers/oracle/lz4.ts";
import { buildFrame } from "../../helpers/oracle/lz4-frame.ts";
import { inputOf, type Target, textOf } from "../target.ts";
import { readLtx, repairLtx } from "../twins/ltx.ts";
import { readFrame, repairFrame } from "../twins/lz4-frame.ts";

const core = new Core(compileCore());
const CORRUPT = join(import.meta.dirname, "../../fixtures/ltx/corrupt");
/** RFC 3339 as every other file of ours and every list has it. */
const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;

const smallFiles = () => goldenFiles.filter(({ size }) => size < 8192).map(({ file }) => goldenBytes(file));
const corruptFiles = () =>
  readdirSync(CORRUPT)
    .filter((name) => name.endsWith(".ltx"))
    .map((name) => new Uint8Array(readFileSync(join(CORRUPT, name))))
    .filter(({ length }) => length < 8192);

const ltxHeader: Target = {
  name: "ltx-header",
  holds: "comes back byte for byte; its time can be written down",
  input: "bytes",
  seeds: () => [
    encodeHeader(INCREMENTAL),
    encodeHeader(SNAPSHOT),
    ...smallFiles().map((file) => file.slice(0, LTX_HEADER_SIZE)),
  ],
  codes: ["INTEGRITY_FORMAT"],
  inputs: 3000,
  run(input) {
    const header = decodeHeader(input, "f.ltx");
    assert.deepEqual(Buffer.from(encodeHeader(header)), Buffer.from(input.subarray(0, LTX_HEADER_SIZE)));
    assert.match(new Date(header.timestampMs).toISOString(), TIME);
    return header;
  },
};

const ltxTrailer: Target = {
  name: "ltx-trailer",
  holds: "comes back byte for byte",
  input: "bytes",
  seeds: () => smallFiles().map((file) => file.slice(-16)),
  codes: [],
  inputs: 300,
  run(input) {
    if (input.length < 16) return undefined;
    const trailer = decodeTrailer(input);
    assert.deepEqual(Buffer.from(encodeTrailer(trailer)), Buffer.from(input.subarray(0, 16)));
    return [
      trailer,
      findPostApplyDefect(INCREMENTAL, trailer.postApply),
      findPostApplyDefect(SNAPSHOT, trailer.postApply),
    ];
  },
};

const ltxFile: Target = {
  name: "ltx-file",
  holds:
    "accepted exactly where the twin accepts it, with its pages, whole and in pieces; the core's memory does not grow",
  input: "bytes",
  seeds: () => [...smallFiles(), ...corruptFiles()],
  repair: repairLtx,
  codes: ["INTEGRITY_FORMAT", "INTEGRITY_CHECKSUM"],
  inputs: 1500,
  async run(input) {
    const twin = readLtx(input);
    const before = core.input.buffer.byteLength;
    const pages: { pgno: number; data: Buffer }[] = [];
    let decoded: DecodedLtx;
    try {
      decoded = await decode(input, input.length || 1, pages);
    } catch (error) {
      assert.equal(twin, undefined, "refused, and sound");
      throw error;
    }
    assert(twin !== undefined, "accepted, and not sound");
    assert.equal(core.input.buffer.byteLength, before);
    assertSamePages(pages, twin);
    assert.equal(decoded.sizeBytes, input.length);
    const again: typeof pages = [];
    const inPieces = await decode(input, 7, again);
    assert.deepEqual(inPieces, decoded);
    assertSamePages(again, twin);
    return decoded;
  },
};

function assertSamePages(
  pages: readonly { pgno: number; data: Buffer }[],
  twin: readonly { pgno: number; data: Uint8Array }[],
): void {
  assert.deepEqual(
    pages.map(({ pgno }) => pgno),
    twin.map(({ pgno }) => pgno),
  );
  assert(
    pages.every(({ data }, at) => Buffer.compare(data, twin[at]?.data ?? data.subarray(1)) === 0),
    "other bytes in a page",
  );
}

function decode(
  bytes: Uint8Array,
  pieceSize: number,
  pages: { pgno: number; data: Buffer }[],
): Promise<DecodedLtx> {
  async function* pieces() {
    for (let at = 0; at < bytes.length; at += pieceSize) yield bytes.subarray(at, at + pieceSize);
  }
  return decodeLtx(core, pieces(), { objectName: "f.ltx" }, ({ count, pgnos, pages: batch }) => {
    const size = batch.length / count;
    pgnos.forEach((pgno, row) => {
      pages.push({ pgno, data: Buffer.from(batch.subarray(row * size, (row + 1) * size)) });
    });
  });
}

/** Where data may go is two bytes of the input; what lies behind that and the slack must stay as it is. */
const LIMIT_BYTES = 2;
const MARK = 0xa5;

function intoOutput(
  input: Uint8Array,
  kernel: (from: number, end: number, to: number, toEnd: number) => number,
) {
  const limit = (((input[0] ?? 0) << 8) | (input[1] ?? 0)) % 8192;
  const data = input.subarray(LIMIT_BYTES, LIMIT_BYTES + layout.INPUT_SIZE);
  core.input.set(data);
  const behind = core.borrow(layout.OUTPUT_OFFSET + limit + 16, 8192);
  const before = core.borrow(layout.INPUT_OFFSET + layout.INPUT_SIZE, layout.SLACK);
  behind.fill(MARK);
  before.fill(MARK);
  const end = layout.INPUT_OFFSET + data.length;
  const status = kernel(layout.INPUT_OFFSET, end, layout.OUTPUT_OFFSET, layout.OUTPUT_OFFSET + limit);
  assert(
    behind.every((byte) => byte === MARK) && before.every((byte) => byte === MARK),
    "wrote beyond its end",
  );
  return { limit, data: Buffer.from(data), status };
}

const limited = (limit: number, bytes: Uint8Array) =>
  Buffer.concat([Buffer.from([limit >> 8, limit & 255]), bytes]);

const lz4Block: Target = {
  name: "lz4-block",
  holds: "the data of the twin; nothing is written beyond the limit",
  input: "bytes",
  seeds: () => [
    limited(
      512,
      buildBlock([
        { literals: Buffer.from("walrus"), distance: 6, matchLength: 500 },
        { literals: Buffer.from("tusk12") },
      ]),
    ),
    limited(
      600,
      buildBlock([
        { literals: Buffer.alloc(20, 1), distance: 1, matchLength: 280 },
        { literals: Buffer.alloc(300, 7) },
      ]),
    ),
    limited(
      80,
      buildBlock(
        [3, 5, 17].map((distance) => ({
          literals: Buffer.alloc(distance, distance),
          distance,
          matchLength: 11,
        })),
      ),
    ),
    limited(4096, buildBlock([{ literals: Buffer.alloc(4096, 9) }])),
  ],
  codes: [],
  inputs: 3000,
  run(input) {
    const { limit, data, status } = intoOutput(input, (from, end, to, toEnd) =>
      core.wasm.decompressBlock(from, end, to, toEnd, to),
    );
    const expected = decompressBlock(data, limit);
    if (expected === undefined)
      assert(status === layout.BAD_LZ4_BLOCK || status === layout.BAD_LZ4_TOO_LONG, `status ${status}`);
    else
      assert.deepEqual(
        Buffer.from(core.borrow(layout.OUTPUT_OFFSET, Math.max(0, status))),
        Buffer.from(expected),
      );
    return status < 0 ? undefined : status;
  },
};

const lz4Frame: Target = {
  name: "lz4-frame",
  holds: "the data and the length of the twin; nothing is written beyond the limit",
  input: "bytes",
  seeds: () => {
    const page = Buffer.alloc(512, "run ").fill(9, 100, 300);
    return [
      {},
      { stored: true },
      { contentSize: true },
      { contentChecksum: false },
      { blockChecksums: true, blockSize: 200 },
      { independent: false, blockSize: 150, contentSize: true },
      { independent: false, blockSize: 150, blockChecksums: true, contentChecksum: false },
    ].map((options) => limited(512, buildFrame(page, options)));
  },
  repair: (input) => limited(512, repairFrame(input.subarray(LIMIT_BYTES), 512)),
  codes: [],
  inputs: 2000,
  run(input) {
    const { limit, data, status } = intoOutput(input, core.wasm.decompressFrame);
    const expected = readFrame(data, limit);
    if (expected === undefined) assert(status <= 0, `status ${status} for what is no frame`);
    else {
      assert.equal(status, expected.size);
      assert.deepEqual(Buffer.from(core.borrow(layout.OUTPUT_OFFSET, limit)), Buffer.from(expected.data));
    }
    return status <= 0 ? undefined : status;
  },
};

const ltxNames: Target = {
  name: "ltx-names",
  holds: "a name that is read is the one that is written",
  input: "text",
  words: [
    "00000001",
    "0000000000000001",
    "ffffffffffffffff",
    "18446744073709551615",
    "100000000",
    ".ltx",
    "-",
  ],
  seeds: () =>
    ["00000001-00000009.ltx", "00000002-123456789.ltx", "0000000000000002-00000000000000ff.ltx"].map(inputOf),
  codes: [],
  inputs: 2000,
  run(input) {
    const name = textOf(input);
    const [own, other] = [parseFilename(name), parseLitestreamFilename(name)];
    if (own) assert.equal(formatFilename(own), name);
    if (other) assert.equal(formatLitestreamFilename(other), name);
    const checksum = parseChecksum(name.slice(0, 16));
    if (checksum !== undefined) assert.equal(formatChecksum(checksum), name.slice(0, 16));
    return own ?? other ?? checksum;
  },
};

export const LTX_TARGETS: readonly Target[] = [ltxHeader, ltxTrailer, ltxFile, lz4Block, lz4Frame, ltxNames];
