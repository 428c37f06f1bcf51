import fc from "fast-check";
import { expect, test } from "vitest";
import { CHUNK_BYTES, TAG_BYTES } from "../../../src/storage/encrypted/object-format.ts";
import { SealedFrames } from "../../../src/storage/encrypted/sealed-frames.ts";
import { bytesOf } from "../support.ts";

/** Gives one buffer again and again, as storages do. */
async function* pieces(bytes: Uint8Array, cuts: readonly number[]): AsyncGenerator<Uint8Array> {
  const buffer = new Uint8Array(bytes.length);
  for (let at = 0, i = 0; at < bytes.length; i += 1) {
    const length = Math.min(cuts[i % cuts.length] ?? 1, bytes.length - at);
    buffer.fill(0xee);
    buffer.set(bytes.subarray(at, at + length));
    yield buffer.subarray(0, length);
    at += length;
  }
}

test("however the bytes come, the frames are the same, and the last one is known as the last", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.nat(300),
      fc.integer({ min: 1, max: 80 }),
      fc.array(fc.nat(90), { minLength: 1 }).filter((cuts) => cuts.some((cut) => cut > 0)),
      async (size, frameSize, cuts) => {
        const bytes = bytesOf(size, size);
        const frames = new SealedFrames(pieces(bytes, cuts));
        for (let at = 0; ; at += frameSize) {
          const frame = await frames.next(frameSize);
          expect(Buffer.from(frame.bytes)).toEqual(Buffer.from(bytes.subarray(at, at + frameSize)));
          expect(frame.isLast).toBe(at + frameSize >= size);
          if (frame.isLast) break;
        }
      },
    ),
  );
});

test("a frame that lies in one piece is not copied", async () => {
  const bytes = bytesOf(3 * (CHUNK_BYTES + TAG_BYTES), 1);
  const frames = new SealedFrames(pieces(bytes, [bytes.length]));
  const first = await frames.next(CHUNK_BYTES + TAG_BYTES);
  const second = await frames.next(CHUNK_BYTES + TAG_BYTES);
  expect(second.bytes.buffer === first.bytes.buffer).toBe(true);
  expect(second.bytes.byteOffset - first.bytes.byteOffset).toBe(CHUNK_BYTES + TAG_BYTES);
});

test("close ends the source", async () => {
  let isOpen = true;
  async function* source() {
    try {
      yield bytesOf(10, 1);
      yield bytesOf(10, 2);
    } finally {
      isOpen = false;
    }
  }
  const frames = new SealedFrames(source());
  await frames.next(5);
  await frames.close();
  expect(isOpen).toBe(false);
});
