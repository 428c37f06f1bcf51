import fc from "fast-check";
import { expect, test } from "vitest";
import { formatFilename, parseFilename } from "../../src/ltx/filename.ts";
import { keyProblem } from "../../src/storage/key-rules.ts";
import { databaseKeys, parseKey } from "../../src/storage/keys.ts";
import { litestreamKeys, parseLitestreamKey } from "../../src/storage/litestream-keys.ts";
import { formatStorageUrl, parseStorageUrl } from "../../src/storage/url.ts";
import { runs } from "../helpers/property-runs.ts";

const MAX = 2n ** 64n - 1n;
const txid = fc.oneof(
  fc.bigInt(1n, MAX),
  fc.bigInt(1n, 1000n),
  // beside the widths at which names and numbers change their shape
  fc
    .tuple(
      fc.constantFrom(10n ** 8n, 10n ** 9n, 2n ** 32n, 2n ** 53n, 2n ** 63n, 10n ** 19n),
      fc.bigInt(-2n, 2n),
    )
    .map(([at, by]) => at + by),
  fc.bigInt(MAX - 3n, MAX),
);
const range = fc
  .tuple(txid, txid)
  .map(([a, b]) => (a < b ? { minTxid: a, maxTxid: b } : { minTxid: b, maxTxid: a }));

/** Also such as are layouts' own words. */
const segment = fc.oneof(
  fc.constantFrom(
    "app",
    "ltx",
    "0",
    "9",
    "0000",
    "0009",
    "manifest.json",
    "writer.json",
    "00000001-00000001.ltx",
    "generations",
  ),
  fc.string({ unit: "grapheme", maxLength: 12 }),
);
const name = fc
  .array(segment, { minLength: 1, maxLength: 3 })
  .map((segments) => segments.join("/"))
  .filter((text) => keyProblem(text) === undefined);

test("a range comes back from its name in both layouts", () => {
  fc.assert(
    fc.property(
      name,
      range,
      fc.constantFrom("bucket" as const, "folder" as const),
      (database, one, where) => {
        const key = databaseKeys(database).ltx(one.minTxid, one.maxTxid);
        expect(databaseKeys(database).parse(key)).toEqual({ kind: "ltx", ...one });
        expect(parseKey(key)).toEqual({ database, stored: { kind: "ltx", ...one } });
        const other = litestreamKeys(database, where).ltx(one.minTxid, one.maxTxid);
        expect(parseLitestreamKey(other)).toEqual({
          database,
          level: one.minTxid === one.maxTxid ? 0 : 9,
          ...one,
        });
        expect(databaseKeys(database).parse(other)).toBeUndefined();
      },
    ),
    runs(2000),
  );
});

test("no name is taken that we would not have made", () => {
  const nearly = fc
    .tuple(range, fc.nat(40), fc.constantFrom("", "0", "00000000", "-", " ", "a", ".ltx", "1"), fc.nat(3))
    .map(([one, at, put, out]) => {
      const text = formatFilename(one);
      return text.slice(0, at) + put + text.slice(at + out);
    });
  fc.assert(
    fc.property(fc.oneof(nearly, fc.string()), (text) => {
      const parsed = parseFilename(text);
      if (parsed === undefined) return;
      expect(formatFilename(parsed)).toBe(text);
      expect(parsed.minTxid >= 1n && parsed.minTxid <= parsed.maxTxid && parsed.maxTxid <= MAX).toBe(true);
    }),
    runs(3000),
  );
});

test("different ranges have different names, and Litestream's sort as their TXIDs", () => {
  fc.assert(
    fc.property(name, range, range, (database, a, b) => {
      const isSame = a.minTxid === b.minTxid && a.maxTxid === b.maxTxid;
      const keys = databaseKeys(database);
      expect(keys.ltx(a.minTxid, a.maxTxid) === keys.ltx(b.minTxid, b.maxTxid)).toBe(isSame);
      const [one, other] = [a, b].map(({ maxTxid }) =>
        litestreamKeys(database, "bucket").ltx(maxTxid, maxTxid),
      );
      expect((one ?? "") < (other ?? "")).toBe(a.maxTxid < b.maxTxid);
    }),
    runs(1000),
  );
});

test("no two databases share a key, whatever they are called", () => {
  fc.assert(
    fc.property(name, name, range, (a, b, { minTxid, maxTxid }) => {
      fc.pre(a !== b);
      const [one, other] = [databaseKeys(a), databaseKeys(b)];
      for (const key of [one.ltx(minTxid, maxTxid), one.manifest(), one.writer()]) {
        expect(other.parse(key), key).toBeUndefined();
        expect(parseKey(key)?.database).toBe(a);
        expect(keyProblem(key) === undefined || Buffer.byteLength(key) > 768).toBe(true);
      }
      for (const where of ["bucket", "folder"] as const) {
        expect(parseLitestreamKey(litestreamKeys(a, where).ltx(minTxid, maxTxid))?.database).toBe(a);
      }
    }),
    runs(2000),
  );
});

test("an address comes back as it is shown, and what is joined to it stays below it", () => {
  const bucket = fc.stringMatching(/^[a-z0-9][a-z0-9-]{1,20}[a-z0-9]$/);
  fc.assert(
    fc.property(bucket, fc.option(name), fc.constantFrom("", "/"), (where, prefix, slash) => {
      const url = prefix === null ? `s3://${where}${slash}` : `s3://${where}/${prefix}${slash}`;
      const address = parseStorageUrl(url);
      expect(address).toEqual({ kind: "s3", bucket: where, prefix: prefix === null ? "" : `${prefix}/` });
      expect(parseStorageUrl(formatStorageUrl(address))).toEqual(address);
    }),
    runs(500),
  );
});
