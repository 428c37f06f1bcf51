import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { INPUT_OFFSET } from "../../src/wasm/layout.ts";
import { goldenChecksums } from "../helpers/ltx/golden.ts";
import { crc64 as slowCrc64 } from "../helpers/oracle/crc64.ts";
import { coreBuilds } from "../helpers/wasm/core-builds.ts";

describe.each(coreBuilds)("$build", ({ makeCore }) => {
  const core = makeCore();
  const crc64 = (bytes: Uint8Array, before = 0n, at = 0): bigint => {
    core.input.set(bytes, at);
    return BigInt.asUintN(64, core.wasm.crc64(before, INPUT_OFFSET + at, bytes.length));
  };
  const combine = (a: bigint, b: bigint, lengthB: bigint) =>
    BigInt.asUintN(64, core.wasm.crc64Combine(a, b, lengthB));

  test.each(goldenChecksums.crc64)("of '$input'", ({ input, crc64: expected }) => {
    expect(crc64(Buffer.from(input))).toBe(BigInt(`0x${expected}`));
  });

  test("of any bytes at any address, as its slow twin", () => {
    const bytes = fc.uint8Array({ maxLength: 300 });
    fc.assert(
      fc.property(bytes, fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), fc.nat(64), (data, before, at) => {
        expect(crc64(data, before, at)).toBe(slowCrc64(data, before));
      }),
    );
  });

  test("two checksums combine to that of both one after the other", () => {
    const bytes = fc.uint8Array({ maxLength: 300 });
    fc.assert(
      fc.property(bytes, bytes, (a, b) => {
        expect(combine(crc64(a), crc64(b), BigInt(b.length))).toBe(crc64(Buffer.concat([a, b])));
      }),
    );
  });

  test("combining is associative, also for lengths beyond 2^32", () => {
    const checksum = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
    const length = fc.bigInt({ min: 0n, max: 2n ** 62n });
    fc.assert(
      fc.property(checksum, checksum, checksum, length, length, (a, b, c, lengthB, lengthC) => {
        const left = combine(combine(a, b, lengthB), c, lengthC);
        expect(left).toBe(combine(a, combine(b, c, lengthC), lengthB + lengthC));
      }),
    );
  });
});
