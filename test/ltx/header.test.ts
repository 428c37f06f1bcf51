import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { LtxHeader } from "../../src/ltx/format.ts";
import { decodeHeader, encodeHeader } from "../../src/ltx/header.ts";
import { INCREMENTAL, SNAPSHOT } from "../helpers/ltx/headers.ts";

const NO_CHECKSUM: LtxHeader = { ...INCREMENTAL, flags: 2, preApply: 0n };

/** pitfall 31: every 64-bit field keeps values that no JS number holds. */
const VALID: readonly [string, LtxHeader][] = [
  ["an incremental", INCREMENTAL],
  ["a snapshot", SNAPSHOT],
  ["without checksums", NO_CHECKSUM],
  ["a repair", { ...INCREMENTAL, walSize: 0n }],
  ["an emptied database", { ...INCREMENTAL, commit: 0 }],
  [
    "the largest values",
    {
      ...INCREMENTAL,
      pageSizeBytes: 65536,
      commit: 0xffffffff,
      minTxid: 2n ** 64n - 2n,
      maxTxid: 2n ** 64n - 1n,
      timestampMs: 253_402_300_799_999, // the last of the year 9999
      preApply: 2n ** 64n - 1n,
      walOffset: 2n ** 63n - 1n,
      walSize: 2n ** 63n - 1n,
      walSalt1: 0xffffffff,
      nodeId: 2n ** 64n - 1n,
      bodyChecksum: 2n ** 64n - 1n,
    },
  ],
  [
    "values just beyond 2^53",
    {
      ...INCREMENTAL,
      minTxid: 2n ** 53n + 1n,
      maxTxid: 2n ** 53n + 3n,
      preApply: 2n ** 63n + 2n ** 53n + 1n,
      walOffset: 2n ** 53n + 1n,
      walSize: 2n ** 53n + 1n,
      nodeId: 2n ** 53n + 1n,
      bodyChecksum: 2n ** 63n + 2n ** 53n + 1n,
    },
  ],
];

/** Bytes put over those of a valid incremental. */
const INVALID: readonly [string, number, string][] = [
  ["another magic", 0, "4c545832"],
  ["an unknown flag", 4, "00000001"],
  ["page size 0", 8, "00000000"],
  ["page size 3", 8, "00000003"],
  ["page size 256", 8, "00000100"],
  ["page size 1000", 8, "000003e8"],
  ["page size 131072", 8, "00020000"],
  ["page size 4 GiB - 1", 8, "ffffffff"],
  ["min TXID 0", 16, "0000000000000000"],
  ["min TXID above max TXID", 16, "0000000000000009"],
  ["a time before 1970", 32, "ffffffffffffffff"],
  ["a time beyond the year 9999", 32, "0000e677d21fdc00"],
  ["a time beyond what JavaScript has dates for", 32, "001eb208c2dc0001"],
  ["a time beyond 2^53", 32, "0020000000000000"],
  ["pre-apply 0", 40, "0000000000000000"],
  ["pre-apply without bit 63", 40, "7fffffffffffffff"],
  ["a negative WAL offset", 48, "8000000000000000"],
  ["a negative WAL size", 56, "8000000000000000"],
  ["a WAL size and salts without a WAL offset", 48, "0000000000000000"],
  ["salts without a WAL offset", 48, "00000000000000000000000000000000"],
  ["a body checksum without bit 63", 80, "0000000000000001"],
  ["reserved bytes in use (first)", 88, "01"],
  ["reserved bytes in use (last)", 99, "01"],
];

describe("encodeHeader, decodeHeader", () => {
  test.each(VALID)("%s comes back", (_name, header) => {
    const bytes = encodeHeader(header);
    expect(bytes).toHaveLength(100);
    expect(decodeHeader(bytes)).toEqual(header);
    const shifted = new Uint8Array(150);
    shifted.set(bytes, 3);
    expect(decodeHeader(shifted.subarray(3))).toEqual(header);
  });

  test.each(INVALID)("%s is refused", (_name, at, hex) => {
    const bytes = Buffer.from(encodeHeader(INCREMENTAL));
    bytes.write(hex, at, "hex");
    const decode = () => decodeHeader(bytes, "db/x.ltx");
    expect(decode).toThrowError(expect.objectContaining({ code: "INTEGRITY_FORMAT" }));
    expect(decode).toThrowError(/^db\/x\.ltx is damaged: /);
  });

  test("checksums where the kind of file forbids them are refused", () => {
    const asSnapshot = Buffer.from(encodeHeader(INCREMENTAL));
    asSnapshot.writeBigUInt64BE(1n, 16);
    expect(() => decodeHeader(asSnapshot)).toThrowError(/in a snapshot, at byte 40/);
    const asNoChecksum = Buffer.from(encodeHeader(INCREMENTAL));
    asNoChecksum.writeUInt32BE(2, 4);
    expect(() => decodeHeader(asNoChecksum)).toThrowError(/without checksums, at byte 40/);
  });

  // pitfall 8
  test("any bytes are a valid header that comes back, or refused", () => {
    const edit = fc.record({ at: fc.nat(99), byte: fc.nat(255) });
    fc.assert(
      fc.property(fc.array(edit, { maxLength: 8 }), (edits) => {
        const bytes = Buffer.from(encodeHeader(INCREMENTAL));
        for (const { at, byte } of edits) bytes[at] = byte;
        try {
          expect(Buffer.from(encodeHeader(decodeHeader(bytes))).equals(bytes)).toBe(true);
        } catch (error) {
          expect(error).toMatchObject({ code: "INTEGRITY_FORMAT" });
        }
      }),
      { numRuns: 500 },
    );
  });

  test("fewer than 100 bytes are refused", () => {
    for (const length of [0, 1, 99]) {
      const cut = encodeHeader(INCREMENTAL).subarray(0, length);
      expect(() => decodeHeader(cut)).toThrowError(expect.objectContaining({ code: "INTEGRITY_FORMAT" }));
    }
  });

  test("what would be refused is not written", () => {
    for (const change of [
      { minTxid: 0n },
      { maxTxid: 2n ** 64n },
      { commit: -1 },
      { nodeId: -1n },
      { walSalt1: 2 ** 32 },
    ]) {
      expect(() => encodeHeader({ ...INCREMENTAL, ...change })).toThrowError(
        expect.objectContaining({ code: "INTERNAL" }),
      );
    }
  });
});
