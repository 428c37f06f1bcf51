import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  CHUNK_BYTES,
  chunkAt,
  decodeHeader,
  encodeHeader,
  HEADER_BYTES,
  plainSizeOf,
  plainStart,
  sealedBytes,
  sealedStart,
  storedSizeOf,
  TAG_BYTES,
} from "../../../src/storage/encrypted/object-format.ts";
import { VECTORS, vectorSalt } from "./vectors.ts";

const aSize = fc.oneof(
  fc.nat(300),
  fc.nat(5 * CHUNK_BYTES),
  fc.maxSafeNat().map((size) => size % 2 ** 45),
);

describe("sizes", () => {
  test.each(VECTORS.objects.map((object) => [object.size, object.stored_size]))(
    "a body of %i bytes is an object of %i",
    (size, stored) => {
      expect(storedSizeOf(size)).toBe(stored);
      expect(plainSizeOf(stored)).toBe(size);
    },
  );

  test("map both ways", () => {
    fc.assert(fc.property(aSize, (size) => plainSizeOf(storedSizeOf(size)) === size));
  });

  test("every size of an object is that of exactly one body, or of none", () => {
    const known = new Map<number, number>();
    const most = 2 * CHUNK_BYTES + 200;
    for (let size = 0; size <= most; size += 1) known.set(storedSizeOf(size), size);
    for (let stored = 0; stored <= storedSizeOf(most); stored += 1) {
      if (plainSizeOf(stored) !== known.get(stored)) expect.fail(`${stored} bytes: ${plainSizeOf(stored)}`);
    }
  });
});

test("chunks lie one behind the other, in the body and in the object", () => {
  fc.assert(
    fc.property(aSize, (offset) => {
      const chunk = chunkAt(offset);
      expect(plainStart(chunk)).toBeLessThanOrEqual(offset);
      expect(plainStart(chunk + 1)).toBeGreaterThan(offset);
      expect(sealedStart(chunk + 1)).toBe(sealedStart(chunk) + sealedBytes(chunk));
      expect(plainStart(chunk + 1) - plainStart(chunk)).toBe(sealedBytes(chunk) - TAG_BYTES);
      expect(storedSizeOf(plainStart(chunk + 1))).toBe(sealedStart(chunk + 1));
    }),
  );
});

describe("the header", () => {
  test("gives back its salt", () => {
    expect(Buffer.from(decodeHeader(encodeHeader(vectorSalt()), "a/b")).toString("hex")).toBe(VECTORS.salt);
  });

  const sound = encodeHeader(vectorSalt());
  const changed = (at: number, value: number) => Buffer.from(sound).fill(value, at, at + 1);
  test.each([
    ["nothing", Buffer.alloc(0), "is not an object that walrust encrypted"],
    ["a part of it", sound.subarray(0, HEADER_BYTES - 1), "is not an object"],
    ["another magic", changed(0, 0x78), "is not an object"],
    ["an older version", changed(7, 0), "is not an object"],
    ["a newer version", changed(7, 2), "was encrypted by a newer walrust", "INTEGRITY_VERSION"],
  ])("%s is refused", (_what, bytes, message, code = "INTEGRITY_FORMAT") => {
    expect(() => decodeHeader(bytes, "app/manifest.json")).toThrow(
      expect.objectContaining({
        code,
        message: expect.stringContaining(`app/manifest.json ${message}`),
      }),
    );
  });
});
