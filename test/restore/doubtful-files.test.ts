import { describe, expect, test } from "vitest";
import { doubtfulFiles } from "../../src/restore/doubtful-files.ts";
import { prepareRestore } from "../../src/restore/prepare.ts";
import type { RestoreFile } from "../../src/restore/restore-file.ts";
import { backup, keyOf } from "../helpers/restore/backup.ts";

function file(minTxid: number, maxTxid: number, preApply?: number, postApply?: number): RestoreFile {
  return {
    ...{ key: `${minTxid}-${maxTxid}`, minTxid: BigInt(minTxid), maxTxid: BigInt(maxTxid), sizeBytes: 1 },
    ...{ lastModifiedMs: 0, timestampMs: 0, isRepair: undefined, bodySha256: undefined },
    preApply: preApply === undefined ? undefined : BigInt(preApply),
    postApply: postApply === undefined ? undefined : BigInt(postApply),
  };
}

describe("files that a wrong checksum may keep apart", () => {
  test.each<[string, RestoreFile[], string[]]>([
    ["none", [file(1, 1, undefined, 1), file(2, 2, 1, 2)], []],
    ["two neighbours", [file(1, 1, undefined, 1), file(2, 2, 9, 2)], ["2-2", "1-1"]],
    ["only the first break", [file(1, 1, undefined, 1), file(2, 2, 9, 2), file(3, 3, 2, 3)], ["2-2", "1-1"]],
    ["a hole is none", [file(1, 1, undefined, 1), file(3, 3, 2, 3)], []],
    ["two histories", [file(1, 1, undefined, 1), file(2, 2, 1, 2), file(1, 2, undefined, 3)], ["1-2", "2-2"]],
    ["files without checksums", [file(1, 1), file(2, 2)], []],
  ])("%s", (_, files, doubtful) => {
    expect(doubtfulFiles(files).map(({ key }) => key)).toEqual(doubtful);
  });
});

test("only they are asked, once, and only where there is no plan otherwise", async () => {
  const { storage, history } = await backup();
  history.manifest(history.files.map((one) => (one.minTxid === 3n ? { ...one, preApply: 1n << 63n } : one)));
  const reads = () => storage.calls.filter(({ operation }) => operation === "read").map(({ key }) => key);
  await prepareRestore(storage, "app", { kind: "latest" });
  expect(reads()).toEqual([]);
  await prepareRestore(storage, "app", { kind: "txid", txid: 5n });
  expect(reads().toSorted()).toEqual([keyOf("2-2"), keyOf("2-2"), keyOf("3-5"), keyOf("3-5")]);
  storage.calls.length = 0;
  history.manifest();
  for (const txid of [4n, 99n]) {
    await expect(prepareRestore(storage, "app", { kind: "txid", txid })).rejects.toMatchObject({
      exitCode: 6,
    });
  }
  expect(reads()).toEqual([]);
});
