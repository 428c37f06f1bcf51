import { expect, test } from "vitest";
import {
  formatFilename,
  formatLitestreamFilename,
  parseFilename,
  parseLitestreamFilename,
} from "../../src/ltx/filename.ts";

const MAX = 2n ** 64n - 1n;

// pitfalls 31 and 32: wider than eight digits, and wider than a JS number
test.each([
  [1n, 1n, "00000001-00000001.ltx"],
  [2n, 10n, "00000002-00000010.ltx"],
  [99_999_999n, 100_000_000n, "99999999-100000000.ltx"],
  [100_000_001n, 100_000_002n, "100000001-100000002.ltx"],
  [2n ** 53n + 1n, MAX, "9007199254740993-18446744073709551615.ltx"],
])("%d to %d is %s", (minTxid, maxTxid, name) => {
  expect(formatFilename({ minTxid, maxTxid })).toBe(name);
  expect(parseFilename(name)).toEqual({ minTxid, maxTxid });
});

test.each([
  [1n, 1n, "0000000000000001-0000000000000001.ltx"],
  [2n ** 53n + 1n, MAX, "0020000000000001-ffffffffffffffff.ltx"],
])("%d to %d is %s for Litestream", (minTxid, maxTxid, name) => {
  expect(formatLitestreamFilename({ minTxid, maxTxid })).toBe(name);
  expect(parseLitestreamFilename(name)).toEqual({ minTxid, maxTxid });
});

test("a chain across eight digits sorts by numbers, not by names", () => {
  const starts = [99_999_998n, 99_999_999n, 100_000_000n, 100_000_001n];
  const names = starts.map((txid) => formatFilename({ minTxid: txid, maxTxid: txid }));
  const byNumber = (a: string, b: string) =>
    Number((parseFilename(a)?.minTxid ?? 0n) - (parseFilename(b)?.minTxid ?? 0n));
  expect([...names].sort()).not.toEqual(names);
  expect([...names].reverse().sort(byNumber)).toEqual(names);
});

test.each([
  "",
  "manifest.json",
  "00000001-00000001.ltx.tmp",
  "x00000001-00000001.ltx",
  "1-1.ltx",
  "000000001-00000001.ltx", // wider than needed
  "00000001-000000002.ltx",
  "00000002-00000001.ltx",
  "00000000-00000001.ltx",
  "00000001-18446744073709551616.ltx",
  "00000001-99999999999999999999999.ltx",
  "0000000a-0000000b.ltx",
  "00000001-00000001.LTX",
  "00000001_00000001.ltx",
  "00000001-00000001.ltx\n",
])("'%s' is none of our names", (name) => {
  expect(parseFilename(name)).toBeUndefined();
});

test.each([
  "00000001-00000001.ltx",
  "0000000000000001-0000000000000001.ltx.tmp",
  "0000000000000002-0000000000000001.ltx",
  "0000000000000000-0000000000000001.ltx",
  "000000000000000A-000000000000000B.ltx",
])("'%s' is none of Litestream's", (name) => {
  expect(parseLitestreamFilename(name)).toBeUndefined();
});
