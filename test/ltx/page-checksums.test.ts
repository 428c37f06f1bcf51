import { describe, expect, test } from "vitest";
import { PageChecksums } from "../../src/ltx/page-checksums.ts";
import { goldenChecksums } from "../helpers/ltx/golden.ts";
import { pageChecksum } from "../helpers/oracle/crc64.ts";
import { coreBuilds } from "../helpers/wasm/core-builds.ts";

describe.each(coreBuilds)("$build", ({ makeCore }) => {
  const core = makeCore();

  test.each(goldenChecksums.pages)(
    "page $pgno of $size bytes, all $every_byte",
    ({ pgno, every_byte, size, checksum }) => {
      const sums = new PageChecksums(core, size);
      sums.input.fill(every_byte, 0, size);
      sums.setPage(0, pgno);
      expect(sums.sum(1)).toBe(BigInt(`0x${checksum}`));
      expect(Buffer.from(sums.checksums).readBigUInt64LE(0)).toBe(BigInt(`0x${checksum}`));
    },
  );

  test("a whole batch, as its slow twin", () => {
    const size = 512;
    const sums = new PageChecksums(core, size);
    const expected: bigint[] = [];
    for (let row = 0; row < 5; row += 1) {
      sums.input.set(Buffer.alloc(size, `page ${row}`), row * size);
      sums.setPage(row, row * 1000 + 1);
      expected.push(pageChecksum(row * 1000 + 1, sums.input.subarray(row * size, (row + 1) * size)));
    }
    expect(sums.sum(5)).toBe(expected.reduce((a, b) => a ^ b));
    const found = Buffer.from(sums.checksums);
    expect(expected.map((_, row) => found.readBigUInt64LE(row * 8))).toEqual(expected);
  });

  test("a batch that does not fit is refused", () => {
    const sums = new PageChecksums(core, 65536);
    expect(sums.batchCapacity).toBe(16);
    expect(() => sums.sum(17)).toThrowError(expect.objectContaining({ code: "INTERNAL" }));
  });
});
