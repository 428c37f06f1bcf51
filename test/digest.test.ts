import { createHash } from "node:crypto";
import { expect, test } from "vitest";
import { Sha256, sha256Hex } from "../src/digest.ts";

const ABC = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

test("the digest of pieces is that of the whole", async () => {
  const bytes = Buffer.alloc(200_000, "some bytes ");
  const sha = await Sha256.begin();
  for (const end of [0, 1, 64, 70_000, 200_000]) sha.update(bytes.subarray(0, end));
  const expected = createHash("sha256");
  for (const end of [0, 1, 64, 70_000, 200_000]) expected.update(bytes.subarray(0, end));
  expect(sha.finish()).toBe(expected.digest("hex"));
  expect(await sha256Hex(Buffer.from("abc"))).toBe(ABC);
});

test("several run beside one another, and an abandoned one leaves nothing behind", async () => {
  const [a, b] = [await Sha256.begin(), await Sha256.begin()];
  a.update(Buffer.from("a"));
  b.update(Buffer.from("other bytes"));
  a.update(Buffer.from("bc"));
  const c = await Sha256.begin();
  c.update(Buffer.from("abc"));
  expect([a.finish(), c.finish()]).toEqual([ABC, ABC]);
});

test.each([0, 1, 4095, 4096, 4097, 100_000, 1_000_000])(
  "%d bytes, whichever engine hashes them",
  async (size) => {
    const bytes = Buffer.alloc(size, "bytes that repeat ");
    const expected = createHash("sha256").update(bytes).digest("hex");
    expect(await sha256Hex(bytes)).toBe(expected);
    const sha = await Sha256.begin();
    const reused = Buffer.alloc(3000);
    for (let at = 0; at < size; at += reused.length) {
      const piece = reused.subarray(0, bytes.copy(reused, 0, at));
      sha.update(piece); // the memory is used again for the next piece
    }
    expect(sha.finish()).toBe(expected);
  },
);

test("a finished one is finished", async () => {
  const sha = await Sha256.begin();
  sha.finish();
  expect(() => sha.update(Buffer.from("x"))).toThrowError(TypeError);
  expect(() => sha.finish()).toThrowError(TypeError);
});
