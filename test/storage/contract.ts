import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Storage } from "../../src/storage/storage.ts";
import { uploadContract } from "./contract-upload.ts";
import { bytesOf, collect, keysOf, ltxLike, readAll, refusal } from "./support.ts";

/** A storage to test, and what is its own. */
export interface StorageUnderTest {
  readonly storage: Storage;
  /** Uploads larger than this go up in several parts. */
  readonly partSizeBytes: number;
  /** Whether `timestampMs` becomes the object's time. */
  readonly keepsTime: boolean;
  /** Whether the SHA-256 of uploads in several parts is known to `head`. */
  readonly knowsSha256OfParts: boolean;
  /** Those that encrypt keep no SHA-256 at all: it would tell what is in a body. */
  readonly keepsSha256?: false;
  close(): Promise<void>;
}

/** What every storage promises (src/storage/storage.ts). Each test keeps to a prefix of its own. */
export function storageContract(name: string, open: () => Promise<StorageUnderTest>): void {
  describe(`${name} keeps the contract of storages`, () => {
    let under: StorageUnderTest;
    let storage: Storage;
    beforeAll(async () => {
      under = await open();
      storage = under.storage;
    });
    afterAll(() => under.close());

    it("proves that the root is there", async () => {
      await storage.check();
    });

    describe("put and get", () => {
      it.each([0, 1, 4096, 1_000_003])("gives back %d bytes", async (size) => {
        const body = bytesOf(size, size);
        const { etag } = await storage.put(`sizes/${size}`, body);
        const got = await storage.get(`sizes/${size}`, { maxBytes: size });
        expect(Buffer.compare(got.body, body)).toBe(0);
        expect(got.etag).toBe(etag);
      });

      it("replaces what was there", async () => {
        const first = await storage.put("replace/a", bytesOf(10, 1));
        const second = await storage.put("replace/a", bytesOf(20, 2));
        expect(second.etag).not.toBe(first.etag);
        expect((await storage.get("replace/a", { maxBytes: 100 })).body).toHaveLength(20);
      });

      it.each(["a b", "plus+and%25", "ü/ñ/日本語/🦭", "quote'\"<&>;=?#", "dots...and~tilde", "-_.!*()"])(
        "takes the key %s as it stands",
        async (key) => {
          await storage.put(`odd/${key}`, bytesOf(3, 3));
          expect((await storage.get(`odd/${key}`, { maxBytes: 3 })).body).toHaveLength(3);
          expect(await keysOf(storage.list(`odd/${key}`))).toEqual([`odd/${key}`]);
          await storage.delete([`odd/${key}`]);
        },
      );

      it.each([
        "",
        "/a",
        "a/",
        "a//b",
        "../a",
        "a/../b",
        "a/.",
        "a\u0000b",
        "a\nb",
        "a\\b",
        ".walrust-tmp-1",
        "x".repeat(900),
      ])("refuses the key %j", async (key) => {
        expect(await refusal(storage.put(key, bytesOf(1, 1)))).toBe("STORAGE_REJECTED");
        expect(await refusal(storage.get(key, { maxBytes: 1 }))).toBe("STORAGE_REJECTED");
        expect(await refusal(storage.head(key))).toBe("STORAGE_REJECTED");
        expect(await refusal(storage.delete([key]))).toBe("STORAGE_REJECTED");
        expect(await refusal(collect(storage.read(key)))).toBe("STORAGE_REJECTED");
      });

      it("says that nothing is there, and only then", async () => {
        for (const key of ["missing", "missing/deep/down", "sizes/none"]) {
          expect(await refusal(storage.get(key, { maxBytes: 1 }))).toBe("STORAGE_NOT_FOUND");
          expect(await refusal(storage.head(key))).toBe("STORAGE_NOT_FOUND");
          expect(await refusal(readAll(storage.read(key)))).toBe("STORAGE_NOT_FOUND");
          expect(await refusal(readAll(storage.read(key, { offset: 5, length: 5 })))).toBe(
            "STORAGE_NOT_FOUND",
          );
        }
      });

      it("refuses to get more than was asked for", async () => {
        await storage.put("large/a", bytesOf(101, 1));
        expect(await refusal(storage.get("large/a", { maxBytes: 100 }))).toBe("STORAGE_REJECTED");
      });
    });

    describe("conditions", () => {
      it("puts if absent once", async () => {
        await storage.put("absent/a", bytesOf(10, 1), { condition: { kind: "absent" } });
        const again = storage.put("absent/a", bytesOf(20, 2), { condition: { kind: "absent" } });
        expect(await refusal(again)).toBe("STORAGE_CONFLICT");
        expect((await storage.get("absent/a", { maxBytes: 100 })).body).toEqual(Buffer.from(bytesOf(10, 1)));
      });

      it("puts on a match with the newest etag alone", async () => {
        const first = await storage.put("match/a", bytesOf(10, 1));
        const second = await storage.put("match/a", bytesOf(11, 2), {
          condition: { kind: "match", etag: first.etag },
        });
        const stale = storage.put("match/a", bytesOf(12, 3), {
          condition: { kind: "match", etag: first.etag },
        });
        expect(await refusal(stale)).toBe("STORAGE_CONFLICT");
        expect((await storage.head("match/a")).etag).toBe(second.etag);
        const missing = storage.put("match/none", bytesOf(1, 1), {
          condition: { kind: "match", etag: first.etag },
        });
        expect(await refusal(missing)).toBe("STORAGE_CONFLICT");
        expect(await refusal(storage.head("match/none"))).toBe("STORAGE_NOT_FOUND");
      });

      it("lets one of many writers at once win", async () => {
        const { etag } = await storage.put("race/match", bytesOf(9, 9));
        for (const [key, condition] of [
          ["race/absent", { kind: "absent" }],
          ["race/match", { kind: "match", etag }],
        ] as const) {
          const ends = await Promise.all(
            Array.from({ length: 8 }, (_, i) => refusal(storage.put(key, bytesOf(50 + i, i), { condition }))),
          );
          // Who looks before a PUT instead sees others only when they are done.
          if (storage.conditionalPut) expect(ends.filter((end) => end === undefined)).toHaveLength(1);
          const { length } = (await storage.get(key, { maxBytes: 100 })).body;
          expect(ends[length - 50], "one that was told so").toBeUndefined();
        }
      });
    });

    describe("head", () => {
      it("tells size, time, etag and the SHA-256 of an LTX file's body", async () => {
        const { file, sha256 } = ltxLike(5000, 1);
        const before = Date.now();
        const { etag } = await storage.put("head/00000001-00000001.ltx", file, { sha256 });
        const head = await storage.head("head/00000001-00000001.ltx");
        expect(head).toMatchObject({
          key: "head/00000001-00000001.ltx",
          sizeBytes: file.length,
          etag,
          sha256: under.keepsSha256 === false ? undefined : sha256,
        });
        expect(Math.abs(head.lastModifiedMs - before)).toBeLessThan(60_000);
      });

      it("keeps the time given where there is room for it", async () => {
        const timestampMs = Date.UTC(2021, 3, 5, 6, 7, 8, 123);
        await storage.put("time/a", bytesOf(1, 1), { timestampMs });
        const upload = storage.upload("time/b", { headSizeBytes: 0, expectedSizeBytes: 1, timestampMs });
        await upload.write(bytesOf(1, 1));
        await upload.complete(new Uint8Array());
        for await (const object of storage.list("time/")) {
          if (under.keepsTime) expect(object.lastModifiedMs).toBe(timestampMs);
          else expect(object.lastModifiedMs).toBeGreaterThan(timestampMs);
        }
      });
    });

    describe("list", () => {
      const names = ["b", "a/z", "a-b", "a.b", "a/b/c", "é", "z", "Z", "1", "10", "2", "a0", "ﬀ", "🦭"];
      const inOrder = names
        .map((name) => `list/${name}`)
        .sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));

      it("gives all keys in the order of their UTF-8 bytes", async () => {
        for (const [i, name] of names.entries()) await storage.put(`list/${name}`, bytesOf(i, i));
        expect(await keysOf(storage.list("list/"))).toEqual(inOrder);
        expect(await keysOf(storage.list("list"))).toEqual(inOrder);
        expect((await keysOf(storage.list(""))).filter((key) => key.startsWith("list/"))).toEqual(inOrder);
      });

      it.each(["list/a", "list/a/", "list/a/b", "list/1", "list/none", "lis", "list/a/b/c", "list/a/b/c/"])(
        "takes %s as the start of keys",
        async (prefix) => {
          for (const [i, name] of names.entries()) await storage.put(`list/${name}`, bytesOf(i, i));
          const expected = inOrder.filter((key) => key.startsWith(prefix));
          expect((await keysOf(storage.list(prefix))).filter((key) => key.startsWith("list/"))).toEqual(
            expected,
          );
        },
      );

      it("tells sizes and times", async () => {
        await storage.put("facts/a", bytesOf(77, 1));
        const [object] = await collect(storage.list("facts/"));
        expect(object).toMatchObject({ key: "facts/a", sizeBytes: 77 });
        expect(Math.abs((object?.lastModifiedMs ?? 0) - Date.now())).toBeLessThan(60_000);
      });

      it("can be left early", async () => {
        for await (const object of storage.list("list/")) {
          expect(object.key).toBe(inOrder[0]);
          break;
        }
      });

      it.each(["/", "../", "a//", "a/../"])("refuses the prefix %j", async (prefix) => {
        expect(await refusal(collect(storage.list(prefix)))).toBe("STORAGE_REJECTED");
      });
    });

    describe("read", () => {
      const size = 1_500_000;
      const body = bytesOf(size, 42);
      beforeAll(() => storage.put("read/a", body));

      it.each([
        [undefined, undefined],
        [0, 1],
        [0, size],
        [0, size + 1],
        [1, 100],
        [size - 1, undefined],
        [size - 10, 1000],
        [777_777, 300_000],
        [size, undefined],
        [size + 5, 5],
        [3, 0],
      ])("gives the range from %s, %s long", async (offset, length) => {
        const got = await readAll(
          storage.read("read/a", {
            ...(offset !== undefined && { offset }),
            ...(length !== undefined && { length }),
          }),
        );
        const start = offset ?? 0;
        expect(Buffer.compare(got, body.subarray(start, length === undefined ? size : start + length))).toBe(
          0,
        );
      });

      it("never mixes two versions", async () => {
        await storage.put("read/mixed", bytesOf(size, 1));
        let seen = Buffer.alloc(0);
        let replaced = false;
        let conflict = false;
        try {
          for await (const piece of storage.read("read/mixed")) {
            seen = Buffer.concat([seen, piece]);
            if (!replaced) await storage.put("read/mixed", bytesOf(size, 2));
            replaced = true;
          }
        } catch (error) {
          expect(error).toMatchObject({ code: "STORAGE_CONFLICT" });
          conflict = true;
        }
        expect(Buffer.compare(seen, bytesOf(size, 1).subarray(0, seen.length))).toBe(0);
        if (!conflict) expect(seen).toHaveLength(size);
      });

      it("can be left early", async () => {
        for await (const piece of storage.read("read/a")) {
          expect(piece.length).toBeGreaterThan(0);
          break;
        }
        expect((await storage.head("read/a")).sizeBytes).toBe(size);
      });
    });

    describe("delete", () => {
      it("deletes what is there and minds no missing keys", async () => {
        await storage.put("delete/a", bytesOf(1, 1));
        await storage.put("delete/b", bytesOf(1, 1));
        await storage.delete(["delete/a", "delete/none", "delete/no/such/folder"]);
        expect(await keysOf(storage.list("delete/"))).toEqual(["delete/b"]);
        await storage.delete([]);
      });

      it("deletes more than fit in one request", async () => {
        const keys = Array.from({ length: 1005 }, (_, i) => `many/${String(i).padStart(4, "0")}`);
        for (let at = 0; at < keys.length; at += 50) {
          await Promise.all(keys.slice(at, at + 50).map((key) => storage.put(key, bytesOf(1, 1))));
        }
        expect(await keysOf(storage.list("many/"))).toEqual(keys);
        await storage.delete(keys.slice(0, 1003));
        expect(await keysOf(storage.list("many/"))).toEqual(keys.slice(1003));
      });
    });

    describe("upload", () => uploadContract(() => under));

    it("does nothing for who has stopped already", async () => {
      const signal = AbortSignal.abort();
      await storage.put("stopped/a", bytesOf(1, 1));
      const calls: Record<string, () => Promise<unknown>> = {
        check: () => storage.check({ signal }),
        put: () => storage.put("stopped/b", bytesOf(1, 1), { signal }),
        get: () => storage.get("stopped/a", { signal, maxBytes: 1 }),
        head: () => storage.head("stopped/a", { signal }),
        read: () => collect(storage.read("stopped/a", { signal })),
        list: () => collect(storage.list("stopped/", { signal })),
        delete: () => storage.delete(["stopped/a"], { signal }),
        upload: () =>
          storage
            .upload("stopped/b", { headSizeBytes: 0, expectedSizeBytes: 0, signal })
            .complete(new Uint8Array()),
      };
      for (const [call, run] of Object.entries(calls)) {
        expect(await refusal(run()), call).toBe("ABORTED");
      }
      expect(await keysOf(storage.list("stopped/"))).toEqual(["stopped/a"]);
    });
  });
}
