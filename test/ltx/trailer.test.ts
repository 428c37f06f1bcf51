import { expect, test } from "vitest";
import { decodeTrailer, encodeTrailer, findPostApplyDefect } from "../../src/ltx/trailer.ts";
import { INCREMENTAL } from "../helpers/ltx/headers.ts";

const FLAG = 1n << 63n;

test("a trailer comes back, with values that no JS number holds", () => {
  const trailer = { postApply: FLAG + 2n ** 53n + 1n, fileChecksum: 2n ** 64n - 1n };
  const bytes = encodeTrailer(trailer);
  expect(Buffer.from(bytes).toString("hex")).toBe("8020000000000001ffffffffffffffff");
  expect(decodeTrailer(Buffer.concat([Buffer.from("xyz"), bytes]).subarray(3))).toEqual(trailer);
});

test.each([
  ["an incremental's", INCREMENTAL, FLAG | 1n, undefined],
  ["missing", INCREMENTAL, 0n, "no post-apply checksum"],
  ["without bit 63", INCREMENTAL, 5n, "a post-apply checksum without bit 63"],
  ["of no pages", { ...INCREMENTAL, commit: 0 }, FLAG, undefined],
  [
    "of no pages, but another",
    { ...INCREMENTAL, commit: 0 },
    FLAG | 1n,
    "a post-apply checksum that is not that of an empty database",
  ],
  ["none without checksums", { ...INCREMENTAL, flags: 2 }, 0n, undefined],
  [
    "one without checksums",
    { ...INCREMENTAL, flags: 2 },
    FLAG | 1n,
    "a post-apply checksum in a file without checksums",
  ],
])("a post-apply checksum: %s", (_name, header, postApply, defect) => {
  expect(findPostApplyDefect(header, postApply)).toBe(defect);
});
