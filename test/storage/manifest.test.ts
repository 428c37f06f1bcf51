import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  formatManifest,
  MANIFEST_MAX_BYTES,
  type Manifest,
  type ManifestFile,
  parseManifest,
} from "../../src/storage/manifest.ts";

const file: ManifestFile = {
  minTxid: 2n,
  maxTxid: 10n,
  sizeBytes: 1234,
  createdAtMs: Date.UTC(2024, 1, 2, 3, 4, 5, 678),
  timestampMs: Date.UTC(2024, 1, 2, 3, 4, 4),
  bodyChecksum: 0xf123456789abcdefn,
  sha256: "ab".repeat(32),
  preApply: 0x8000000000000001n,
  postApply: 0xffffffffffffffffn,
};

const manifest: Manifest = {
  name: "tenants/app",
  pageSizeBytes: 4096,
  currentTxid: 10n,
  lastChecksum: 0x8000000000000001n,
  updatedAtMs: Date.UTC(2024, 1, 2, 3, 4, 6),
  files: [{ ...file, minTxid: 1n, maxTxid: 1n, preApply: 0n }, file],
};

const text = (value: Manifest) => Buffer.from(formatManifest(value)).toString();
const parse = (json: string) => parseManifest(Buffer.from(json), "app/manifest.json");

describe("formatManifest", () => {
  it("has the shape that other programs read", () => {
    expect(JSON.parse(text(manifest))).toEqual({
      version: 1,
      name: "tenants/app",
      page_size: 4096,
      current_txid: 10,
      last_checksum: "8000000000000001",
      updated_at: "2024-02-02T03:04:06.000Z",
      files: [
        expect.objectContaining({
          filename: "00000001-00000001.ltx",
          is_snapshot: true,
          pre_apply: "0000000000000000",
        }),
        {
          filename: "00000002-00000010.ltx",
          min_txid: 2,
          max_txid: 10,
          size: 1234,
          created_at: "2024-02-02T03:04:05.678Z",
          timestamp: "2024-02-02T03:04:04.000Z",
          is_snapshot: false,
          checksum: "f123456789abcdef",
          sha256: "ab".repeat(32),
          pre_apply: "8000000000000001",
          post_apply: "ffffffffffffffff",
        },
      ],
    });
  });

  it("orders files by number, across the end of eight digits", () => {
    const ranges = [
      [99_999_999n, 99_999_999n],
      [100_000_000n, 100_000_001n],
      [1n, 100_000_001n],
      [1n, 5n],
    ] as const;
    const files = ranges.map(([minTxid, maxTxid]) => ({ ...file, minTxid, maxTxid }));
    const read = parse(text({ ...manifest, currentTxid: 100_000_001n, files }));
    expect(read.files.map((one) => [one.minTxid, one.maxTxid])).toEqual([
      ranges[3],
      ranges[0],
      ranges[2],
      ranges[1],
    ]);
  });
});

describe("a manifest that was written", () => {
  const u64 = fc.oneof(
    fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
    fc.constantFrom(2n ** 53n - 1n, 2n ** 53n, 2n ** 53n + 1n, 2n ** 63n, 2n ** 64n - 1n),
  );
  const timeMs = fc.integer({ min: 0, max: Date.UTC(9999, 11, 31) });

  it("is read as it was, with all 64 bits of its numbers", () => {
    fc.assert(
      fc.property(u64, u64, u64, u64, timeMs, (a, b, checksum, other, time) => {
        const [minTxid, maxTxid] = a < b ? [a + 1n, b] : [b + 1n, a + 1n];
        fc.pre(maxTxid < 2n ** 64n);
        const one = { ...file, minTxid, maxTxid, bodyChecksum: checksum, preApply: other, createdAtMs: time };
        const whole = {
          ...manifest,
          currentTxid: maxTxid,
          lastChecksum: checksum,
          updatedAtMs: time,
          files: [one],
        };
        expect(parse(text(whole))).toEqual(whole);
      }),
    );
  });

  it("may have more in it than we know", () => {
    expect(parse(text(manifest).replace('"version":1', '"version":1,"new":{"a":[1]}'))).toEqual(manifest);
    expect(parse(text(manifest).replaceAll('"size":', '"new":true,"size":'))).toEqual(manifest);
  });

  it("says which files are repairs, and nothing of the others, as those do who do not know", () => {
    const repaired = { ...manifest, files: [{ ...file, isRepair: true as const }] };
    expect(text(repaired)).toContain('"is_repair":true');
    expect(parse(text(repaired))).toEqual(repaired);
    expect(text(manifest)).not.toContain("is_repair");
    expect(parse(text(repaired).replace('"is_repair":true', '"is_repair":false')).files).toEqual([file]);
  });
});

describe("a manifest that cannot be used", () => {
  const edited = (edit: (document: Record<string, unknown>, first: Record<string, unknown>) => void) => {
    const document = JSON.parse(text(manifest));
    edit(document, document.files[0]);
    return JSON.stringify(document);
  };

  it.each<[string, string, string]>([
    ["nothing", "", "not JSON"],
    ["half of one", text(manifest).slice(0, 200), "not JSON"],
    ["not UTF-8", "\ud800", "JSON"],
    ["another document", "[]", "not a JSON object"],
    ["null", "null", "not a JSON object"],
    ["very deep", "[".repeat(1_000_000), "not JSON"],
    ["a field twice", text(manifest).replace('"version":1', '"version":1,"version":2'), "not JSON"],
    ["no version", edited((d) => delete d["version"]), "version"],
    ["version 0", edited((d) => (d["version"] = 0)), "version"],
    ["no name", edited((d) => delete d["name"]), "name"],
    ["a name that leads away", edited((d) => (d["name"] = "../../etc")), "name"],
    ["page size 3", edited((d) => (d["page_size"] = 3)), "page_size"],
    ["page size as text", edited((d) => (d["page_size"] = "4096")), "page_size"],
    ["a negative TXID", edited((d) => (d["current_txid"] = -1)), "current_txid"],
    ["a fraction", edited((d) => (d["current_txid"] = 10.5)), "current_txid"],
    [
      "a TXID of 65 bits",
      text(manifest).replace('"current_txid":10', `"current_txid":${2n ** 64n}`),
      "current_txid",
    ],
    ["a head behind its files", edited((d) => (d["current_txid"] = 9)), "current_txid"],
    ["a checksum as number", edited((d) => (d["last_checksum"] = 1)), "last_checksum"],
    ["a short checksum", edited((d) => (d["last_checksum"] = "abc")), "last_checksum"],
    ["no time", edited((d) => (d["updated_at"] = "yesterday")), "updated_at"],
    ["an impossible time", edited((d) => (d["updated_at"] = "2024-13-45T00:00:00Z")), "updated_at"],
    ["files as object", edited((d) => (d["files"] = {})), "files"],
    ["a file as text", edited((d) => (d["files"] = ["00000001-00000001.ltx"])), "files[0]"],
    ["a file twice", edited((d, first) => (d["files"] = [first, first])), "twice"],
    [
      "a file name that leads away",
      edited((_, first) => (first["filename"] = "../x.ltx")),
      "files[0].filename",
    ],
    ["a file name of other TXIDs", edited((_, first) => (first["max_txid"] = 2)), "files[0].filename"],
    ["TXIDs the wrong way round", edited((_, first) => (first["min_txid"] = 2)), "files[0].max_txid"],
    ["TXID 0", edited((_, first) => (first["min_txid"] = 0)), "files[0].max_txid"],
    ["a wrong snapshot mark", edited((_, first) => (first["is_snapshot"] = false)), "files[0].is_snapshot"],
    ["a negative size", edited((_, first) => (first["size"] = -1)), "files[0].size"],
    ["a size beyond 2^53", text(manifest).replace('"size":1234', '"size":9007199254740993'), "files[0].size"],
    ["a repair that is neither", edited((_, first) => (first["is_repair"] = 1)), "files[0].is_repair"],
    ["a short SHA-256", edited((_, first) => (first["sha256"] = "ab")), "files[0].sha256"],
  ])("%s", (_name, json, where) => {
    expect(() => parse(json)).toThrow(
      expect.objectContaining({ code: "INTEGRITY_FORMAT", message: expect.stringContaining(where) }),
    );
    expect(() => parse(json)).toThrow("app/manifest.json");
  });

  it("of a later version is refused with what to do", () => {
    expect(() => parse(edited((d) => (d["version"] = 2)))).toThrow(
      expect.objectContaining({ code: "INTEGRITY_VERSION", hint: "Update walrust." }),
    );
  });

  it("is not even read when it is too large", () => {
    expect(() => parseManifest(Buffer.alloc(MANIFEST_MAX_BYTES + 1), "x")).toThrow("larger than");
  });
});
