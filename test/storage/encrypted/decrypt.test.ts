import fc from "fast-check";
import { beforeEach, describe, expect, test } from "vitest";
import { ChunkCipher } from "../../../src/storage/encrypted/chunk-cipher.ts";
import type { EncryptedStorage } from "../../../src/storage/encrypted/encrypted-storage.ts";
import { MasterKey } from "../../../src/storage/encrypted/master-key.ts";
import { NameCipher } from "../../../src/storage/encrypted/names.ts";
import {
  CHUNK_BYTES,
  encodeHeader,
  HEADER_BYTES,
  plainSizeOf,
  sealedStart,
} from "../../../src/storage/encrypted/object-format.ts";
import { MemoryStorage } from "../../helpers/memory-storage.ts";
import { bytesOf, readAll, refusal } from "../support.ts";
import { encrypted, KEY } from "./support.ts";
import { VECTORS, vectorBody, vectorSalt } from "./vectors.ts";

const master = new MasterKey(KEY);
const names = new NameCipher(master.forNames());
const A = "app/00000001-00000001.ltx";
const B = "app/00000002-00000002.ltx";
const [storedA, storedB] = [names.seal(A), names.seal(B)];
/** Chunk 0, two whole ones, and a part of one. */
const SIZE = 100 + 2 * CHUNK_BYTES + 1000;

let plain: MemoryStorage;
let storage: EncryptedStorage;
beforeEach(() => {
  plain = new MemoryStorage({ pieceSizeBytes: 50_021 });
  storage = encrypted(plain);
});

/** How both ways of reading a whole object end. */
async function endings(key: string, maxBytes = 10 * CHUNK_BYTES): Promise<readonly (string | undefined)[]> {
  const range = { offset: 0, length: maxBytes };
  return Promise.all([
    refusal(storage.get(key, { maxBytes })),
    refusal(readAll(storage.read(key))),
    refusal(readAll(storage.read(key, range))),
  ]);
}

const DAMAGED = [...Array(3)].map(() => "INTEGRITY_CHECKSUM");

test.each(VECTORS.objects.filter(({ object }) => object !== undefined))(
  "the object of $size bytes that others made gives its body",
  async ({ key, size, object }) => {
    plain.poke(VECTORS.names[key] ?? "", Buffer.from(object ?? "", "hex"));
    expect((await storage.get(key, { maxBytes: size })).body).toEqual(Buffer.from(vectorBody(size)));
    expect(await readAll(storage.read(key))).toEqual(Buffer.from(vectorBody(size)));
  },
);

describe("ranges", () => {
  const body = bytesOf(SIZE, 7);
  const edges = [
    0,
    1,
    99,
    100,
    101,
    CHUNK_BYTES + 99,
    CHUNK_BYTES + 100,
    2 * CHUNK_BYTES + 100,
    SIZE - 1,
    SIZE,
    SIZE + 9,
  ];
  const anOffset = fc.oneof(fc.constantFrom(...edges), fc.nat(SIZE + 100));

  test("each gives exactly its bytes", async () => {
    await storage.put(A, body);
    await fc.assert(
      fc.asyncProperty(anOffset, fc.option(anOffset, { nil: undefined }), async (offset, length) => {
        const got = await readAll(storage.read(A, { offset, ...(length !== undefined && { length }) }));
        const wanted = body.subarray(offset, length === undefined ? SIZE : offset + length);
        expect(Buffer.compare(got, wanted), `${offset} ${length}`).toBe(0);
      }),
      { numRuns: 200 },
    );
  });

  test("each asks for the chunks that it touches and one byte more, and for the salt once", async () => {
    const asked: unknown[] = [];
    class Counting extends MemoryStorage {
      override read(...args: Parameters<MemoryStorage["read"]>) {
        asked.push(args[1]);
        return super.read(...args);
      }
    }
    const storage = encrypted(new Counting());
    await storage.put(A, body);
    await readAll(storage.read(A, { offset: CHUNK_BYTES + 200, length: 10 }));
    await readAll(storage.read(A, { offset: 150, length: 10 }));
    await readAll(storage.read(A, { offset: 0, length: 100 }));
    expect(asked).toEqual([
      { offset: 0, length: HEADER_BYTES },
      { offset: sealedStart(2), length: CHUNK_BYTES + 17 },
      { offset: sealedStart(1), length: CHUNK_BYTES + 17 },
      { length: sealedStart(1) + 1 },
    ]);
  });
});

describe("what is not as it was sealed is refused", () => {
  test.each([0, 1, 100, 101, 300])("any byte flipped in an object of %i bytes", async (size) => {
    await storage.put(A, bytesOf(size, 1));
    const sound = plain.peek(storedA);
    for (let at = 0; at < sound.length; at += 1) {
      const bytes = Uint8Array.from(sound);
      bytes[at] = (bytes[at] ?? 0) ^ 0x40;
      plain.poke(storedA, bytes);
      const expected = DAMAGED.map((code) =>
        at === 7 ? "INTEGRITY_VERSION" : at < 7 ? "INTEGRITY_FORMAT" : code,
      );
      expect(await endings(A), `byte ${at}`).toEqual(expected);
    }
  });

  test("a byte flipped in any chunk of a large one, whatever range is read", async () => {
    await storage.put(A, bytesOf(SIZE, 1));
    const sound = plain.peek(storedA);
    for (const chunk of [0, 1, 2, 3]) {
      plain.poke(
        storedA,
        Uint8Array.from(sound).fill(0xaa, sealedStart(chunk) + 20, sealedStart(chunk) + 24),
      );
      expect(await endings(A), `chunk ${chunk}`).toEqual(DAMAGED);
      const offset = chunk === 0 ? 50 : 100 + (chunk - 1) * CHUNK_BYTES;
      expect(await refusal(readAll(storage.read(A, { offset, length: 1 })))).toBe("INTEGRITY_CHECKSUM");
    }
  });

  test.each([0, 1, 2, 3].flatMap((chunk) => [-1, 0, 1, 15, 16, 17].map((more) => [chunk, more] as const)))(
    "cut at the beginning of chunk %i, %i bytes behind it",
    async (chunk, more) => {
      await storage.put(A, bytesOf(SIZE, 1));
      const cut = plain.peek(storedA).subarray(0, sealedStart(chunk) + more);
      plain.poke(storedA, cut);
      const headerIsCut = cut.length < HEADER_BYTES;
      expect(await endings(A)).toEqual(DAMAGED.map((code) => (headerIsCut ? "INTEGRITY_FORMAT" : code)));
      // The end of what is left, as a reader that has its size from a list asks for it.
      const size = plainSizeOf(cut.length);
      if (size !== undefined && size > 0)
        expect(await refusal(readAll(storage.read(A, { offset: size - 1, length: 1 })))).toBe(
          "INTEGRITY_CHECKSUM",
        );
    },
  );

  test("cut to nothing, longer by a byte, longer by a chunk", async () => {
    await storage.put(A, bytesOf(SIZE, 1));
    const sound = plain.peek(storedA);
    plain.poke(storedA, new Uint8Array());
    expect(await endings(A)).toEqual(DAMAGED.map(() => "INTEGRITY_FORMAT"));
    plain.poke(storedA, Buffer.concat([sound, Buffer.alloc(1)]));
    expect(await endings(A)).toEqual(DAMAGED);
    plain.poke(storedA, Buffer.concat([sound, sound.subarray(sealedStart(1), sealedStart(2))]));
    expect(await endings(A)).toEqual(DAMAGED);
  });

  test("chunks in another order, one twice, one left out", async () => {
    await storage.put(A, bytesOf(100 + 4 * CHUNK_BYTES, 1));
    const sound = plain.peek(storedA);
    const head = sound.subarray(0, sealedStart(1));
    const [one, two, three, four] = [1, 2, 3, 4].map((chunk) =>
      sound.subarray(sealedStart(chunk), sealedStart(chunk + 1)),
    );
    for (const chunks of [
      [two, one, three, four],
      [one, one, three, four],
      [one, three, four],
      [one, two, four],
      [one, two, three, four, four],
      [one, two, three],
    ]) {
      plain.poke(storedA, Buffer.concat([head, ...(chunks as Uint8Array[])]));
      expect(await endings(A)).toEqual(DAMAGED);
    }
  });

  test("an object in the place of another one, of the same database and of another one", async () => {
    const other = "tenants/app/00000001-00000001.ltx";
    for (const key of [A, B, other]) await storage.put(key, bytesOf(500, 1));
    const [a, b, c] = [storedA, storedB, names.seal(other)].map((stored) => plain.peek(stored));
    plain.poke(storedA, b as Uint8Array);
    plain.poke(storedB, c as Uint8Array);
    plain.poke(names.seal(other), a as Uint8Array);
    for (const key of [A, B, other]) expect(await endings(key), key).toEqual(DAMAGED);
  });

  test("the body of one object under the header of another one", async () => {
    for (const key of [A, B]) await storage.put(key, bytesOf(500, 1));
    const [a, b] = [plain.peek(storedA), plain.peek(storedB)];
    plain.poke(storedA, Buffer.concat([b.subarray(0, HEADER_BYTES), a.subarray(HEADER_BYTES)]));
    expect(await endings(A)).toEqual(DAMAGED);
  });

  test("an object that is not encrypted, and one of a newer version", async () => {
    plain.poke(storedA, bytesOf(500, 1));
    expect(await endings(A)).toEqual(DAMAGED.map(() => "INTEGRITY_FORMAT"));
    expect(await refusal(readAll(storage.read(A, { offset: 300 })))).toBe("INTEGRITY_FORMAT");
  });

  test("and the error names the object as its owner knows it", async () => {
    await storage.put(A, bytesOf(500, 1));
    plain.poke(storedA, plain.peek(storedA).fill(0, 200, 210));
    await expect(storage.get(A, { maxBytes: 1000 })).rejects.toMatchObject({
      exitCode: 5,
      message: `${A} cannot be decrypted: it was damaged, cut, or put in the place of another object`,
      details: { object: A },
    });
  });
});

describe("an object that is replaced between two requests", () => {
  const range = { offset: CHUNK_BYTES + 200, length: 10 };

  test("is read as it is now, where nothing was given yet", async () => {
    await storage.put(A, bytesOf(SIZE, 1));
    await readAll(storage.read(A, range)); // its salt is known now
    await storage.put(A, bytesOf(SIZE, 2));
    const got = await readAll(storage.read(A, range));
    expect(got).toEqual(Buffer.from(bytesOf(SIZE, 2).subarray(range.offset, range.offset + range.length)));
  });

  test("again and again: a conflict, not damage", async () => {
    await storage.put(A, bytesOf(SIZE, 1));
    plain.fault = ({ operation }) => {
      // Whoever asks for bytes has asked for the salt of the one before.
      if (operation === "read")
        plain.poke(
          storedA,
          Buffer.concat([
            encodeHeader(Buffer.from(bytesOf(32, plain.calls.length))),
            plain.peek(storedA).subarray(HEADER_BYTES),
          ]),
        );
      return undefined;
    };
    expect(await refusal(readAll(storage.read(A, range)))).toBe("STORAGE_CONFLICT");
  });
});

test("the header is asked for again after a failure", async () => {
  await storage.put(A, bytesOf(SIZE, 1));
  let failures = 1;
  const { WalrustError } = await import("../../../src/errors.ts");
  plain.fault = ({ operation }) =>
    operation === "read" && failures-- > 0
      ? { kind: "before", error: new WalrustError("STORAGE_NETWORK", "cut off") }
      : undefined;
  expect(await refusal(readAll(storage.read(A, { offset: 500 })))).toBe("STORAGE_NETWORK");
  expect(await readAll(storage.read(A, { offset: 500 }))).toHaveLength(SIZE - 500);
});

test("two gigabytes are read in memory that does not grow with them", async () => {
  const chunks = 2 ** 15;
  const salt = vectorSalt();
  const cipher = new ChunkCipher(master.forObject(salt, A));
  const body = Buffer.alloc(CHUNK_BYTES, 3);
  class Virtual extends MemoryStorage {
    override async *read() {
      yield encodeHeader(salt);
      for (let chunk = 0; chunk <= chunks; chunk += 1) {
        const { sealed, tag } = cipher.seal(
          chunk,
          chunk === chunks,
          chunk === 0 ? body.subarray(0, 100) : body,
        );
        yield sealed;
        yield tag;
      }
    }
  }
  const storage = encrypted(new Virtual());
  const before = process.memoryUsage().arrayBuffers;
  let [total, most] = [0, 0];
  for await (const piece of storage.read(A)) {
    total += piece.length;
    most = Math.max(most, process.memoryUsage().arrayBuffers - before);
  }
  expect(total).toBe(100 + chunks * CHUNK_BYTES);
  expect(most).toBeLessThan(200 * 1024 ** 2);
}, 60_000);
