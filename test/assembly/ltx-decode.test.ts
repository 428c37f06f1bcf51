import fc from "fast-check";
import { describe, expect, test } from "vitest";
import * as layout from "../../src/wasm/layout.ts";
import { goldenBytes } from "../helpers/ltx/golden.ts";
import { coreBuilds } from "../helpers/wasm/core-builds.ts";

const HEADER_SIZE = 100;
/** What decoding may write to; everything else must stay as it is. */
const WRITABLE = [
  [layout.PGNOS_OFFSET, layout.PGNOS_SIZE],
  [layout.NEW_CHECKSUMS_OFFSET, layout.NEW_CHECKSUMS_SIZE],
  [layout.OUTPUT_OFFSET, layout.OUTPUT_SIZE + layout.SLACK],
] as const;

describe.each(coreBuilds)("$build", ({ makeCore }) => {
  const core = makeCore();

  const snapshot = () => {
    const memory = core.take(0, layout.MEMORY_END);
    for (const [offset, size] of WRITABLE) memory.fill(0, offset, offset + size);
    return memory;
  };

  const decode = (body: Uint8Array, pageSize: number) => {
    core.input.set(body);
    const before = snapshot();
    const end = layout.INPUT_OFFSET + body.length;
    core.wasm.streamBegin(pageSize, 6);
    core.wasm.decodeBegin();
    let status = core.wasm.decodePages(layout.INPUT_OFFSET, end);
    const cursor = core.wasm.decodeCursor();
    expect(cursor).toBeGreaterThanOrEqual(layout.INPUT_OFFSET);
    expect(cursor).toBeLessThanOrEqual(end);
    if (status === layout.STREAM_END) status = core.wasm.decodeIndex(cursor, end);
    expect(core.wasm.decodeCursor()).toBeLessThanOrEqual(end);
    expect(Buffer.compare(snapshot(), before)).toBe(0);
    return status;
  };

  test.each(["p512-3-5.ltx", "p512-frames-snapshot-1-1.ltx"])(
    "any change of a file's bytes gives a status, never a trap nor a write elsewhere: %s",
    (file) => {
      const body = Buffer.from(goldenBytes(file).subarray(HEADER_SIZE));
      const edit = fc.record({ at: fc.nat(body.length - 1), byte: fc.nat(255) });
      fc.assert(
        fc.property(fc.array(edit, { maxLength: 4 }), fc.nat(body.length), (edits, length) => {
          const changed = Buffer.from(body);
          for (const { at, byte } of edits) changed[at] = byte;
          expect(decode(changed.subarray(0, length), 512)).toBeLessThanOrEqual(layout.STREAM_END);
        }),
        { numRuns: 150 },
      );
    },
  );

  test("a varint of 64 bits is read, a longer one refused", () => {
    core.wasm.streamBegin(512, 6);
    core.wasm.decodeBegin();
    const index = (...bytes: readonly number[]) => {
      core.input.set(bytes);
      return core.wasm.decodeIndex(layout.INPUT_OFFSET, layout.INPUT_OFFSET + bytes.length);
    };
    const nines = new Array<number>(9).fill(0xff);
    expect(index(...nines)).toBe(layout.STREAM_NEEDS_INPUT);
    expect(index(...nines, 0x02)).toBe(layout.BAD_INDEX_VARINT);
    expect(index(...nines, 0x01, 1, 1)).toBe(layout.BAD_INDEX_ENTRY);
    expect(index(0)).toBe(layout.STREAM_END);
  });
});
