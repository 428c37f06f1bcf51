import { createHash } from "node:crypto";
import { expect, it } from "vitest";
import type { StorageUnderTest } from "./contract.ts";
import { bytesOf, keysOf, ltxLike, readAll, refusal } from "./support.ts";

/** The part of the contract that is about uploads. */
export function uploadContract(under: () => StorageUnderTest): void {
  const storage = () => under().storage;

  const sizes = (part: number) => [0, 1, 100, 5000, part - 1, part, part + 1, 2 * part, 2 * part + 12_345];

  it("gives back what was written, with the head in front, in one part or many", async () => {
    for (const size of sizes(under().partSizeBytes)) {
      const { file, sha256 } = ltxLike(size, size);
      const body = file.subarray(100);
      const upload = storage().upload(`upload/${size}.ltx`, {
        headSizeBytes: 100,
        expectedSizeBytes: size,
      });
      const scratch = Buffer.alloc(300_000);
      for (let at = 0, step = 1; at < body.length; at += step, step = Math.min(step * 7, scratch.length)) {
        // The caller's buffer is used again at once: nothing of it may be kept.
        const length = Math.min(step, body.length - at);
        scratch.set(body.subarray(at, at + length));
        const full = upload.write(scratch.subarray(0, length));
        scratch.fill(0xee);
        await full;
      }
      expect(await keysOf(storage().list(`upload/${size}.ltx`)), "visible too early").toEqual([]);
      const { etag } = await upload.complete(file.subarray(0, 100), { sha256 });
      const got = await readAll(storage().read(`upload/${size}.ltx`));
      expect(Buffer.compare(got, file), `size ${size}`).toBe(0);
      const head = await storage().head(`upload/${size}.ltx`);
      expect(head).toMatchObject({ etag, sizeBytes: file.length });
      const small = file.length <= under().partSizeBytes;
      if (under().keepsSha256 === false) expect(head.sha256).toBeUndefined();
      else if (small || under().knowsSha256OfParts) expect(head.sha256).toBe(sha256);
    }
  });

  it("takes a single write that is larger than everything it holds", async () => {
    const body = bytesOf(3 * under().partSizeBytes + 1, 5);
    const upload = storage().upload("upload/large", { headSizeBytes: 4, expectedSizeBytes: 10 });
    await upload.write(body);
    await upload.complete(Buffer.from("head"));
    const got = await readAll(storage().read("upload/large"));
    expect(createHash("sha256").update(got).digest("hex")).toBe(
      createHash("sha256").update("head").update(body).digest("hex"),
    );
  });

  it("does not replace if absent is asked for", async () => {
    for (const size of [10, under().partSizeBytes + 10]) {
      const key = `upload/absent-${size}`;
      await storage().put(key, bytesOf(7, 7));
      const upload = storage().upload(key, {
        headSizeBytes: 0,
        expectedSizeBytes: size,
        condition: { kind: "absent" },
      });
      await upload.write(bytesOf(size, 1));
      expect(await refusal(upload.complete(new Uint8Array()))).toBe("STORAGE_CONFLICT");
      await upload.abort();
      expect((await storage().head(key)).sizeBytes).toBe(7);
    }
  });

  it("leaves nothing behind when it is given up", async () => {
    for (const size of [0, 10, 2 * under().partSizeBytes]) {
      const key = `upload/given-up-${size}`;
      const upload = storage().upload(key, { headSizeBytes: 100, expectedSizeBytes: size });
      await upload.write(bytesOf(size, 1));
      await upload.abort();
      await upload.abort();
      expect(await refusal(storage().head(key))).toBe("STORAGE_NOT_FOUND");
    }
  });

  it("may be aborted after it is complete", async () => {
    const upload = storage().upload("upload/complete", { headSizeBytes: 1, expectedSizeBytes: 1 });
    await upload.complete(bytesOf(1, 1));
    await upload.abort();
    expect((await storage().head("upload/complete")).sizeBytes).toBe(1);
  });

  it("refuses bad keys", () => {
    expect(() => storage().upload("../a", { headSizeBytes: 0, expectedSizeBytes: 0 })).toThrow(
      expect.objectContaining({ code: "STORAGE_REJECTED" }),
    );
  });
}
