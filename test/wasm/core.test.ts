import { describe, expect, test } from "vitest";
import * as layout from "../../src/wasm/layout.ts";
import { coreBuilds } from "../helpers/wasm/core-builds.ts";

const internal = expect.objectContaining({ code: "INTERNAL" });

describe.each(coreBuilds)("$build", ({ makeCore }) => {
  const core = makeCore();

  test("memory is fixed and holds every region", () => {
    const { buffer } = core.wasm.memory;
    expect(buffer.byteLength).toBe(Math.ceil(layout.MEMORY_END / 65536) * 65536);
    expect(buffer.byteLength).toBeLessThan(5 * 1024 * 1024);
    expect(core.input).toHaveLength(layout.INPUT_SIZE);
    expect(core.input.byteOffset).toBe(layout.INPUT_OFFSET);
  });

  test("a borrowed view shows what comes later, a taken copy does not", () => {
    const borrowed = core.borrow(layout.OUTPUT_OFFSET, 4);
    borrowed.fill(1);
    const taken = core.take(layout.OUTPUT_OFFSET, 4);
    core.borrowU32(layout.OUTPUT_OFFSET, 1)[0] = 0x04030201;
    expect([...borrowed]).toEqual([1, 2, 3, 4]);
    expect([...taken]).toEqual([1, 1, 1, 1]);
  });

  test("no kernel runs while memory is lent", () => {
    expect(core.lend(() => 5)).toBe(5);
    core.lend(() => {
      expect(() => core.wasm).toThrowError(internal);
      expect(() => core.lend(() => {})).toThrowError(internal);
    });
    const failing = () => {
      throw new Error("no");
    };
    expect(() => core.lend(failing)).toThrowError("no");
    expect(core.wasm).toBeDefined();
  });

  test("nor while it is lent across a promise, which may fail", async () => {
    const { promise, resolve } = withResolvers();
    const lending = core.lendAcross(() => promise);
    expect(() => core.wasm).toThrowError(internal);
    await expect(core.lendAcross(() => {})).rejects.toEqual(internal);
    resolve();
    await lending;
    await expect(core.lendAcross(() => Promise.reject(new Error("no")))).rejects.toThrowError("no");
    expect(core.wasm).toBeDefined();
  });

  test("a stream belongs to whoever began last", () => {
    const first = core.beginStream();
    core.assertStream(first);
    const second = core.beginStream();
    core.assertStream(second);
    expect(() => core.assertStream(first)).toThrowError(internal);
  });
});

function withResolvers(): { promise: Promise<void>; resolve: () => void } {
  let resolve = () => {};
  const promise = new Promise<void>((done) => {
    resolve = done;
  });
  return { promise, resolve };
}
