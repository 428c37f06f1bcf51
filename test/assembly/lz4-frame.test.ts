import { describe, expect, test } from "vitest";
import * as layout from "../../src/wasm/layout.ts";
import { buildFrame, type FrameOptions } from "../helpers/oracle/lz4-frame.ts";
import { xxh32 } from "../helpers/oracle/xxh32.ts";
import { coreBuilds } from "../helpers/wasm/core-builds.ts";

const page = Buffer.alloc(512, "run ").fill(9, 100, 300);

const OPTIONS: readonly FrameOptions[] = [
  {},
  { stored: true },
  { contentSize: true },
  { contentChecksum: false },
  { blockChecksums: true, blockSize: 200 },
  { independent: false, blockSize: 150, contentSize: true },
  { independent: false, blockSize: 150, blockChecksums: true, contentChecksum: false },
];

/** What is refused although its checksums agree: byte, value, status. */
const DESCRIPTORS = [
  ["version 2", 4, 0xa4, layout.BAD_LZ4_FRAME],
  ["a reserved flag", 4, 0x66, layout.BAD_LZ4_FRAME],
  ["a dictionary", 4, 0x65, layout.BAD_LZ4_FRAME],
  ["a reserved bit of the block size", 5, 0xc0, layout.BAD_LZ4_FRAME],
  ["a block size of 16 KiB", 5, 0x30, layout.BAD_LZ4_FRAME],
] as const;

describe.each(coreBuilds)("$build", ({ makeCore }) => {
  const core = makeCore();
  const { INPUT_OFFSET, OUTPUT_OFFSET } = layout;
  const decompress = (frame: Uint8Array, size: number): number => {
    core.input.set(frame);
    return core.wasm.decompressFrame(
      INPUT_OFFSET,
      INPUT_OFFSET + frame.length,
      OUTPUT_OFFSET,
      OUTPUT_OFFSET + size,
    );
  };

  test.each(OPTIONS)("reads a frame with %o", (options) => {
    const frame = buildFrame(page, options);
    expect(decompress(Buffer.concat([frame, Buffer.from("next")]), page.length)).toBe(frame.length);
    expect(page.equals(core.take(OUTPUT_OFFSET, page.length))).toBe(true);
  });

  test.each(OPTIONS)("asks for more bytes wherever a frame with %o is cut", (options) => {
    const frame = buildFrame(page, options);
    for (let length = 0; length < frame.length; length += 1) {
      expect(decompress(frame.subarray(0, length), page.length)).toBe(layout.STREAM_NEEDS_INPUT);
    }
  });

  test("finds every flipped byte of a frame with a content checksum", () => {
    const frame = buildFrame(page, { contentSize: true });
    for (let at = 0; at < frame.length; at += 1) {
      const flipped = Buffer.from(frame);
      flipped[at] = (flipped[at] ?? 0) ^ 0x41;
      const size = decompress(flipped, page.length);
      expect(size, `byte ${at}`).toBeLessThanOrEqual(0);
    }
  });

  test.each(DESCRIPTORS)("refuses %s", (_what, at, value, status) => {
    const frame = buildFrame(page);
    frame[at] = value;
    frame[6] = (xxh32(frame.subarray(4, 6)) >>> 8) & 255;
    expect(decompress(frame, page.length)).toBe(status);
  });

  test("refuses data that is not exactly a page", () => {
    expect(decompress(buildFrame(page), page.length - 1)).toBe(layout.BAD_LZ4_TOO_LONG);
    expect(decompress(buildFrame(page, { stored: true }), page.length - 1)).toBe(layout.BAD_LZ4_TOO_LONG);
    expect(decompress(buildFrame(page), page.length + 1)).toBe(layout.BAD_LZ4_TOO_SHORT);
    expect(decompress(buildFrame(page, { contentSize: true }), page.length + 1)).toBe(layout.BAD_LZ4_FRAME);
  });

  test("an independent block may not reach back into the one before", () => {
    const linked = buildFrame(page, { independent: false, blockSize: 150 });
    expect(decompress(linked, page.length)).toBe(linked.length);
    linked[4] = (linked[4] ?? 0) | 0x20;
    linked[6] = (xxh32(linked.subarray(4, 6)) >>> 8) & 255;
    expect(decompress(linked, page.length)).toBe(layout.BAD_LZ4_BLOCK);
  });
});
