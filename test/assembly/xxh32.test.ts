import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { INPUT_OFFSET } from "../../src/wasm/layout.ts";
import { xxh32 as slowXxh32 } from "../helpers/oracle/xxh32.ts";
import { coreBuilds } from "../helpers/wasm/core-builds.ts";

describe.each(coreBuilds)("$build", ({ makeCore }) => {
  const core = makeCore();
  const xxh32 = (bytes: Uint8Array) => {
    core.input.set(bytes);
    return core.wasm.xxh32(INPUT_OFFSET, bytes.length) >>> 0;
  };

  // From the reference implementation.
  test.each([
    ["", 0x02cc5d05],
    ["a", 0x550d7456],
    ["abc", 0x32d153ff],
    ["Nobody inspects the spammish repetition", 0xe2293b2f],
  ])("of '%s'", (text, expected) => {
    expect(xxh32(Buffer.from(text))).toBe(expected);
  });

  test("of any bytes, as its slow twin", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => {
        expect(xxh32(bytes)).toBe(slowXxh32(bytes));
      }),
    );
  });
});
