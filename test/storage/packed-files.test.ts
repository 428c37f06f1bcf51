import fc from "fast-check";
import { expect, test } from "vitest";
import { LATEST_TIME_MS } from "../../src/clock.ts";
import type { ManifestFile } from "../../src/storage/manifest.ts";
import { PackedFiles } from "../../src/storage/packed-files.ts";
import { runs } from "../helpers/property-runs.ts";

const u64 = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
const time = fc.integer({ min: 0, max: LATEST_TIME_MS });

const anyFile: fc.Arbitrary<ManifestFile> = fc.record(
  {
    ...{
      minTxid: fc.constantFrom(1n, 2n, 3n, 2n ** 64n - 1n),
      maxTxid: fc.constantFrom(3n, 4n, 2n ** 64n - 1n),
    },
    ...{ sizeBytes: fc.maxSafeNat(), createdAtMs: time, timestampMs: time },
    ...{ bodyChecksum: u64, preApply: u64, postApply: u64 },
    sha256: fc.constantFrom("00".repeat(32), "ff".repeat(32), "0123456789abcdef".repeat(4)),
    isRepair: fc.constant(true as const),
  },
  {
    requiredKeys: [
      "minTxid",
      "maxTxid",
      "sizeBytes",
      "createdAtMs",
      "timestampMs",
      "bodyChecksum",
      "preApply",
      "postApply",
      "sha256",
    ],
  },
);

const isSamePlace = (a: ManifestFile, b: ManifestFile) => a.minTxid === b.minTxid && a.maxTxid === b.maxTxid;
const isSame = (a: ManifestFile, b: ManifestFile) => isSamePlace(a, b) && a.sha256 === b.sha256;

test("hold what a list of objects would, through any additions and removals", () => {
  const step = fc.oneof(
    fc.record({ add: anyFile }),
    fc.record({ remove: fc.array(anyFile, { maxLength: 3 }) }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const packed = new PackedFiles();
      let expected: ManifestFile[] = [];
      for (const step of steps) {
        if ("add" in step) {
          packed.add(step.add);
          expected = [...expected.filter((file) => !isSamePlace(file, step.add)), step.add];
        } else {
          packed.remove(step.remove);
          expected = expected.filter((file) => !step.remove.some((removed) => isSame(removed, file)));
        }
        expect(packed.length).toBe(expected.length);
        expect(packed.unpack()).toEqual(expected);
      }
    }),
    runs(300),
  );
});

test("grow far beyond their first room", () => {
  const [file] = fc.sample(anyFile, { numRuns: 1, seed: 1 });
  if (file === undefined) throw new Error("no sample");
  const files = Array.from({ length: 3600 }, (_, i) => ({
    ...file,
    minTxid: BigInt(i + 2),
    maxTxid: BigInt(i + 2),
  }));
  const packed = new PackedFiles();
  for (const one of files) packed.add(one);
  expect(packed.unpack()).toEqual(files);
  packed.remove(files.slice(0, 3599));
  expect(packed.unpack()).toEqual(files.slice(3599));
});
