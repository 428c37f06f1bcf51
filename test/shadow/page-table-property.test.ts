import { createHash } from "node:crypto";
import { join } from "node:path";
import fc from "fast-check";
import { expect, test } from "vitest";
import { Sha256, sha256Hex } from "../../src/digest.ts";
import { applyToDatabaseChecksum, EMPTY_DATABASE_CHECKSUM } from "../../src/ltx/checksum.ts";
import { PageChecksums } from "../../src/ltx/page-checksums.ts";
import { PageTable } from "../../src/shadow/page-table.ts";
import { crc64 } from "../helpers/oracle/crc64.ts";
import { runs } from "../helpers/property-runs.ts";
import { testCore } from "../helpers/sqlite/probe.ts";
import { tempFolder } from "../helpers/sqlite/temp-database.ts";

const PAGE_SIZE = 512;
const FLAG = 1n << 63n;
const core = testCore();

function oracle(pgno: number, fill: number): bigint {
  const bytes = Buffer.alloc(4 + PAGE_SIZE, fill);
  bytes.writeUInt32BE(pgno);
  return crc64(bytes) | FLAG;
}

/** Sums pages as captured, in batches, and says what they are by page. */
function sumPages(pages: readonly (readonly [pgno: number, fill: number])[]): {
  readonly xor: bigint;
  readonly bytes: Uint8Array;
} {
  const sums = new PageChecksums(core, PAGE_SIZE);
  for (const [row, [pgno, fill]] of pages.entries()) {
    sums.input.fill(fill, row * PAGE_SIZE, (row + 1) * PAGE_SIZE);
    sums.setPage(row, pgno);
  }
  const xor = sums.sum(pages.length);
  return { xor, bytes: sums.checksums.slice(0, pages.length * 8) };
}

/** A transaction: the pages it writes, and the size of the database after it. */
const transaction = fc.record({
  writes: fc.uniqueArray(fc.tuple(fc.integer({ min: 1, max: 24 }), fc.nat(255)), {
    selector: ([pgno]) => pgno,
    maxLength: 8,
  }),
  pages: fc.integer({ min: 0, max: 24 }),
});

test("after any transactions, what is carried on from change to change is the checksum of the whole, in any order", () => {
  const path = join(tempFolder(), "table");
  fc.assert(
    fc.property(
      fc.array(transaction, { maxLength: 12 }),
      fc.infiniteStream(fc.boolean()),
      (transactions, flips) => {
        const table = PageTable.create(path, PAGE_SIZE);
        const model = new Map<number, number>();
        let checksum = EMPTY_DATABASE_CHECKSUM;
        try {
          for (const { writes, pages } of transactions) {
            const before = table.pages;
            // Every page that is new must be brought; SQLite writes pages in any order.
            const added = Array.from({ length: Math.max(0, pages - before) }, (_, i) => before + 1 + i);
            const some = writes.filter(([pgno]) => pgno <= pages);
            const all = new Map([...added.map((pgno) => [pgno, 7] as const), ...some]);
            const rows = [...all].sort(([a], [b]) => (flips.next().value ? a - b : b - a));

            const { xor, bytes } = sumPages(rows);
            let delta = xor ^ table.xor(pages + 1, before);
            for (const [row, [pgno]] of rows.entries()) {
              delta ^= table.xor(pgno, pgno);
              table.write(pgno, 1, bytes.subarray(row * 8, row * 8 + 8));
            }
            table.truncate(pages);
            checksum = applyToDatabaseChecksum(checksum, delta);

            for (const [pgno, fill] of rows) model.set(pgno, fill);
            for (const pgno of model.keys()) if (pgno > pages) model.delete(pgno);
            const whole = [...model].reduce((sum, [pgno, fill]) => sum ^ oracle(pgno, fill), 0n) | FLAG;
            expect(checksum).toBe(whole);
            expect(table.checksum()).toBe(whole);
            expect(table.pages).toBe(pages);
            expect(table.firstAbsent(1, pages)).toBeUndefined();
          }
        } finally {
          table.close();
        }
      },
    ),
    runs(25),
  );
});

test("a page alone decides its checksum: its number, its bytes, and nothing beside it in the batch", () => {
  const rows = fc.array(fc.tuple(fc.integer({ min: 1, max: 0xffffffff }), fc.nat(255)), {
    minLength: 1,
    maxLength: 12,
  });
  fc.assert(
    fc.property(rows, (pages) => {
      const { xor, bytes } = sumPages(pages);
      const view = new DataView(bytes.buffer, bytes.byteOffset);
      const expected = pages.map(([pgno, fill]) => oracle(pgno, fill));
      expect(pages.map((_, row) => view.getBigUint64(row * 8, true))).toEqual(expected);
      const together = expected.reduce((sum, one) => sum ^ one, 0n);
      expect((xor | FLAG) === (together | FLAG)).toBe(true);
    }),
    runs(60),
  );
});

test("SHA-256 of bytes that come in any pieces, on both sides of the length at which the engine changes", async () => {
  const length = fc.oneof(fc.nat(300), fc.integer({ min: 262_100, max: 262_200 }));
  await fc.assert(
    fc.asyncProperty(
      length,
      fc.nat(255),
      fc.array(fc.nat(300_000), { maxLength: 5 }),
      async (size, fill, cuts) => {
        const bytes = Buffer.alloc(size, fill).map((byte, at) => byte ^ (at * 31));
        const [pieces, other] = [await Sha256.begin(), await Sha256.begin()];
        const bounds = [0, ...cuts.map((cut) => cut % (size + 1)).sort((a, b) => a - b), size];
        for (const [i, end] of bounds.entries()) {
          const piece = Buffer.from(bytes.subarray(bounds[i - 1] ?? 0, end));
          pieces.update(piece);
          other.update(Buffer.from("beside it"));
          piece.fill(0); // what was given may be used again
        }
        expect(pieces.finish()).toBe(await sha256Hex(bytes));
        other.finish();
        expect(await sha256Hex(bytes)).toBe(createHash("sha256").update(bytes).digest("hex"));
      },
    ),
    runs(60),
  );
});
