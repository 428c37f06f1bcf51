import fc from "fast-check";
import { expect, test } from "vitest";
import { LtxEncoder } from "../../src/ltx/encoder.ts";
import { PageChecksums } from "../../src/ltx/page-checksums.ts";
import { MergedPages } from "../../src/retention/merged-pages.ts";
import { decodeAll } from "../helpers/ltx/decode-all.ts";
import { runs } from "../helpers/property-runs.ts";
import { testCore } from "../helpers/sqlite/probe.ts";
import { tempFolder } from "../helpers/sqlite/temp-database.ts";

const PAGE_SIZE = 512;
/** Pages are looked for in windows of 4096. */
const WINDOW = 4096;
const core = testCore();

function batchOf(first: number, count: number, fill: number) {
  const sums = new PageChecksums(core, PAGE_SIZE);
  const pages = new Uint8Array(count * PAGE_SIZE).fill(fill);
  const checksums = new Uint8Array(count * 8);
  for (let row = 0; row < count; row += 1) {
    sums.input.set(pages.subarray(0, PAGE_SIZE));
    sums.setPage(0, first + row);
    sums.sum(1);
    checksums.set(sums.checksums.subarray(0, 8), row * 8);
  }
  return { count, pgnos: Uint32Array.from({ length: count }, (_, row) => first + row), pages, checksums };
}

const put = fc.record({
  /** Most of them over the edge of a window. */
  first: fc.oneof(fc.integer({ min: WINDOW - 20, max: WINDOW + 5 }), fc.integer({ min: 1, max: 3 * WINDOW })),
  count: fc.integer({ min: 1, max: 30 }),
  fill: fc.integer({ min: 1, max: 255 }),
});

test("the newest version of every page comes out, wherever it lies", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(put, { minLength: 1, maxLength: 4 }), async (puts) => {
      const merged = new MergedPages(tempFolder(), PAGE_SIZE);
      const model = new Map<number, number>();
      const written: Buffer[] = [];
      try {
        for (const { first, count, fill } of puts) {
          merged.put(batchOf(first, count, fill));
          for (let pgno = first; pgno < first + count; pgno += 1) model.set(pgno, fill);
        }
        const commit = Math.max(...model.keys());
        const sink = { write: (bytes: Uint8Array) => void written.push(Buffer.from(bytes)) };
        const encoder = await LtxEncoder.open({
          ...{ core, pageSizeBytes: PAGE_SIZE, commit, sink, noChecksum: true },
        });
        await merged.encodeInto(encoder);
        const { header } = await encoder.finish(
          {
            ...{ minTxid: 2n, maxTxid: 2n, timestampMs: 0, preApply: 0n, nodeId: 1n },
            ...{ walOffset: 0n, walSize: 0n, walSalt1: 0, walSalt2: 0 },
          },
          0n,
        );
        const { pages } = await decodeAll(core, Buffer.concat([header, ...written]));
        const expected = [...model].sort(([a], [b]) => a - b);
        expect(pages.map(({ pgno, page }) => [pgno, page[0]])).toEqual(expected);
      } finally {
        merged.close();
      }
    }),
    runs(60),
  );
});
