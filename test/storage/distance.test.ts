import { expect, onTestFinished, test } from "vitest";
import type { StorageRequest } from "../../src/storage/dependencies.ts";
import { Distance } from "../../src/storage/distance.ts";
import { UnencryptedStorage } from "../../src/storage/encrypted/unencrypted-storage.ts";
import { ObservedStorage } from "../../src/storage/observed-storage.ts";
import { encrypted } from "./encrypted/support.ts";
import { bytesOf, s3Bench, skippingClock } from "./support.ts";

function distanceAfter(...answers: readonly (readonly [StorageRequest["outcome"], durationMs: number])[]) {
  const distance = new Distance();
  for (const [outcome, durationMs] of answers) distance.note({ operation: "get", outcome, durationMs });
  return distance.ms;
}

const slow = (count: number) => Array.from({ length: count }, () => ["ok", 90] as const);

test.each([
  ["no answer", [], 0],
  ["too few answers", slow(15), 0],
  ["enough", slow(16), 90],
  ["one of them was quicker", [...slow(15), ["ok", 31] as const], 31],
  ["the first one was", [["not_found", 30] as const, ...slow(15)], 30],
  ["refusals are answers too", [...slow(15), ["throttled", 40] as const], 40],
  ["no answer is none", [...slow(15), ["unreachable", 1] as const], 0],
  ["nor is one that nobody waited for", [...slow(16), ["aborted", 1] as const], 90],
])("%s", (_, answers, expectedMs) => {
  expect(distanceAfter(...answers)).toBe(expectedMs);
});

test("of S3 it is known after some answers, also through what is around it", async () => {
  let nowMs = 0;
  const clock = { ...skippingClock(), monotonicMs: () => (nowMs += 30) };
  const { storage, close } = await s3Bench({ dependencies: { clock } });
  onTestFinished(close);
  const seen = [
    storage,
    encrypted(storage),
    new UnencryptedStorage(storage),
    new ObservedStorage(storage, clock, () => {}),
  ];
  const distances = () => seen.map(({ distanceMs }) => distanceMs);
  for (let answers = 0; answers < 15; answers += 1) await storage.put("db/a", bytesOf(10, 1));
  expect(distances()).toEqual([0, 0, 0, 0]);
  await storage.put("db/a", bytesOf(10, 1));
  expect(distances()).toEqual([30, 30, 30, 30]);
});
