import { createHash } from "node:crypto";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { bodyChecksumOf } from "../../src/ltx/checksum.ts";
import { LtxEncoder } from "../../src/ltx/encoder.ts";
import { lockPage } from "../../src/ltx/format.ts";
import { decodeHeader } from "../../src/ltx/header.ts";
import type { IndexSpill } from "../../src/ltx/page-index.ts";
import { arbitraryPage } from "../helpers/arbitrary-page.ts";
import { decodeAll, tellPages } from "../helpers/ltx/decode-all.ts";
import { encodeFile } from "../helpers/ltx/encode-file.ts";
import { goldenBytes, goldenFiles } from "../helpers/ltx/golden.ts";
import { INCREMENTAL, SNAPSHOT } from "../helpers/ltx/headers.ts";
import { pageChecksum } from "../helpers/oracle/crc64.ts";
import { coreBuilds } from "../helpers/wasm/core-builds.ts";

const PAGE_SIZES = [512, 1024, 2048, 4096, 8192, 16384, 32768, 65536];
const internal = (message: RegExp) =>
  expect.objectContaining({ code: "INTERNAL", message: expect.stringMatching(message) });
const nullSink = { write: () => undefined };

/** A growing database as a snapshot: `count` pages from 1. */
const pagesFrom = (page: (pgno: number) => Uint8Array, count: number, first = 1) =>
  Array.from({ length: count }, (_, i) => ({ pgno: first + i, page: page(first + i) }));

describe.each(coreBuilds)("$build", ({ makeCore }) => {
  const core = makeCore();

  test.each(goldenFiles.filter(({ file }) => !file.includes("reserved")))(
    "the pages of $file, encoded by us, say the same",
    async ({ file }) => {
      const theirs = await decodeAll(core, goldenBytes(file));
      const { flags, pageSizeBytes, commit, bodyChecksum: _none, ...fields } = theirs.header;
      const encoded = await encodeFile(core, {
        pageSizeBytes,
        commit,
        noChecksum: flags !== 0,
        pages: theirs.pages,
        fields,
        postApply: theirs.trailer.postApply,
      });
      const ours = await decodeAll(core, encoded.bytes);
      expect(tellPages(ours.pages)).toBe(tellPages(theirs.pages));
      expect(encoded.newChecksums).toEqual(theirs.pages.map(({ checksum }) => checksum));
      expect(ours.trailer).toEqual({
        postApply: theirs.trailer.postApply,
        fileChecksum: encoded.fileChecksum,
      });
      expect(ours.header).toEqual({ ...theirs.header, bodyChecksum: encoded.bodyChecksum });
      expect(ours.sizeBytes).toBe(encoded.sizeBytes);
      expect(encoded.pageCount).toBe(theirs.pages.length);
      const sha256 = createHash("sha256").update(encoded.bytes.subarray(100, -16)).digest("hex");
      expect([encoded.bodySha256, ours.bodySha256]).toEqual([sha256, sha256]);
      expect(encoded.bodyChecksum).toBe(bodyChecksumOf(sha256));
      expect(decodeHeader(encoded.header)).toEqual(ours.header);
    },
  );

  test.each(PAGE_SIZES)("pages of %d bytes come back, with their checksums", async (pageSizeBytes) => {
    const count = 3;
    await fc.assert(
      fc.asyncProperty(
        fc.array(arbitraryPage(pageSizeBytes), { minLength: count, maxLength: count }),
        async (db) => {
          const { bytes } = await encodeFile(core, {
            pageSizeBytes,
            commit: count,
            pages: db.map((page, i) => ({ pgno: i + 1, page })),
          });
          const { pages } = await decodeAll(core, bytes);
          expect(pages.every(({ page, pgno }) => db[pgno - 1]?.equals(page))).toBe(true);
          expect(pages).toHaveLength(count);
        },
      ),
      { numRuns: 10 },
    );
  });

  test("page checksums are those of the slow twin", async () => {
    for (const pageSizeBytes of [512, 4096, 65536]) {
      const pages = pagesFrom((pgno) => Buffer.alloc(pageSizeBytes, `page ${pgno}`), 2);
      const { newChecksums, delta } = await encodeFile(core, { pageSizeBytes, commit: 2, pages });
      const expected = pages.map(({ pgno, page }) => pageChecksum(pgno, page));
      expect(newChecksums).toEqual(expected);
      expect(delta).toBe(expected.reduce((xor, checksum) => xor ^ checksum));
    }
  });
});

describe("LtxEncoder", () => {
  const core = coreBuilds[0].makeCore();
  const noise = (pgno: number) => {
    const page = Buffer.alloc(4096);
    for (let i = 0, state = pgno; i < page.length; i += 1) {
      state = Math.imul(state, 1664525) + 1013904223;
      page[i] = state >>> 24;
    }
    return page;
  };

  test("the same pages give the same bytes, in batches of any size and after any other file", async () => {
    const spec = { pageSizeBytes: 4096, commit: 300, pages: pagesFrom(noise, 300) };
    const first = await encodeFile(core, spec);
    expect(first.writes).toBeGreaterThan(4); // several times the output region: noise does not shrink
    expect(first.sizeBytes).toBe(first.bytes.length);
    for (const batchSize of [1, 7, 255]) {
      const again = await encodeFile(core, { ...spec, batchSize });
      expect(again.bytes.equals(first.bytes)).toBe(true);
    }
  });

  test("pages that kept their checksum are left out, and the delta counts only what changed", async () => {
    const old = pagesFrom(noise, 4);
    const { newChecksums: before, delta: xorBefore } = await encodeFile(core, {
      pageSizeBytes: 4096,
      commit: 4,
      pages: old,
    });
    const changed = old.map(({ pgno, page }, i) => ({
      pgno,
      page: pgno === 2 ? noise(99) : page,
      before: before[i] ?? 0n,
    }));
    const grown = [...changed, { pgno: 5, page: noise(5) }];
    const preApply = xorBefore | (1n << 63n);
    const { walOffset, walSize, walSalt1, walSalt2 } = INCREMENTAL;
    const encoded = await encodeFile(core, {
      pageSizeBytes: 4096,
      commit: 5,
      pages: grown,
      fields: { minTxid: 2n, maxTxid: 3n, preApply, walOffset, walSize, walSalt1, walSalt2 },
    });
    const { pages, trailer } = await decodeAll(core, encoded.bytes);
    expect(pages.map(({ pgno }) => pgno)).toEqual([2, 5]);
    expect(encoded.newChecksums).toHaveLength(5);
    const whole = await encodeFile(core, {
      pageSizeBytes: 4096,
      commit: 5,
      pages: grown.map(({ pgno, page }) => ({ pgno, page })),
    });
    const { trailer: wholeTrailer } = await decodeAll(core, whole.bytes);
    expect(trailer.postApply).toBe(wholeTrailer.postApply);
  });

  test("counts what was written and what was left out", async () => {
    const encoder = await LtxEncoder.open({ core, pageSizeBytes: 512, commit: 10, sink: nullSink });
    expect(encoder.batchCapacity).toBe(2048);
    encoder.input.fill(0);
    encoder.setPage(0, 3);
    encoder.setPage(1, 4);
    const old = new DataView(encoder.oldChecksums.buffer, encoder.oldChecksums.byteOffset);
    old.setBigUint64(0, 0n, true);
    old.setBigUint64(8, pageChecksum(4, Buffer.alloc(512)), true);
    await encoder.encode(2);
    expect([encoder.pagesWritten, encoder.pagesSkipped]).toEqual([1, 1]);
    expect(encoder.databaseChecksumDelta).toBe(pageChecksum(3, Buffer.alloc(512)));
  });

  test("a page index beyond 1 MiB goes through the spill, and the file is the same", async () => {
    const pageSizeBytes = 512;
    const commit = 160_000;
    const page = Buffer.alloc(pageSizeBytes);
    const spec = { pageSizeBytes, commit, pages: pagesFrom(() => page, commit) };
    const spilled: Uint8Array[] = [];
    const spill: IndexSpill = {
      append: async (bytes) => void spilled.push(bytes),
      async *readBack() {
        yield* spilled;
      },
    };
    const inMemory = await encodeFile(core, spec);
    const withSpill = await encodeFile(core, { ...spec, spill });
    expect(spilled.reduce((sum, { length }) => sum + length, 0)).toBeGreaterThanOrEqual(1024 * 1024);
    expect(withSpill.bytes.equals(inMemory.bytes)).toBe(true);
    await expect(decodeAll(core, withSpill.bytes, 100_000)).resolves.toMatchObject({ pageCount: commit });
  });

  // pitfall 22, a database a little over 1 GiB
  test("a snapshot over the lock page leaves it out and is complete", async () => {
    const pageSizeBytes = 65536;
    const lock = lockPage(pageSizeBytes);
    const commit = lock + 1;
    const written: Buffer[] = [];
    const sink = { write: (bytes: Uint8Array) => void written.push(Buffer.from(bytes)) as undefined };
    const encoder = await LtxEncoder.open({ core, pageSizeBytes, commit, sink });
    encoder.input.fill(0);
    encoder.oldChecksums.fill(0);
    for (let pgno = 1; pgno <= commit; ) {
      let count = 0;
      for (; count < encoder.batchCapacity && pgno <= commit; pgno += 1) {
        if (pgno !== lock) encoder.setPage(count++, pgno);
      }
      await encoder.encode(count);
    }
    const postApply = encoder.databaseChecksumDelta | (1n << 63n);
    const { header, pageCount } = await encoder.finish(SNAPSHOT, postApply);
    expect(pageCount).toBe(commit - 1);
    const { trailer } = await decodeAll(core, Buffer.concat([header, ...written]), 65536);
    expect(trailer.postApply).toBe(postApply);
  });

  test.each([
    ["page 0", 0, 6, /without a number/],
    ["a page beyond the end", 7, 6, /beyond the end/],
    ["the lock page", lockPage(4096), lockPage(4096) + 5, /lock page/],
  ])("%s is not written", async (_name, pgno, commit, message) => {
    const encoder = await LtxEncoder.open({ core, pageSizeBytes: 4096, commit, sink: nullSink });
    encoder.setPage(0, pgno);
    expect(() => encoder.encode(1)).toThrowError(internal(message));
  });

  test("pages that do not ascend are not written, also from one batch to the next", async () => {
    const encoder = await LtxEncoder.open({ core, pageSizeBytes: 4096, commit: 9, sink: nullSink });
    encoder.setPage(0, 3);
    await encoder.encode(1);
    expect(() => encoder.encode(1)).toThrowError(internal(/does not follow/));
    expect(() => encoder.encode(encoder.batchCapacity + 1)).toThrowError(internal(/impossible/));
  });

  test.each([
    ["a snapshot that lacks a page", { commit: 3 }, /2 of its 3 pages/],
    [
      "another post-apply than the pages'",
      { commit: 2, postApply: (1n << 63n) | 5n },
      /not that of its pages/,
    ],
    ["a post-apply checksum without bit 63", { commit: 2, postApply: 5n }, /without bit 63/],
    [
      "one in a file without checksums",
      { commit: 2, noChecksum: true, postApply: 1n << 63n },
      /without checksums/,
    ],
    ["an impossible header", { commit: 2, fields: { walSize: 5n } }, /WAL size without a WAL offset/],
  ])("%s is not finished", async (_name, change, message) => {
    const spec = { pageSizeBytes: 512, pages: pagesFrom(() => Buffer.alloc(512), 2), ...change };
    await expect(encodeFile(core, spec)).rejects.toEqual(internal(message));
  });

  test("an encoder whose core began another file says so", async () => {
    const first = await LtxEncoder.open({ core, pageSizeBytes: 512, commit: 9, sink: nullSink });
    await LtxEncoder.open({ core, pageSizeBytes: 512, commit: 9, sink: nullSink });
    expect(() => first.encode(0)).toThrowError(internal(/another stream/));
  });

  test("a sink may not use the core that calls it, and its failure is the caller's", async () => {
    const spec = { core, pageSizeBytes: 512, commit: 0 };
    const fields = { ...INCREMENTAL, minTxid: 2n };
    const nosy = await LtxEncoder.open({
      ...spec,
      sink: { write: () => void core.wasm.streamSummed() as undefined },
    });
    await expect(nosy.finish(fields, 1n << 63n)).rejects.toEqual(internal(/lent/));
    const failing = await LtxEncoder.open({
      ...spec,
      sink: { write: async () => Promise.reject(new Error("full")) },
    });
    await expect(failing.finish(fields, 1n << 63n)).rejects.toThrowError("full");
  });
});
