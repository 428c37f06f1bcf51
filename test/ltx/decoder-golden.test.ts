import { createHash } from "node:crypto";
import { basename } from "node:path";
import { describe, expect, test } from "vitest";
import { isWalrustError } from "../../src/errors.ts";
import { formatChecksum } from "../../src/ltx/checksum.ts";
import { decodeAll } from "../helpers/ltx/decode-all.ts";
import { corruptFiles, goldenBytes, goldenChains, goldenFiles } from "../helpers/ltx/golden.ts";
import { coreBuilds } from "../helpers/wasm/core-builds.ts";

const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");

/** Their reserved bytes are in use, and not for our body checksum: formats.md, sections 2 and 3. */
const RESERVED = new Map([
  ["p4096-reserved-80-87-snapshot-1-1.ltx", "INTEGRITY_CHECKSUM"],
  ["p4096-reserved-80-99-snapshot-1-1.ltx", "INTEGRITY_FORMAT"],
] as const);

/** Where another check would find the defect too, if by chance: which one must. */
const REASONS = new Map([
  ["page-lock-page", /the lock page/],
  ["page-twice", /does not follow the one before/],
  ["page-out-of-order", /does not follow the one before/],
  ["page-above-commit", /beyond the end of the database/],
  ["page-block-too-short", /shorter than a page, at byte 100$/],
  ["page-block-too-long", /longer than a page/],
  ["page-block-empty", /size that cannot be, at byte 100$/],
  ["page-size-field-16-mib", /size that cannot be/],
  ["page-block-match-before-start", /not an LZ4 block/],
  ["frame-content-checksum", /LZ4 frame that fails its own checksum/],
  ["snapshot-hole", /3 of its 4 pages/],
  ["snapshot-no-pages", /0 of its 4 pages/],
  ["snapshot-post-apply", /post-apply checksum is not that of the pages/],
  ["index-offset-shifted", /index that does not agree/],
  ["index-size-field", /size of the page index/],
  ["tail-second-file", /something follows its end/],
  ["trailer-post-apply-0", /no post-apply checksum/],
]);

describe.each(coreBuilds)("$build", ({ makeCore }) => {
  const core = makeCore();

  test.each(goldenFiles.filter(({ file }) => !RESERVED.has(file as never)))(
    "$file says what its JSON says",
    async (golden) => {
      const decoded = await decodeAll(core, goldenBytes(golden.file));
      const { header } = decoded;
      expect({
        flags: header.flags,
        page_size: header.pageSizeBytes,
        commit: header.commit,
        min_txid: formatChecksum(header.minTxid),
        max_txid: formatChecksum(header.maxTxid),
        timestamp_ms: header.timestampMs,
        pre_apply_checksum: formatChecksum(header.preApply),
        wal_offset: Number(header.walOffset),
        wal_size: Number(header.walSize),
        wal_salt1: header.walSalt1,
        wal_salt2: header.walSalt2,
        node_id: formatChecksum(header.nodeId),
        reserved: "0".repeat(40),
      }).toEqual(golden.header);
      expect(header.bodyChecksum).toBe(0n);
      expect(
        decoded.pages.map(({ pgno, page, checksum }) => [pgno, sha256(page), formatChecksum(checksum)]),
      ).toEqual(golden.pages.map(({ pgno, sha256, checksum }) => [pgno, sha256, checksum]));
      expect(formatChecksum(decoded.trailer.postApply)).toBe(golden.trailer.post_apply_checksum);
      expect(formatChecksum(decoded.trailer.fileChecksum)).toBe(golden.trailer.file_checksum);
      expect(decoded.bodySha256).toBe(golden.body_sha256);
      expect(decoded.sizeBytes).toBe(golden.size);
      expect(decoded.pageCount).toBe(golden.pages.length);
    },
  );

  test.each([...RESERVED])("%s: reserved bytes of another writer are refused", async (file, code) => {
    await expect(decodeAll(core, goldenBytes(file))).rejects.toMatchObject({ code });
  });

  test.each(corruptFiles.filter(({ must_reject }) => must_reject))("$file: $defect", async ({ file }) => {
    const failure = await decodeAll(core, goldenBytes(file)).catch((error: unknown) => error);
    expect(isWalrustError(failure, "INTEGRITY_FORMAT", "INTEGRITY_CHECKSUM")).toBe(true);
    expect(String(failure)).toMatch(/^WalrustError: db\/test\.ltx is damaged: .+, at byte \d+$/);
    expect(String(failure)).toMatch(REASONS.get(basename(file, ".ltx")) ?? /./);
  });

  test.each(corruptFiles.filter(({ must_reject }) => !must_reject))(
    "$file is accepted: $defect",
    async ({ file }) => {
      await expect(decodeAll(core, goldenBytes(file))).resolves.toBeDefined();
    },
  );
});

test.each(goldenChains)(
  "the chain of page size $page_size gives the databases that the library's gives",
  async (chain) => {
    const core = coreBuilds[0].makeCore();
    let database = Buffer.alloc(0);
    let checksum = 0n;
    for (const step of chain.steps) {
      const { header, trailer, pages } = await decodeAll(core, goldenBytes(step.file));
      expect(header.preApply).toBe(checksum);
      checksum = trailer.postApply;
      const next = Buffer.alloc(header.commit * chain.page_size);
      database.copy(next);
      for (const { pgno, page } of pages) page.copy(next, (pgno - 1) * chain.page_size);
      database = next;
      expect({
        file: step.file,
        db_pages: database.length / chain.page_size,
        db_sha256: sha256(database),
        db_checksum: formatChecksum(checksum),
      }).toEqual(step);
    }
  },
);
