import { expect, test } from "vitest";
import { decodeWalHeader } from "../../src/wal/header.ts";
import { goldenLog, goldenLogs } from "../helpers/wal/golden.ts";
import { LogBuilder } from "../helpers/wal/log-builder.ts";

test.each(goldenLogs())("the header of $name, which SQLite wrote", ({ facts, log }) => {
  const header = decodeWalHeader(log);
  if (facts.header === null) return expect(header).toBeUndefined();
  expect(header).toEqual({
    bigEndianChecksums: facts.header.big_endian_checksums,
    pageSizeBytes: facts.header.page_size,
    sequence: facts.header.checkpoint_seq,
    salt1: facts.header.salt1,
    salt2: facts.header.salt2,
    checksum1: Buffer.from(log).readUInt32BE(24),
    checksum2: Buffer.from(log).readUInt32BE(28),
  });
});

test("every flipped bit and every cut of a header makes it none", () => {
  for (const name of ["p4096-clean", "p4096-big-endian"]) {
    const header = goldenLog(name).log.subarray(0, 32);
    for (let bit = 0; bit < 32 * 8; bit++) {
      const flipped = header.slice();
      flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      expect(decodeWalHeader(flipped), `${name}, bit ${bit}`).toBeUndefined();
    }
    for (let length = 0; length < 32; length++) {
      expect(decodeWalHeader(header.subarray(0, length)), `${name}, ${length} bytes`).toBeUndefined();
    }
  }
});

test.each([0, 1, 3, 256, 511, 513, 4095, 131072, 2 ** 31, 2 ** 32 - 1])(
  "a page size of %d with a checksum that holds is none",
  (pageSizeBytes) => {
    expect(decodeWalHeader(new LogBuilder({ pageSizeBytes }).build())).toBeUndefined();
  },
);

test("a header in the middle of a larger buffer", () => {
  const { log } = goldenLog("p1024-clean");
  const larger = new Uint8Array(log.length + 7);
  larger.set(log, 7);
  expect(decodeWalHeader(larger.subarray(7))).toEqual(decodeWalHeader(log));
});
