import { writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { expect, test } from "vitest";
import {
  type Applied,
  formatState,
  parseState,
  type ReplicaState,
  readState,
  writeState,
} from "../../src/follow/replica-state.ts";
import { tempFolder } from "../helpers/sqlite/temp-database.ts";

const u64 = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
const applied: fc.Arbitrary<Applied> = fc.record({
  txid: u64,
  postApply: u64,
  pageSizeBytes: fc.constantFrom(512, 65536),
  commitPages: fc.nat(),
  timestampMs: fc.nat(2 ** 40),
  pageOne: fc.option(
    fc.record({
      sourceFields: fc
        .uint8Array({ minLength: 10, maxLength: 10 })
        .map((bytes) => Buffer.from(bytes).toString("hex")),
      counter: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
      checksum: u64,
    }),
    { nil: undefined },
  ),
});
const state: fc.Arbitrary<ReplicaState> = fc.record({
  source: fc.string(),
  current: fc.option(applied, { nil: undefined }),
  next: fc.option(applied, { nil: undefined }),
});

test("comes back as it was, with all 64 bits", () => {
  fc.assert(
    fc.property(state, (one) => {
      expect(parseState(formatState(one))).toEqual(one);
    }),
  );
});

test("any flipped byte, and any cut, makes it none", () => {
  const text = formatState({ source: "s3://b/app", current: undefined, next: undefined });
  for (let at = 0; at < text.length - 1; at++) {
    const flipped = text.slice(0, at) + String.fromCharCode(text.charCodeAt(at) ^ 1) + text.slice(at + 1);
    expect(parseState(flipped), `byte ${at}`).toBeUndefined();
    expect(parseState(text.slice(0, at)), `${at} bytes`).toBeUndefined();
  }
});

test("a file: none, one that was written, one that cannot be read", async () => {
  const path = join(tempFolder(), "r.db-replica-state");
  expect(readState(path)).toBeUndefined();
  const written = { source: "s3://b/app", current: undefined, next: undefined };
  await writeState(path, written);
  expect(readState(path)).toEqual(written);
  writeFileSync(path, "");
  expect(readState(path)).toBe("unreadable");
});
