import { expect, test } from "vitest";
import { WalrustError } from "../../src/errors.ts";
import { Prefetch, SEGMENT_SIZE } from "../../src/restore/prefetch.ts";
import type { RestoreFile } from "../../src/restore/restore-file.ts";
import { MemoryStorage } from "../helpers/memory-storage.ts";

/** Objects of these sizes, each byte of which tells where it belongs. */
function filesOf(sizes: readonly number[]): { storage: MemoryStorage; files: RestoreFile[] } {
  const storage = new MemoryStorage({ pieceSizeBytes: 100_000 });
  const files = sizes.map((sizeBytes, i): RestoreFile => {
    const key = `app/${i}`;
    storage.poke(
      key,
      Uint8Array.from({ length: sizeBytes }, (_, at) => (at * 31 + (at >> 12) + i) & 0xff),
    );
    const unknown = {
      lastModifiedMs: 0,
      timestampMs: 0,
      isRepair: false,
      preApply: 0n,
      postApply: 0n,
      bodySha256: undefined,
    };
    return { key, minTxid: 1n, maxTxid: 1n, sizeBytes, ...unknown };
  });
  return { storage, files };
}

async function takeAll(prefetch: Prefetch, file: RestoreFile): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for await (const piece of prefetch.take(file)) pieces.push(Buffer.from(piece));
  return Buffer.concat(pieces);
}

test.each([1, 2, 8])("files come whole and in order, %d at once", async (parallel) => {
  const { storage, files } = filesOf([10, SEGMENT_SIZE * 3 + 5, 0, 70_000, SEGMENT_SIZE, 3, 200_000]);
  const prefetch = new Prefetch(storage, files, { parallel });
  for (const file of files) {
    expect((await takeAll(prefetch, file)).equals(storage.peek(file.key))).toBe(true);
  }
  await prefetch.close();
});

test("no more than `parallel` requests are under way, and they are made ahead", async () => {
  const { storage, files } = filesOf([SEGMENT_SIZE * 5, SEGMENT_SIZE * 5]);
  const [underWay, read] = [new Set<object>(), storage.read.bind(storage)];
  let most = 0;
  storage.read = async function* (key, options) {
    const request = {};
    underWay.add(request);
    most = Math.max(most, underWay.size);
    yield* read(key, options);
    underWay.delete(request);
  };
  const prefetch = new Prefetch(storage, files, { parallel: 3 });
  for (const file of files) await takeAll(prefetch, file);
  expect(most).toBe(3);
});

test("memory is used again", async () => {
  const { storage, files } = filesOf([SEGMENT_SIZE * 40]);
  const prefetch = new Prefetch(storage, files, { parallel: 4 });
  const buffers = new Set<ArrayBufferLike>();
  const [file] = files;
  if (file) for await (const piece of prefetch.take(file)) buffers.add(piece.buffer);
  expect(buffers.size).toBeLessThanOrEqual(6);
});

test("a file that is given up does not disturb those behind it", async () => {
  const { storage, files } = filesOf([SEGMENT_SIZE * 6, 1000, SEGMENT_SIZE * 2]);
  const prefetch = new Prefetch(storage, files, { parallel: 4 });
  for (const [i, file] of files.entries()) {
    if (i === 0) {
      for await (const _ of prefetch.take(file)) break;
    } else expect((await takeAll(prefetch, file)).equals(storage.peek(file.key))).toBe(true);
  }
  await prefetch.close();
});

test("a failure comes with its file, and does not hold back those before it", async () => {
  const { storage, files } = filesOf([1000, 1000, 1000]);
  const error = new WalrustError("STORAGE_NETWORK", "cut");
  storage.fault = ({ key }) => (key === files[1]?.key ? { kind: "after", error, units: 500 } : undefined);
  const prefetch = new Prefetch(storage, files, { parallel: 3 });
  const [first, second, third] = files as [RestoreFile, RestoreFile, RestoreFile];
  expect(await takeAll(prefetch, first)).toHaveLength(1000);
  await expect(takeAll(prefetch, second)).rejects.toBe(error);
  expect(await takeAll(prefetch, third)).toHaveLength(1000);
});

test("an object that became shorter than listed is refused", async () => {
  const { storage, files } = filesOf([1000]);
  storage.poke("app/0", new Uint8Array(999));
  const [file] = files as [RestoreFile];
  await expect(takeAll(new Prefetch(storage, files, { parallel: 2 }), file)).rejects.toMatchObject({
    code: "INTEGRITY_FORMAT",
    details: { object: "app/0" },
  });
});

test("closing ends what is under way", async () => {
  const { storage, files } = filesOf([SEGMENT_SIZE * 20]);
  const [file] = files as [RestoreFile];
  const prefetch = new Prefetch(storage, files, { parallel: 4 });
  for await (const _ of prefetch.take(file)) break;
  await prefetch.close();
  const { length } = storage.calls;
  await Promise.resolve();
  expect(storage.calls).toHaveLength(length);
  expect(length).toBeLessThanOrEqual(6);
});

test("an abort is thrown by whoever takes", async () => {
  const { storage, files } = filesOf([SEGMENT_SIZE * 5]);
  const [file] = files as [RestoreFile];
  const stop = new AbortController();
  const prefetch = new Prefetch(storage, files, { parallel: 2, signal: stop.signal });
  const taking = (async () => {
    for await (const _ of prefetch.take(file)) stop.abort(new Error("enough"));
  })();
  await expect(taking).rejects.toThrow("enough");
});
