import { createHash } from "node:crypto";
import { expect, test } from "vitest";
import { PageMap } from "../../src/wal/page-map.ts";
import { Core, compileCore } from "../../src/wasm/core.ts";
import { goldenLogs, readAtOf } from "../helpers/wal/golden.ts";

const map = new PageMap(new Core(compileCore()));
const logs = goldenLogs().filter(({ facts }) => facts.transactions.length > 0);

test.each(logs)("the pages of each transaction of $name", ({ facts, log }) => {
  const frameSize = 24 + facts.page_size;
  for (const transaction of facts.transactions) {
    const expectedFrames = transaction.frame_pgnos.length;
    map.begin({
      fromPgno: 1,
      commitPages: transaction.db_pages,
      pageSizeBytes: facts.page_size,
      expectedFrames,
    });
    map.addFrames(readAtOf(log), 32 + (transaction.first_frame - 1) * frameSize, expectedFrames, 0);
    const { rows, nextPgno } = map.finish();
    expect([...rows].filter((_, i) => i % 2 === 0)).toEqual(transaction.pages);
    expect(nextPgno).toBeUndefined();
  }
});

test.each(logs)(
  "the newest pages of the whole log of $name over its database are what SQLite sees",
  ({ facts, log, database }) => {
    const { page_size: pageSize, db_pages: commitPages } = facts;
    const frameSize = 24 + pageSize;
    map.begin({ fromPgno: 1, commitPages, pageSizeBytes: pageSize, expectedFrames: facts.last_commit_frame });
    map.addFrames(readAtOf(log), 32, facts.last_commit_frame, 0);
    const { rows, count } = map.finish();
    const seen = new Uint8Array(commitPages * pageSize);
    seen.set(database.subarray(0, seen.length));
    for (let i = 0; i < count; i++) {
      const [pgno = 0, ordinal = 0] = rows.subarray(2 * i, 2 * i + 2);
      const at = 32 + ordinal * frameSize + 24;
      seen.set(log.subarray(at, at + pageSize), (pgno - 1) * pageSize);
    }
    const hashes = Object.entries(facts.final_pages).map(([pgno, sha256]) => [Number(pgno), sha256]);
    expect(hashes).toHaveLength(commitPages);
    for (const [pgno, sha256] of hashes) {
      const at = (Number(pgno) - 1) * pageSize;
      expect(
        createHash("sha256")
          .update(seen.subarray(at, at + pageSize))
          .digest("hex"),
      ).toBe(sha256);
    }
  },
);

test("an extent that ends early is our own mistake", () => {
  map.begin({ fromPgno: 1, commitPages: 1, pageSizeBytes: 512, expectedFrames: 2 });
  expect(() => map.addFrames(readAtOf(new Uint8Array(600)), 32, 2, 0)).toThrowError(
    expect.objectContaining({ code: "INTERNAL" }),
  );
});
