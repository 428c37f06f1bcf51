import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { systemClock } from "../../../src/clock.ts";
import { ChunkCipher } from "../../../src/storage/encrypted/chunk-cipher.ts";
import { sealWhole } from "../../../src/storage/encrypted/encrypt.ts";
import { EncryptedStorage } from "../../../src/storage/encrypted/encrypted-storage.ts";
import { readMasterKey } from "../../../src/storage/encrypted/key-source.ts";
import { fits, formatMark, MARK_KEY, parseMark } from "../../../src/storage/encrypted/mark.ts";
import { MasterKey } from "../../../src/storage/encrypted/master-key.ts";
import { NameCipher } from "../../../src/storage/encrypted/names.ts";
import { plainSizeOf, storedSizeOf } from "../../../src/storage/encrypted/object-format.ts";
import { MemoryStorage } from "../../helpers/memory-storage.ts";
import { sandbox } from "../sandbox.ts";
import { inputOf, type Target, textOf } from "../target.ts";

const master = new MasterKey(Uint8Array.from({ length: 32 }, (_, i) => i));
const names = new NameCipher(master.forNames());
const salt = Buffer.alloc(32, 0xa0);
const logger = { info() {}, warn() {} };
const KEY = "app/00000001-00000001.ltx";
const BODIES = [0, 1, 100, 101, 1000, 66_000, 131_500].map((size) =>
  Uint8Array.from({ length: size }, (_, i) => (i * 7 + size) & 0xff),
);

const sealedFor = (key: string) => (body: Uint8Array) =>
  new Uint8Array(sealWhole(new ChunkCipher(master.forObject(salt, key)), salt, body));

const object: Target = {
  name: "encrypted-object",
  holds: "what opens is a body that was sealed for this place, whole; a range of it is a part of it",
  input: "bytes",
  seeds: () => [
    ...BODIES.map(sealedFor(KEY)),
    ...BODIES.slice(0, 4).map(sealedFor("app/00000002-00000002.ltx")),
  ],
  codes: ["INTEGRITY_FORMAT", "INTEGRITY_VERSION", "INTEGRITY_CHECKSUM"],
  inputs: 300,
  async run(input) {
    const plain = new MemoryStorage({ pieceSizeBytes: 50_021 });
    plain.poke(MARK_KEY, formatMark(master, salt, 0));
    plain.poke(names.seal(KEY), input);
    const storage = new EncryptedStorage(plain, master, { clock: systemClock, logger });
    const range = await refusedOr(pieces(storage.read(KEY, { offset: 150, length: 66_000 })));
    const body = await refusedOr(
      storage.get(KEY, { maxBytes: 1 << 20 }).then((got) => Buffer.from(got.body)),
    );
    if (Buffer.isBuffer(range)) {
      const known = BODIES.some((one) => Buffer.compare(one.subarray(150, 66_150), range) === 0);
      assert(known, "a range that nobody sealed");
    }
    if (!Buffer.isBuffer(body)) throw body;
    assert(
      BODIES.some((one) => Buffer.compare(one, body) === 0),
      "a body that nobody sealed",
    );
    assert.deepEqual(await pieces(storage.read(KEY)), body);
    return body.length;
  },
};

async function refusedOr(reading: Promise<Buffer>): Promise<unknown> {
  return reading.catch((error: unknown) => error);
}

async function pieces(source: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const all: Buffer[] = [];
  for await (const piece of source) all.push(Buffer.from(piece));
  return Buffer.concat(all);
}

const name: Target = {
  name: "encrypted-names",
  holds: "a name that opens is the one that is sealed",
  input: "text",
  words: ["/", "manifest.json"],
  seeds: () =>
    ["app/manifest.json", "tenants/eu/00000001-00000009.ltx", "x"].map((key) => inputOf(names.seal(key))),
  codes: [],
  inputs: 800,
  run(input) {
    const sealed = textOf(input);
    const opened = names.open(sealed);
    if (opened !== undefined && sealed.includes("/"))
      assert.equal(
        names.sealFolder(opened.slice(0, opened.lastIndexOf("/") + 1)),
        sealed.slice(0, sealed.lastIndexOf("/") + 1),
      );
    return opened;
  },
};

const mark: Target = {
  name: "encrypted-mark",
  holds: "can be compared with a key",
  input: "text",
  words: ['"salt"', '"proof"', '"version"'],
  seeds: () => [formatMark(master, salt, 0)],
  codes: ["INTEGRITY_FORMAT", "INTEGRITY_VERSION"],
  inputs: 2000,
  run: (input) => fits(master, parseMark(input)),
};

const keyFile: Target = {
  name: "encryption-key",
  holds: "a key, or none; no message repeats what stands there",
  input: "bytes",
  seeds: () => [
    inputOf("00ff".repeat(16)),
    inputOf(Buffer.alloc(32, 200).toString("base64")),
    Uint8Array.from({ length: 32 }, (_, i) => i * 7),
    inputOf("  00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff\n"),
  ],
  codes: ["CONFIG_INVALID"],
  inputs: 200,
  async run(input) {
    const file = join(sandbox().scratch, "key");
    writeFileSync(file, input, { mode: 0o600 });
    const secret = textOf(input).trim();
    try {
      const fromEnvironment = await readMasterKey(
        { kind: "env", variable: "KEY" },
        { env: { KEY: textOf(input) }, logger },
      ).catch((error) => error);
      if (fromEnvironment instanceof Error && secret.length >= 16)
        assert(!fromEnvironment.message.includes(secret));
      return (await readMasterKey({ kind: "file", path: file }, { env: {}, logger })).proof(salt);
    } catch (error) {
      if (error instanceof Error && secret.length >= 16) assert(!error.message.includes(secret));
      throw error;
    }
  },
};

const sizes: Target = {
  name: "encrypted-sizes",
  holds: "a size of an object that has a body is that of the body's",
  input: "bytes",
  seeds: () =>
    [56, 156, 157, 173, 66_000].map((size) => Uint8Array.of(0, 0, size >> 24, size >> 16, size >> 8, size)),
  codes: [],
  inputs: 1500,
  run(input) {
    const stored = Number(BigInt(`0x0${Buffer.from(input.subarray(0, 6)).toString("hex")}`));
    const plain = plainSizeOf(stored);
    if (plain !== undefined) assert.equal(storedSizeOf(plain), stored);
    return plain;
  },
};

export const ENCRYPTED_TARGETS: readonly Target[] = [object, name, mark, keyFile, sizes];
