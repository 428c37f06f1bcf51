import { beforeEach, describe, expect, test } from "vitest";
import { WalrustError } from "../../../src/errors.ts";
import { MARK_KEY, parseMark } from "../../../src/storage/encrypted/mark.ts";
import { MasterKey } from "../../../src/storage/encrypted/master-key.ts";
import { UnencryptedStorage } from "../../../src/storage/encrypted/unencrypted-storage.ts";
import type { Storage } from "../../../src/storage/storage.ts";
import { MemoryStorage } from "../../helpers/memory-storage.ts";
import { bytesOf, collect, keysOf, readAll, refusal } from "../support.ts";
import { encrypted, KEY, OTHER_KEY } from "./support.ts";
import { VECTORS, vectorSalt } from "./vectors.ts";

const A = "app/00000001-00000001.ltx";

let plain: MemoryStorage;
let warnings: string[];
beforeEach(() => {
  plain = new MemoryStorage();
  warnings = [];
});

const open = (key: Uint8Array = KEY, storage: Storage = plain) =>
  encrypted(storage, key, {
    logger: { info() {}, warn: (_facts: unknown, message: string) => void warnings.push(message) },
  });

/** Every call of a storage. */
function calls(storage: Storage): Readonly<Record<string, () => Promise<unknown>>> {
  return {
    check: () => storage.check(),
    put: () => storage.put("b/manifest.json", bytesOf(3, 3)),
    get: () => storage.get(A, { maxBytes: 1000 }),
    head: () => storage.head(A),
    read: () => readAll(storage.read(A)),
    range: () => readAll(storage.read(A, { offset: 150 })),
    list: () => collect(storage.list("app/")),
    "list of all": () => collect(storage.list("")),
    delete: () => storage.delete([A]),
    upload: () =>
      storage.upload("b/x", { headSizeBytes: 0, expectedSizeBytes: 0 }).complete(new Uint8Array()),
    "large upload": async () => {
      const upload = storage.upload("b/x", { headSizeBytes: 0, expectedSizeBytes: 0 });
      await upload.write(bytesOf(200_000, 1));
      await upload.complete(new Uint8Array());
    },
  };
}

describe("the mark", () => {
  test("is written with the first object, and not before", async () => {
    const storage = open();
    await storage.check();
    expect(await keysOf(storage.list(""))).toEqual([]);
    expect(plain.keys()).toEqual([]);
    await storage.put(A, bytesOf(3, 3));
    expect(plain.keys()).toContain(MARK_KEY);
    expect(await keysOf(storage.list(""))).toEqual([A]);
    expect(plain.calls.filter(({ key }) => key === MARK_KEY).map(({ operation }) => operation)).toEqual([
      "get",
      "put",
    ]);
  });

  test("tells nothing of the key, and is what another implementation makes", async () => {
    await encrypted(plain, KEY, { randomBytes: vectorSalt, clock: { now: () => 0 } as never }).put(
      A,
      bytesOf(3, 3),
    );
    expect(JSON.parse(Buffer.from(plain.peek(MARK_KEY)).toString())).toEqual({
      version: 1,
      created: "1970-01-01T00:00:00.000Z",
      salt: VECTORS.salt,
      proof: VECTORS.proof,
    });
    expect(Buffer.from(new MasterKey(KEY).proof(parseMark(plain.peek(MARK_KEY)).salt)).toString("hex")).toBe(
      VECTORS.proof,
    );
  });

  test("costs one request a process, where it is there", async () => {
    await open().put(A, bytesOf(300, 3));
    plain.calls.length = 0;
    const storage = open();
    for (const call of Object.values(calls(storage)).slice(0, -3)) await call();
    expect(plain.calls.filter(({ key }) => key === MARK_KEY)).toHaveLength(1);
  });

  test("is kept from whoever asks for it by its name", async () => {
    const storage = open();
    await storage.put(A, bytesOf(3, 3));
    for (const call of [
      storage.put(MARK_KEY, bytesOf(1, 1)),
      storage.get(MARK_KEY, { maxBytes: 100 }),
      storage.delete([MARK_KEY]),
    ])
      expect(await refusal(call)).toBe("STORAGE_REJECTED");
  });

  test.each([
    ["nothing", ""],
    ["no JSON", "{"],
    ["another document", "[]"],
    ["null", "null"],
    ["a salt that is none", JSON.stringify({ version: 1, salt: "ab", proof: VECTORS.proof })],
    ["no proof", JSON.stringify({ version: 1, salt: VECTORS.salt })],
  ])("damaged (%s) it is refused", async (_what, text) => {
    plain.poke(MARK_KEY, Buffer.from(text));
    for (const storage of [open(), new UnencryptedStorage(plain)])
      await expect(storage.check()).rejects.toMatchObject({ code: "INTEGRITY_FORMAT", exitCode: 5 });
  });

  test("of a newer walrust it is not touched", async () => {
    plain.poke(MARK_KEY, Buffer.from(JSON.stringify({ version: 2 })));
    for (const storage of [open(), new UnencryptedStorage(plain)])
      expect(await refusal(storage.check())).toBe("INTEGRITY_VERSION");
  });
});

describe("a wrong key", () => {
  test("is told by every call, and nothing is written", async () => {
    await open().put(A, bytesOf(300, 3));
    const before = plain.keys();
    for (const [name, call] of Object.entries(calls(open(OTHER_KEY)))) {
      const error = await call().catch((thrown: unknown) => thrown);
      expect(error, name).toMatchObject({ code: "CONFIG_INVALID", exitCode: 2 });
      expect((error as Error).message).toContain("the encryption key does not fit memory://test");
    }
    expect(plain.keys()).toEqual(before);
  });

  test("also where the mark was deleted: the objects tell", async () => {
    await open().put(A, bytesOf(300, 3));
    plain.remove(MARK_KEY);
    const before = plain.keys();
    for (const [name, call] of Object.entries(calls(open(OTHER_KEY))))
      expect(await refusal(call()), name).toBe("CONFIG_INVALID");
    expect(plain.keys()).toEqual(before);
  });

  test("of a process that was slower to begin", async () => {
    const slower = open(OTHER_KEY);
    await slower.check();
    await open().put(A, bytesOf(3, 3));
    expect(await refusal(slower.put("b/manifest.json", bytesOf(3, 3)))).toBe("CONFIG_INVALID");
    expect(plain.keys()).toHaveLength(2);
  });
});

describe("the right key", () => {
  test("writes a mark that was deleted again", async () => {
    await open().put(A, bytesOf(3, 3));
    plain.remove(MARK_KEY);
    const storage = open();
    expect((await storage.get(A, { maxBytes: 3 })).body).toHaveLength(3);
    await storage.put("app/manifest.json", bytesOf(3, 3));
    expect(plain.keys()).toContain(MARK_KEY);
  });

  test("of two processes that begin at once", async () => {
    const both = [open(), open()];
    await Promise.all(both.map((storage) => storage.check()));
    await Promise.all(both.map((storage, i) => storage.put(`app/${i}`, bytesOf(3, 3))));
    expect(await keysOf(open().list(""))).toEqual(["app/0", "app/1"]);
  });

  test("is asked for again after a failure", async () => {
    await open().put(A, bytesOf(3, 3));
    const storage = open();
    plain.fault = () => ({ kind: "before", error: new WalrustError("STORAGE_NETWORK", "cut off") });
    expect(await refusal(storage.get(A, { maxBytes: 3 }))).toBe("STORAGE_NETWORK");
    plain.fault = () => undefined;
    expect((await storage.get(A, { maxBytes: 3 })).body).toHaveLength(3);
  });

  test("one caller that stops does not stop the others", async () => {
    await open().put(A, bytesOf(3, 3));
    const storage = open();
    const stop = new AbortController();
    const stopped = refusal(
      storage.get(A, { maxBytes: 3, signal: stop.signal }).catch((error) => {
        if (error.name === "AbortError") throw new WalrustError("ABORTED", "stopped");
        throw error;
      }),
    );
    const goesOn = storage.get(A, { maxBytes: 3 });
    stop.abort();
    expect(await stopped).toBe("ABORTED");
    expect((await goesOn).body).toHaveLength(3);
  });
});

describe("copies that are not encrypted", () => {
  test("stay as they are, are not shown, and are told of", async () => {
    const before = bytesOf(500, 5);
    await plain.put("old/00000001-00000001.ltx", before);
    await plain.put(`${"ab".repeat(32)}/00000001-00000001.ltx`, before); // a name that could be an encrypted one
    const storage = open();
    await storage.check();
    expect(warnings).toEqual([]);
    await storage.put(A, bytesOf(3, 3));
    expect(warnings).toEqual([
      expect.stringMatching(/memory:\/\/test also holds copies that are not encrypted \(/),
    ]);
    expect(await keysOf(storage.list(""))).toEqual([A]);
    expect(warnings).toHaveLength(2);
    expect(await keysOf(storage.list("old/"))).toEqual([]);
    expect(plain.peek("old/00000001-00000001.ltx")).toEqual(before);
  });

  test("no request tells their names, nor those of ours", async () => {
    const storage = open();
    await storage.put("customer-4711/eu/manifest.json", bytesOf(3, 3));
    await collect(storage.list("customer-4711/"));
    await collect(storage.list("customer-4711/eu/"));
    await refusal(storage.get("customer-4711/none", { maxBytes: 3 }));
    for (const { key } of plain.calls) expect(key).not.toMatch(/customer|eu\//);
  });
});

describe("without a key", () => {
  const REFUSED = {
    code: "CONFIG_INVALID",
    exitCode: 2,
    message: "memory://test is encrypted, and no key is given",
  };

  test("an encrypted storage is refused where it is checked, and where nothing is found", async () => {
    await open().put(A, bytesOf(3, 3));
    const storage = new UnencryptedStorage(plain);
    await expect(storage.check()).rejects.toMatchObject(REFUSED);
    await expect(collect(storage.list("app/"))).rejects.toMatchObject(REFUSED);
  });

  test("any other one is asked once", async () => {
    await plain.put(A, bytesOf(3, 3));
    plain.calls.length = 0;
    const storage = new UnencryptedStorage(plain);
    expect(await keysOf(storage.list("app/"))).toEqual([A]);
    expect(plain.calls).toHaveLength(1);
    for (let i = 0; i < 3; i += 1) expect(await keysOf(storage.list("none/"))).toEqual([]);
    await storage.check();
    expect(plain.calls.filter(({ key }) => key === MARK_KEY)).toHaveLength(1);
  });

  test("a storage that cannot be asked is no unencrypted one", async () => {
    plain.fault = ({ key }) =>
      key === MARK_KEY ? { kind: "before", error: new WalrustError("STORAGE_AUTH", "refused") } : undefined;
    const storage = new UnencryptedStorage(plain);
    expect(await refusal(storage.check())).toBe("STORAGE_AUTH");
    expect(await refusal(collect(storage.list("none/")))).toBe("STORAGE_AUTH");
  });
});
