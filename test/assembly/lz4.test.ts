import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { BAD_LZ4_BLOCK, BAD_LZ4_TOO_LONG, INPUT_OFFSET, OUTPUT_OFFSET } from "../../src/wasm/layout.ts";
import { arbitraryPage } from "../helpers/arbitrary-page.ts";
import { buildBlock, type Sequence, decompressBlock as slowDecompress } from "../helpers/oracle/lz4.ts";
import { coreBuilds } from "../helpers/wasm/core-builds.ts";

const bound = (length: number) => length + Math.floor(length / 255) + 16;

describe.each(coreBuilds)("$build", ({ makeCore }) => {
  const core = makeCore();

  const compress = (data: Uint8Array): Uint8Array => {
    core.input.set(data);
    const size = core.wasm.compressBlock(INPUT_OFFSET, data.length, OUTPUT_OFFSET);
    return core.take(OUTPUT_OFFSET, size);
  };
  const decompress = (block: Uint8Array, limit: number): Uint8Array | number => {
    core.input.set(block);
    const end = INPUT_OFFSET + block.length;
    const length = core.wasm.decompressBlock(
      INPUT_OFFSET,
      end,
      OUTPUT_OFFSET,
      OUTPUT_OFFSET + limit,
      OUTPUT_OFFSET,
    );
    return length < 0 ? length : core.take(OUTPUT_OFFSET, length);
  };

  const SIZES = [0, 1, 4, 5, 11, 12, 13, 14, 16, 17, 255, 512, 4096, 65535, 65536];

  test.each(SIZES)("%d zero bytes, equal or noisy ones come back", (size) => {
    const noise = Buffer.alloc(size);
    for (let i = 0, state = 1; i < size; i += 1) {
      state = Math.imul(state, 1664525) + 1013904223;
      noise[i] = state >>> 24;
    }
    for (const data of [Buffer.alloc(size), Buffer.alloc(size, 0xa5), noise]) {
      const block = compress(data);
      expect(block.length).toBeLessThanOrEqual(bound(size));
      expect(Buffer.from(slowDecompress(block, size) ?? [-1]).equals(data)).toBe(true);
      expect(data.equals(decompress(block, size) as Uint8Array)).toBe(true);
    }
  });

  test("any page comes back, from the slow twin too, and always gives the same block", () => {
    fc.assert(
      fc.property(arbitraryPage(512, 4096), (page) => {
        const block = compress(page);
        expect(block.length).toBeLessThanOrEqual(bound(page.length));
        expect(Buffer.from(slowDecompress(block, page.length) ?? []).equals(page)).toBe(true);
        expect(page.equals(decompress(block, page.length) as Uint8Array)).toBe(true);
        compress(Buffer.alloc(4096, 7));
        expect(Buffer.from(compress(page)).equals(block)).toBe(true);
      }),
    );
  });

  test("blocks of other encoders, well made or not, are read as the slow twin reads them", () => {
    const literals = fc.uint8Array({ maxLength: 300 });
    const sequence: fc.Arbitrary<Sequence> = fc.record({
      literals: fc.oneof(fc.constant(new Uint8Array(0)), literals),
      distance: fc.oneof(fc.integer({ min: 1, max: 20 }), fc.nat(400)),
      matchLength: fc.oneof(fc.integer({ min: 4, max: 40 }), fc.integer({ min: 4, max: 600 })),
    });
    const block = fc
      .tuple(fc.array(sequence, { maxLength: 8 }), literals)
      .map(([sequences, last]) => buildBlock([...sequences, { literals: last }]));
    fc.assert(
      fc.property(block, fc.integer({ min: 1, max: 2000 }), (bytes, limit) => {
        const expected = slowDecompress(bytes, limit);
        const actual = decompress(bytes, limit);
        if (expected === undefined) expect([BAD_LZ4_BLOCK, BAD_LZ4_TOO_LONG]).toContain(actual);
        else expect(Buffer.from(expected).equals(actual as Uint8Array)).toBe(true);
      }),
      { numRuns: 500 },
    );
  });

  test("any bytes give data or a status, and nothing behind the slack is touched", () => {
    const limit = 512;
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 600 }), (bytes) => {
        const behind = core.borrow(OUTPUT_OFFSET + limit + 16, 4096).fill(0x5a);
        const expected = slowDecompress(bytes, limit);
        const actual = decompress(bytes, limit);
        if (expected === undefined) expect([BAD_LZ4_BLOCK, BAD_LZ4_TOO_LONG]).toContain(actual);
        else expect(Buffer.from(expected).equals(actual as Uint8Array)).toBe(true);
        expect(behind.every((byte) => byte === 0x5a)).toBe(true);
      }),
      { numRuns: 300 },
    );
  });
});
