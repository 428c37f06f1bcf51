import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { MasterKey } from "../../../src/storage/encrypted/master-key.ts";
import { looksSealed, MAX_NAME_BYTES, NameCipher } from "../../../src/storage/encrypted/names.ts";
import { keyProblem } from "../../../src/storage/key-rules.ts";
import { KEY, OTHER_KEY } from "./support.ts";
import { VECTORS } from "./vectors.ts";

const cipher = (key: Uint8Array = KEY) => new NameCipher(new MasterKey(key).forNames());
const names = cipher();

test.each(Object.entries(VECTORS.names))("%s", (key, sealed) => {
  expect(names.seal(key)).toBe(sealed);
  expect(cipher().open(sealed)).toBe(key);
});

const aName = fc
  .string({ unit: "grapheme", minLength: 1, maxLength: 30 })
  .filter((name) => keyProblem(name) === undefined && Buffer.byteLength(name) <= MAX_NAME_BYTES);

test("every name comes back, and no other key opens it", () => {
  const others = cipher(OTHER_KEY);
  fc.assert(
    fc.property(fc.array(aName, { minLength: 1, maxLength: 3 }), (folders) => {
      const key = [...folders, "manifest.json"].join("/");
      const sealed = names.seal(key);
      expect(keyProblem(sealed)).toBeUndefined();
      expect(cipher().open(sealed)).toBe(key);
      expect(others.open(sealed)).toBeUndefined();
      expect(sealed.split("/").slice(0, -1).every(looksSealed)).toBe(true);
      for (const folder of folders.filter((name) => name.length > 4)) expect(sealed).not.toContain(folder);
    }),
    { numRuns: 50 },
  );
});

test("one name is another one in another folder, and its length shows in steps of 16", () => {
  const [inA, inB] = ["a", "b"].map((folder) => names.sealFolder(`${folder}/same/`).split("/")[1]);
  expect(inA).not.toBe(inB);
  const lengths = [1, 15, 16, 17].map((size) => names.sealFolder(`${"n".repeat(size)}/`).length);
  expect(lengths).toEqual([44, 44, 44, 65]);
});

describe("what was not sealed with this key at this place is not opened", () => {
  const [eu = "", us = ""] = ["tenants/eu/x", "tenants/us/x"].map((key) => names.seal(key));
  const [tenants, sealedEu = ""] = eu.split("/");
  test.each([
    ["a plain name", "tenants/eu/x"],
    ["a name elsewhere", `${sealedEu}/x`],
    ["a folder in another one", `${us.split("/")[1]}/${sealedEu}/x`],
    ["a letter changed", `${tenants}/${sealedEu.replace(/^./, (c) => (c === "A" ? "B" : "A"))}/x`],
    ["a letter less", `${tenants}/${sealedEu.slice(1)}/x`],
    ["base64 that is not written so", `${tenants}/${sealedEu}=/x`],
    ["too short to be one", "AAAA/x"],
    ["a hash in hex", `${"ab".repeat(32)}/x`],
  ])("%s", (_what, key) => {
    expect(names.open(key)).toBeUndefined();
  });
});

test("a name that becomes too long is refused with a word", () => {
  expect(keyProblem(names.seal(`${"n".repeat(MAX_NAME_BYTES)}/x`))).toBeUndefined();
  const message = (key: string) => {
    try {
      return names.seal(key);
    } catch (error) {
      expect(error).toMatchObject({ code: "CONFIG_INVALID" });
      return (error as Error).message;
    }
  };
  const long = "n".repeat(MAX_NAME_BYTES + 1);
  expect(message(`eu/${long}/x`)).toBe(
    `the name "eu/${long}" cannot be encrypted: a part between slashes is longer than 128 bytes`,
  );
  expect(message(`${`${"n".repeat(100)}/`.repeat(5)}x`)).toContain("it is longer than 768 bytes");
});
