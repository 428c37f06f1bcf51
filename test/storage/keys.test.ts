import { describe, expect, it } from "vitest";
import { databaseKeys, parseKey } from "../../src/storage/keys.ts";

describe("databaseKeys", () => {
  const keys = databaseKeys("tenants/app");

  it("makes the keys of the layout", () => {
    expect(keys.prefix).toBe("tenants/app/");
    expect(keys.ltx(1n, 1n)).toBe("tenants/app/00000001-00000001.ltx");
    expect(keys.ltx(2n, 100_000_000n)).toBe("tenants/app/00000002-100000000.ltx");
    expect(keys.manifest()).toBe("tenants/app/manifest.json");
    expect(keys.writer()).toBe("tenants/app/writer.json");
  });

  it("parses what it makes", () => {
    const range = { minTxid: 2n ** 53n + 1n, maxTxid: 2n ** 64n - 1n };
    expect(keys.parse(keys.ltx(range.minTxid, range.maxTxid))).toEqual({ kind: "ltx", ...range });
    expect(keys.parse(keys.manifest())).toEqual({ kind: "manifest" });
    expect(keys.parse(keys.writer())).toEqual({ kind: "writer" });
    expect(parseKey(keys.ltx(1n, 7n))).toEqual({
      database: "tenants/app",
      stored: { kind: "ltx", minTxid: 1n, maxTxid: 7n },
    });
  });

  it.each([
    "tenants/app2/manifest.json",
    "tenants/app",
    "tenants/app/",
    "tenants/app/1-1.ltx",
    "tenants/app/00000002-00000001.ltx",
    "tenants/app/000000001-00000001.ltx",
    "tenants/app/00000001-00000001.ltx.tmp",
    "tenants/app/sub/00000001-00000001.ltx",
    "tenants/app/manifest.json.bak",
    "app/manifest.json",
  ])("does not know %s", (key) => {
    expect(keys.parse(key)).toBeUndefined();
  });

  it.each([
    "",
    "/",
    "a/",
    "/a",
    "a//b",
    "..",
    "a/..",
    "./a",
    "a\nb",
    "a\u007fb",
    "a\u0085b",
    "a\\b",
    "a\ud800b",
    "\uffff",
    ".walrust-tmp-1",
    "x".repeat(201),
    `${"x/".repeat(384)}y`,
  ])("refuses the name %j", (name) => {
    expect(() => databaseKeys(name)).toThrow(expect.objectContaining({ code: "CONFIG_INVALID" }));
  });

  it.each(["app", "my app.db", "…", "..a", "a..b", "tenants/日本/🦭", "x".repeat(200)])(
    "takes the name %j",
    (name) => {
      expect(databaseKeys(name).prefix).toBe(`${name}/`);
    },
  );
});

describe("parseKey", () => {
  it.each(["manifest.json", "/manifest.json", "a//manifest.json", "../manifest.json", "a/b", ""])(
    "knows no database in %j",
    (key) => {
      expect(parseKey(key)).toBeUndefined();
    },
  );
});
