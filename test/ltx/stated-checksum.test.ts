import { describe, expect, test } from "vitest";
import type { LtxHeader } from "../../src/ltx/format.ts";
import { checksumAfter, stateChecksum, statedChecksum } from "../../src/ltx/stated-checksum.ts";

const CHECKSUM = 0xf000_0000_0000_0001n;

const header: LtxHeader = {
  ...{ flags: 2, pageSizeBytes: 4096, commit: 1, minTxid: 2n, maxTxid: 2n, timestampMs: 0 },
  ...{ walOffset: 32n, walSize: 0n, walSalt1: 1, walSalt2: 2, bodyChecksum: CHECKSUM },
  ...stateChecksum(CHECKSUM),
};

describe("the database checksum that a file without checksums states", () => {
  test("in its node ID, and nowhere else", () => {
    expect(header).toMatchObject({ nodeId: CHECKSUM, preApply: 0n });
    expect(statedChecksum(header)).toBe(CHECKSUM);
  });

  test.each([
    ["Litestream's: no node ID", { nodeId: 0n, bodyChecksum: 0n }],
    ["another writer's node ID", { bodyChecksum: 0n }],
    ["a node ID that is no checksum", { nodeId: 7n }],
    ["a file with checksums, whose node ID is its writer", { flags: 0 }],
  ])("%s: none", (_, fields) => {
    expect(statedChecksum({ ...header, ...fields })).toBeUndefined();
  });
});

test("a file with checksums says it in its trailer", () => {
  expect(checksumAfter({ ...header, flags: 0 }, { postApply: 5n })).toBe(5n);
  expect(checksumAfter(header, { postApply: 0n })).toBe(CHECKSUM);
  expect(checksumAfter({ ...header, nodeId: 0n }, { postApply: 0n })).toBeUndefined();
});
