import { createHash } from "node:crypto";
import fc from "fast-check";
import { expect, test } from "vitest";
import { ChunkCipher } from "../../../src/storage/encrypted/chunk-cipher.ts";
import { EncryptedUpload } from "../../../src/storage/encrypted/encrypt.ts";
import { HEAD_BYTES } from "../../../src/storage/encrypted/object-format.ts";
import type { Upload, UploadOptions } from "../../../src/storage/storage.ts";
import { MemoryStorage } from "../../helpers/memory-storage.ts";
import { bytesOf } from "../support.ts";
import { encrypted } from "./support.ts";
import { VECTORS, vectorBody, vectorSalt } from "./vectors.ts";

const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");

test.each(VECTORS.objects)(
  "a body of $size bytes becomes the object that others make",
  async ({ key, size, ...object }) => {
    const plain = new MemoryStorage();
    const storage = encrypted(plain, undefined, { randomBytes: vectorSalt });
    const stored = VECTORS.names[key] ?? "";
    const body = vectorBody(size);
    await storage.put(key, body);
    expect(sha256(plain.peek(stored))).toBe(object.sha256);
    if (object.object !== undefined)
      expect(Buffer.from(plain.peek(stored)).toString("hex")).toBe(object.object);
    for (const headSizeBytes of [0, 60, 100].filter((head) => head <= size)) {
      const upload = storage.upload(key, { headSizeBytes, expectedSizeBytes: size });
      await upload.write(body.subarray(headSizeBytes));
      await upload.complete(body.subarray(0, headSizeBytes));
      expect(sha256(plain.peek(stored)), `with a head of ${headSizeBytes}`).toBe(object.sha256);
    }
  },
);

test("however a body is cut into writes, the object is the same", async () => {
  const { key, size, sha256: expected } = VECTORS.objects.at(-1) as (typeof VECTORS.objects)[number];
  const body = vectorBody(size);
  const aCut = fc.oneof(fc.nat(200), fc.nat(200_000));
  await fc.assert(
    fc.asyncProperty(
      fc.array(aCut, { minLength: 1 }).filter((cuts) => cuts.some((cut) => cut > 50)),
      async (cuts) => {
        const plain = new MemoryStorage();
        const storage = encrypted(plain, undefined, { randomBytes: vectorSalt });
        const upload = storage.upload(key, { headSizeBytes: 100, expectedSizeBytes: size });
        for (let at = 100, i = 0; at < size; i += 1) {
          const piece = body.slice(at, at + (cuts[i % cuts.length] ?? 1));
          const wait = upload.write(piece);
          piece.fill(0xee);
          if (wait) await wait;
          at += piece.length;
        }
        await upload.complete(body.subarray(0, 100));
        expect(sha256(plain.peek(VECTORS.names[key] ?? ""))).toBe(expected);
      },
    ),
    { numRuns: 30 },
  );
});

test("no two bodies have a key in common, not even equal ones", async () => {
  const plain = new MemoryStorage();
  const storage = encrypted(plain);
  const stored = new Set<string>();
  for (let i = 0; i < 3; i += 1) {
    await storage.put("app/manifest.json", bytesOf(50, 1));
    const [name = ""] = plain.keys().filter((key) => key.endsWith("/manifest.json"));
    stored.add(Buffer.from(plain.peek(name).subarray(0, 40)).toString("hex"));
  }
  expect(stored.size).toBe(3);
});

const NONE: Upload = { write: () => undefined, complete: async () => ({ etag: "" }), abort: async () => {} };

function uploadTo(below: Partial<Upload>, options: Partial<UploadOptions> = {}) {
  return new EncryptedUpload({
    cipher: new ChunkCipher(new Uint8Array(32)),
    salt: vectorSalt(),
    headSizeBytes: options.headSizeBytes ?? 0,
    signal: options.signal,
    put: async () => ({ etag: "put" }),
    begin: async () => ({ ...NONE, ...below }),
  });
}

test("chunk 0 is sealed once: its nonce would come again", async () => {
  const upload = uploadTo({});
  await upload.complete(new Uint8Array());
  await expect(upload.complete(new Uint8Array())).rejects.toThrow("an upload is completed once");
});

test("what was given up cannot be completed", async () => {
  const upload = uploadTo({});
  await upload.abort();
  await expect(upload.complete(new Uint8Array())).rejects.toThrow();
});

test("a head that does not fit into chunk 0 is refused", () => {
  expect(() => uploadTo({}, { headSizeBytes: 101 })).toThrow(RangeError);
});

test("the upload below is waited for, and a writer that waits holds no more than a chunk and its write", async () => {
  let letGo = () => {};
  let written = 0;
  const upload = uploadTo({
    write(bytes) {
      written += bytes.length;
      return new Promise((resolve) => {
        letGo = resolve;
      });
    },
  });
  await upload.write(bytesOf(100 + 65_536, 1));
  expect(written).toBe(0);
  let isWaiting = true;
  const wait = upload.write(bytesOf(1, 2))?.then(() => {
    isWaiting = false;
  });
  await Promise.resolve();
  await new Promise(setImmediate);
  expect({ isWaiting, written }).toEqual({ isWaiting: true, written: 65_536 });
  letGo(); // the sealed chunk
  await new Promise(setImmediate);
  expect({ isWaiting, written }).toEqual({ isWaiting: true, written: 65_552 });
  letGo(); // its tag
  await wait;
  expect(isWaiting).toBe(false);
});

test("two gigabytes in and out: memory does not grow with them", async () => {
  const scratch = Buffer.alloc(1024 * 1024, 7);
  const total = 2 * 1024 ** 3;
  const upload = uploadTo({}, { headSizeBytes: 100 });
  const before = process.memoryUsage();
  let most = 0;
  for (let done = 0; done < total; done += scratch.length) {
    const wait = upload.write(scratch);
    if (wait) await wait;
    const { arrayBuffers } = process.memoryUsage();
    most = Math.max(most, arrayBuffers - before.arrayBuffers);
  }
  await upload.complete(Buffer.alloc(100));
  expect(most).toBeLessThan(200 * 1024 ** 2);
  expect(HEAD_BYTES).toBe(156);
}, 60_000);
