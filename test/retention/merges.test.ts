import { expect, test } from "vitest";
import type { RestoreFile } from "../../src/restore/restore-file.ts";
import { plannedMerges } from "../../src/retention/merges.ts";
import { checksumAt, NOON, namedFile } from "../helpers/retention/files.ts";

const file = (min: number, max = min, other: Partial<RestoreFile> = {}) => namedFile(min, max, NOON, other);

interface Case {
  readonly files: readonly RestoreFile[];
  readonly others?: readonly RestoreFile[];
  readonly stops?: readonly bigint[];
}

test.each<[string, Case, string[]]>([
  ["one file alone", { files: [file(2)] }, []],
  ["a run, in whatever order it comes", { files: [file(4, 9), file(2), file(3)] }, ["2-9"]],
  ["not over a hole", { files: [file(2), file(3), file(5), file(6)] }, ["2-3", "5-6"]],
  [
    "not past a point that stays",
    { files: [file(2), file(3), file(4), file(5)], stops: [3n] },
    ["2-3", "4-5"],
  ],
  [
    "not over checksums that do not follow",
    { files: [file(2), file(3), file(4, 4, { preApply: checksumAt(3, 1) }), file(5)] },
    ["2-3", "4-5"],
  ],
  [
    "not where a checksum is unknown",
    { files: [file(2, 2, { postApply: undefined }), file(3), file(4)] },
    ["3-4"],
  ],
  ["nor at the end", { files: [file(2), file(3), file(4, 4, { postApply: undefined })] }, ["2-3"]],
  ["not where two lead on", { files: [file(2), file(3), file(4)], others: [file(4, 6)] }, ["2-3"]],
  ["not where two lead to", { files: [file(2), file(3), file(4)], others: [file(1, 3)] }, ["2-3"]],
])("%s", (_, { files, others = [], stops = [] }, expected) => {
  const merges = plannedMerges(files, others, new Set(stops));
  expect(merges.map(({ minTxid, maxTxid }) => `${minTxid}-${maxTxid}`)).toEqual(expected);
  for (const { minTxid, maxTxid, sources } of merges) {
    expect(sources.length).toBeGreaterThan(1);
    expect([sources[0]?.minTxid, sources.at(-1)?.maxTxid]).toEqual([minTxid, maxTxid]);
  }
});
