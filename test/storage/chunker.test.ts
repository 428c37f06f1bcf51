import { describe, expect, it } from "vitest";
import { Chunker } from "../../src/storage/chunker.ts";
import { bytesOf } from "./support.ts";

/** A receiver whose deliveries end when the test says so. */
function receiver(
  options: { chunkSizeBytes?: number; parallel?: number; reservedBytes?: number; keep?: number[] } = {},
) {
  const received: {
    readonly index: number;
    readonly bytes: Buffer;
    /** The chunk itself, to be told from others: its bytes may be written over. */
    readonly buffer: ArrayBufferLike;
    readonly end: () => void;
    readonly fail: (e: Error) => void;
  }[] = [];
  const chunker = new Chunker({
    chunkSizeBytes: options.chunkSizeBytes ?? 10,
    reservedBytes: options.reservedBytes ?? 0,
    expectedSizeBytes: 1,
    parallel: options.parallel ?? 1,
    deliver(chunk, index) {
      let end = () => {};
      let fail = (_error: Error) => {};
      const done = new Promise<void>((resolve, reject) => {
        end = resolve;
        fail = reject;
      });
      received.push({ index, bytes: Buffer.from(chunk), buffer: chunk.buffer, end, fail });
      return options.keep?.includes(index) ? undefined : done;
    },
  });
  return { chunker, received };
}

describe("a chunker", () => {
  it("hands on whole chunks in order and keeps the last one", async () => {
    const { chunker, received } = receiver({ parallel: 100 });
    const body = bytesOf(35, 1);
    for (let at = 0; at < 35; at += 7) chunker.write(body.subarray(at, at + 7));
    expect(received.map(({ index, bytes }) => [index, bytes.length])).toEqual([
      [0, 10],
      [1, 10],
      [2, 10],
    ]);
    const rest = chunker.rest();
    expect(rest.index).toBe(3);
    expect(Buffer.concat([...received.map(({ bytes }) => bytes), rest.chunk])).toEqual(Buffer.from(body));
  });

  it("keeps a chunk that is just full: it may be the last", () => {
    const { chunker, received } = receiver();
    chunker.write(bytesOf(10, 1));
    expect(received).toHaveLength(0);
    expect(chunker.rest()).toMatchObject({ index: 0 });
    expect(chunker.rest().chunk).toHaveLength(10);
  });

  it("makes one chunk more than are under way, beside the one that is kept", async () => {
    const { chunker, received } = receiver({ chunkSizeBytes: 1000, parallel: 2, keep: [0] });
    const body = bytesOf(20_000, 1);
    let oldest = 1;
    for (let at = 0; at < body.length; at += 300) {
      const held = chunker.write(body.subarray(at, at + 300));
      if (held !== undefined) received[oldest++]?.end();
      await held;
    }
    for (const { end } of received) end();
    await chunker.settle();
    const { chunk } = chunker.rest();
    expect(Buffer.concat([...received.map(({ bytes }) => bytes), chunk])).toEqual(Buffer.from(body));
    const buffers = new Set([...received.map(({ buffer }) => buffer), chunk.buffer]);
    expect(buffers.size).toBe(1 + 3);
  });

  it("leaves room in the first chunk", () => {
    const { chunker, received } = receiver({ reservedBytes: 4 });
    chunker.write(bytesOf(7, 1));
    expect(received[0]?.bytes).toEqual(Buffer.concat([Buffer.alloc(4), bytesOf(7, 1).subarray(0, 6)]));
  });

  it("holds its writer while too much is waiting", async () => {
    const { chunker, received } = receiver({ parallel: 2 });
    expect(chunker.write(bytesOf(31, 1))).toBeInstanceOf(Promise);
    expect(received.map(({ index }) => index)).toEqual([0, 1]);
    let mayGoOn = false;
    const held = chunker.write(new Uint8Array())?.then(() => {
      mayGoOn = true;
    });
    await Promise.resolve();
    expect(mayGoOn).toBe(false);
    received[1]?.end();
    await held;
    expect(received.map(({ index }) => index)).toEqual([0, 1, 2]);
  });

  it("uses buffers again, but not one that was kept", async () => {
    const { chunker, received } = receiver({ parallel: 3, keep: [0] });
    await chunker.write(bytesOf(25, 1));
    received[1]?.end();
    await chunker.settle();
    await chunker.write(bytesOf(25, 2));
    expect(received.map(({ index }) => index)).toEqual([0, 1, 2, 3]);
    expect(received[3]?.buffer).toBe(received[1]?.buffer);
    expect(new Set(received.map(({ buffer }) => buffer)).size).toBe(3);
    expect(Buffer.concat(received.map(({ bytes }) => bytes))).toEqual(
      Buffer.concat([bytesOf(25, 1), bytesOf(25, 2)]).subarray(0, 40),
    );
  });

  it("fails once a delivery did, and hands nothing more on", async () => {
    const { chunker, received } = receiver();
    chunker.write(bytesOf(15, 1));
    received[0]?.fail(new Error("no"));
    await expect(chunker.settle()).rejects.toThrow("no");
    await expect(chunker.write(bytesOf(15, 1))).rejects.toThrow("no");
    expect(received).toHaveLength(1);
  });

  it("stops when what is under way has ended", async () => {
    const { chunker, received } = receiver();
    chunker.write(bytesOf(35, 1))?.catch(() => {});
    let stopped = false;
    const stopping = chunker.stop().then(() => {
      stopped = true;
    });
    await Promise.resolve();
    expect(stopped).toBe(false);
    received[0]?.end();
    await stopping;
    expect(received).toHaveLength(1);
  });
});
