import { expect, test } from "vitest";
import { nextStep } from "../../src/follow/next-step.ts";
import { listedFile } from "../../src/follow/source-files.ts";

/** `2-5`, or `2-5*7` with seven times the size. */
function files(...names: readonly string[]) {
  return names.map((name) => {
    const [, min = "", max = "", size = "1"] = /^(\d+)-(\d+)(?:\*(\d+))?$/.exec(name) ?? [];
    return listedFile({
      key: name,
      minTxid: BigInt(min),
      maxTxid: BigInt(max),
      sizeBytes: Number(size) * 100_000,
    });
  });
}

const apply = (...keys: readonly string[]) => keys;

/** Where the replica is, what is there, what follows. */
test.each([
  ["nothing new", 5n, files("1-1", "2-5"), "none"],
  ["nothing at all", 0n, [], "none"],
  ["a snapshot where it is", 5n, files("1-1", "2-5", "1-5"), "none"],
  ["one file", 5n, files("1-1", "2-5", "6-6"), apply("6-6")],
  ["several", 5n, files("6-6", "10-12", "7-9"), apply("6-6", "7-9", "10-12")],
  ["beyond eight digits", 99_999_999n, files("100000000-100000000"), apply("100000000-100000000")],
  ["merged ones beside single ones: the fewer bytes", 5n, files("6-6*9", "7-7*9", "6-7*10"), apply("6-7*10")],
  ["a snapshot is not needed where incrementals lead on", 5n, files("6-6*90", "1-6"), apply("6-6*90")],
  ["pruned behind it", 5n, files("1-9", "10-10"), "jump"],
  ["merged over it", 5n, files("1-1", "2-7", "8-9"), "jump"],
  ["a snapshot beyond a hole", 5n, files("6-6", "1-9"), "jump"],
  ["a hole on the way", 5n, files("6-6", "8-8"), "jump"],
] as const)("%s", (_, txid, present, expected) => {
  const step = nextStep(txid, present);
  expect(step.kind === "apply" ? step.files.map(({ key }) => key) : step.kind).toEqual(expected);
});
