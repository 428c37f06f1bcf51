import { expect, test } from "vitest";
import { type UpkeepFacts, upkeepAt } from "../../src/daemon/upkeep-schedule.ts";

const FACTS: UpkeepFacts = {
  isChanged: false,
  snapshotMs: undefined,
  lastCompactionMs: 1000,
  lastValidationMs: 2000,
};
const OFF = { compactAfterSnapshot: false, compactIntervalMs: 0, validationIntervalMs: 0 };

test.each<[string, Partial<UpkeepFacts>, Partial<typeof OFF>, unknown]>([
  ["nothing that nobody asked for", { isChanged: true, snapshotMs: 5 }, {}, undefined],
  [
    "a compaction soon after a snapshot, when the manifest names it",
    { snapshotMs: 60_000 },
    { compactAfterSnapshot: true },
    { job: "compaction", atMs: 65_000 },
  ],
  ["and none without one", { isChanged: true }, { compactAfterSnapshot: true }, undefined],
  [
    "by the interval, if something was published",
    { isChanged: true },
    { compactIntervalMs: 30_000 },
    { job: "compaction", atMs: 31_000 },
  ],
  [
    "an idle database costs no request",
    {},
    { compactIntervalMs: 30_000, compactAfterSnapshot: true },
    undefined,
  ],
  [
    "a validation, whether something was published or not",
    {},
    { validationIntervalMs: 60_000 },
    { job: "validation", atMs: 62_000 },
  ],
  [
    "no validation before there is a copy",
    { lastValidationMs: undefined },
    { validationIntervalMs: 60_000 },
    undefined,
  ],
  [
    "the earliest of all",
    { isChanged: true, snapshotMs: 10_000 },
    { compactAfterSnapshot: true, compactIntervalMs: 20_000, validationIntervalMs: 11_000 },
    { job: "validation", atMs: 13_000 },
  ],
])("%s", (_, facts, sync, due) => {
  expect(upkeepAt({ ...FACTS, ...facts }, { ...OFF, ...sync })).toEqual(due);
});
