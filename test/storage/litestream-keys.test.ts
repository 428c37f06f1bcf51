import { describe, expect, it } from "vitest";
import { parseKey } from "../../src/storage/keys.ts";
import { litestreamKeys, parseLitestreamKey, parseVersion03Key } from "../../src/storage/litestream-keys.ts";

const ONE = "0000000000000001-0000000000000001.ltx";

describe("litestreamKeys", () => {
  it.each([
    ["bucket", 255n, 255n, "tenants/app/0000/00000000000000ff-00000000000000ff.ltx"],
    ["bucket", 1n, 255n, "tenants/app/0009/0000000000000001-00000000000000ff.ltx"],
    ["folder", 255n, 255n, "tenants/app/ltx/0/00000000000000ff-00000000000000ff.ltx"],
    ["folder", 1n, 255n, "tenants/app/ltx/9/0000000000000001-00000000000000ff.ltx"],
    ["bucket", 1n, 1n, `tenants/app/0000/${ONE}`],
  ] as const)("in a %s, TXIDs %s to %s: %s", (where, min, max, key) => {
    const keys = litestreamKeys("tenants/app", where);
    expect(keys.ltx(min, max)).toBe(key);
    expect(parseLitestreamKey(key)).toMatchObject({ database: "tenants/app", minTxid: min, maxTxid: max });
    expect(parseKey(key)).toBeUndefined();
  });

  it("lists where our own layout lists, and shares its writer record", () => {
    const keys = litestreamKeys("app", "bucket");
    expect(keys.prefix).toBe("app/");
    expect(keys.writer()).toBe("app/writer.json");
  });

  it("refuses a name that leads out of the storage", () => {
    expect(() => litestreamKeys("../app", "folder")).toThrow();
  });
});

describe("parseLitestreamKey", () => {
  it.each([
    [`app/0003/${ONE}`, "app", 3],
    [`app/ltx/9/${ONE}`, "app", 9],
    [`app/ltx/0000/${ONE}`, "app/ltx", 0],
    [`0009/${ONE}`, "", 9],
    [`a\u2028b/0003/${ONE}`, "a\u2028b", 3],
    [`a\u2029b/ltx/9/${ONE}`, "a\u2029b", 9],
    [`ltx/0/${ONE}`, "", 0],
  ])("%s", (key, database, level) => {
    expect(parseLitestreamKey(key)).toEqual({ database, level, minTxid: 1n, maxTxid: 1n });
  });

  it.each([
    `app/000a/${ONE}`,
    `app/ltx/a/${ONE}`,
    `app/9/${ONE}`,
    `app/00000/${ONE}`,
    "app/0000/00000001-00000001.ltx",
    "app/0000/0000000000000002-0000000000000001.ltx",
    "app/0000/0000000000000001-0000000000000001.ltx.tmp",
    "app/0000/writer.json",
    `app/0000/sub/${ONE}`,
  ])("%s is none", (key) => {
    expect(parseLitestreamKey(key)).toBeUndefined();
  });
});

it.each([
  ["app/generations/0123456789abcdef/snapshots/00000000.snapshot.lz4", "app"],
  ["a/b/generations/0123456789abcdef/wal/00000000_00000000.wal.lz4", "a/b"],
  ["a\u2028/generations/0123456789abcdef/wal/00000000_00000000.wal.lz4", "a\u2028"],
  ["app/generations/xyz/wal/00000000_00000000.wal.lz4", undefined],
  [`app/0000/${ONE}`, undefined],
])("version 0.3: %s", (key, database) => {
  expect(parseVersion03Key(key)).toBe(database);
});
