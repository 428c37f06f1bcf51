import { describe, expect, test } from "vitest";
import { DEFAULT_SYNC } from "../../src/config/defaults.ts";
import type { SyncSettings } from "../../src/config/settings.ts";
import {
  type HandoverFacts,
  handoverAt,
  isHintOfUse,
  type PollFacts,
  pollAt,
  publishAt,
  type SnapshotFacts,
  snapshotAt,
} from "../../src/daemon/schedule.ts";

const NEVER = Number.NEGATIVE_INFINITY;
const OFF = { snapshotIntervalMs: 0, maxChanges: 0, maxIntervalMs: 0, onIdleMs: 0 };

function sync(overrides: Partial<SyncSettings> = {}): SyncSettings {
  return { ...DEFAULT_SYNC, ...overrides };
}

describe("pollAt", () => {
  const quiet: PollFacts = {
    lastPollMs: 100_000,
    lastCommitMs: NEVER,
    lastPublishMs: NEVER,
    isPending: false,
    isBusy: false,
  };
  test.each<readonly [string, Partial<PollFacts>, Partial<SyncSettings>, number]>([
    ["quiet: the floor", {}, {}, 101_000],
    ["quiet, another floor", {}, { monitorIntervalMs: 5000 }, 105_000],
    ["a commit just now: often", { lastCommitMs: 100_000 }, {}, 100_040],
    ["a commit a second ago: as often", { lastCommitMs: 99_000 }, {}, 100_040],
    ["a commit 5 s ago: after a small part of them", { lastCommitMs: 95_000 }, {}, 100_200],
    ["a commit so long ago that the part is the floor", { lastCommitMs: 75_000 }, {}, 101_000],
    ["a commit a minute ago: the floor", { lastCommitMs: 40_000 }, {}, 101_000],
    ["a higher floor: each second meanwhile", { lastCommitMs: 40_000 }, { monitorIntervalMs: 5000 }, 101_000],
    [
      "something pending and a commit long ago: as soon as storage is tried again",
      { lastCommitMs: 90_000, lastPublishMs: 90_000, isPending: true },
      {},
      100_100,
    ],
    [
      "often never means less often than the floor",
      { lastCommitMs: 100_000 },
      { monitorIntervalMs: 10 },
      100_010,
    ],
    [
      "nothing can be published before the interval is over: then",
      { lastCommitMs: 100_000, lastPublishMs: 99_400 },
      {},
      100_400,
    ],
    [
      "the same with something pending",
      { lastCommitMs: 100_000, lastPublishMs: 99_400, isPending: true },
      {},
      100_400,
    ],
    ["the interval is nearly over: often", { lastCommitMs: 100_000, lastPublishMs: 99_010 }, {}, 100_040],
    [
      "a long interval: each second",
      { lastCommitMs: 100_000, lastPublishMs: 99_000 },
      { walSyncIntervalMs: 60_000, monitorIntervalMs: 60_000 },
      101_000,
    ],
    [
      "a long interval: not more seldom than the floor",
      { lastCommitMs: 100_000, lastPublishMs: 99_000 },
      { walSyncIntervalMs: 60_000, monitorIntervalMs: 500 },
      100_500,
    ],
    [
      "a writer at full speed: its log must not grow unseen",
      { lastCommitMs: 100_000, lastPublishMs: 99_900, isBusy: true },
      {},
      100_100,
    ],
    [
      "storage keeps what is pending waiting: less often",
      { lastCommitMs: 100_000, lastPublishMs: 90_000, isPending: true },
      {},
      100_100,
    ],
    ["quiet, within the interval: its end", { lastCommitMs: 97_000, lastPublishMs: 99_900 }, {}, 100_900],
    ["before the first look: at once", { lastPollMs: NEVER }, {}, NEVER],
  ])("%s", (_, facts, overrides, atMs) => {
    expect(pollAt({ ...quiet, ...facts }, sync(overrides))).toBe(atMs);
  });
});

describe("isHintOfUse", () => {
  const facts: PollFacts = {
    lastPollMs: 100_000,
    lastCommitMs: 99_500,
    lastPublishMs: 99_500,
    isPending: false,
    isBusy: false,
  };
  test.each<readonly [string, Partial<PollFacts>, Partial<SyncSettings>, boolean]>([
    ["within the interval: nothing can be published before the next look", {}, {}, false],
    ["the same with something pending", { isPending: true }, {}, false],
    ["when the interval is over", { lastPublishMs: 98_000 }, {}, true],
    ["just opened", { lastCommitMs: NEVER, lastPublishMs: NEVER }, {}, true],
    ["quiet for a minute", { lastCommitMs: 40_000, lastPublishMs: 40_000 }, {}, true],
    [
      "quiet for a minute, looked at seldom",
      { lastCommitMs: 40_000, lastPublishMs: 40_000 },
      { monitorIntervalMs: 60_000 },
      true,
    ],
    [
      "a long interval: the looks within it see the log grow",
      { lastPublishMs: 90_000 },
      { walSyncIntervalMs: 60_000, monitorIntervalMs: 60_000 },
      false,
    ],
    [
      "nothing was committed since an hour, and something was published just now: the next look is far",
      { lastCommitMs: NEVER },
      { monitorIntervalMs: 60_000 },
      true,
    ],
    ["behind a writer at full speed: it is looked at often enough", { isBusy: true }, {}, false],
  ])("%s", (_, changed, overrides, isOfUse) => {
    expect(isHintOfUse({ ...facts, ...changed }, sync(overrides))).toBe(isOfUse);
  });
});

describe("publishAt", () => {
  test.each([
    ["nothing pending: never", { isPending: false, lastPublishMs: 0, retryAtMs: 0 }, undefined],
    ["the first: at once", { isPending: true, lastPublishMs: NEVER, retryAtMs: NEVER }, NEVER],
    [
      "within the interval: when it is over",
      { isPending: true, lastPublishMs: 5000, retryAtMs: NEVER },
      6000,
    ],
    [
      "after a failure: not before the next try",
      { isPending: true, lastPublishMs: 5000, retryAtMs: 9000 },
      9000,
    ],
    [
      "the next try is earlier than the interval",
      { isPending: true, lastPublishMs: 5000, retryAtMs: 5250 },
      6000,
    ],
  ])("%s", (_, facts, atMs) => {
    expect(publishAt(facts, sync())).toBe(atMs);
  });
});

describe("handoverAt", () => {
  const facts: HandoverFacts = { frames: 10, lastHandoverMs: 100_000, lastCommitMs: 130_000, retryAtMs: 0 };
  test.each<readonly [string, Partial<HandoverFacts>, Partial<SyncSettings>, ReturnType<typeof handoverAt>]>([
    ["nothing captured since: never", { frames: 0 }, {}, undefined],
    ["after 3 s of quiet, without a lock", {}, {}, { atMs: 133_000, barrier: false }],
    [
      "a writer without a pause: by the interval, with a lock",
      { lastCommitMs: 159_000 },
      {},
      { atMs: 160_000, barrier: true },
    ],
    ["a long log: sooner, 1 s after the last", { frames: 1000 }, {}, { atMs: 101_000, barrier: true }],
    ["one frame less is not long", { frames: 999 }, {}, { atMs: 133_000, barrier: false }],
    ["another length", { frames: 20 }, { minCheckpointPages: 20 }, { atMs: 101_000, barrier: true }],
    [
      "SQLite was busy: not before the next try",
      { frames: 1000, retryAtMs: 150_000 },
      {},
      { atMs: 150_000, barrier: true },
    ],
    [
      "no interval: by quiet alone",
      { lastCommitMs: 1e9 },
      { checkpointIntervalMs: 0 },
      { atMs: 1e9 + 3000, barrier: false },
    ],
    [
      "no interval, but a long log",
      { lastCommitMs: 1e9, frames: 5000 },
      { checkpointIntervalMs: 0 },
      { atMs: 101_000, barrier: true },
    ],
    ["never a commit since the start", { lastCommitMs: NEVER }, {}, { atMs: 0, barrier: false }],
  ])("%s", (_, change, overrides, due) => {
    expect(handoverAt({ ...facts, ...change }, sync(overrides))).toEqual(due);
  });
});

describe("snapshotAt", () => {
  const facts: SnapshotFacts = {
    ...{ changes: 10n, firstChangeMs: 50_000, lastCommitMs: 70_000, lastSnapshotMs: 10_000, retryAtMs: 0 },
  };
  test.each<readonly [string, Partial<SnapshotFacts>, Partial<SyncSettings>, ReturnType<typeof snapshotAt>]>([
    [
      "no changes: never, whatever is set",
      { changes: 0n },
      { onIdleMs: 1, maxChanges: 1, maxIntervalMs: 1 },
      undefined,
    ],
    ["everything off: never", {}, OFF, undefined],
    ["by the interval", {}, {}, { atMs: 3_610_000, trigger: "interval" }],
    ["enough changes: at once", {}, { ...OFF, maxChanges: 10 }, { atMs: 0, trigger: "max_changes" }],
    ["not enough", {}, { ...OFF, maxChanges: 11 }, undefined],
    [
      "so long after the first change",
      {},
      { ...OFF, maxIntervalMs: 5000 },
      { atMs: 55_000, trigger: "max_interval" },
    ],
    ["so long after the last", {}, { ...OFF, onIdleMs: 5000 }, { atMs: 75_000, trigger: "on_idle" }],
    [
      "the earliest of all",
      {},
      { snapshotIntervalMs: 50_000, maxIntervalMs: 9000, onIdleMs: 5000 },
      { atMs: 59_000, trigger: "max_interval" },
    ],
    [
      "after a failure: not before the next try",
      { retryAtMs: 90_000 },
      { ...OFF, maxChanges: 1 },
      { atMs: 90_000, trigger: "max_changes" },
    ],
    ["the interval is long over", { lastSnapshotMs: -1e7 }, {}, { atMs: 0, trigger: "interval" }],
    [
      "more changes than a double can count",
      { changes: 2n ** 60n },
      { ...OFF, maxChanges: 2 ** 53 - 1 },
      { atMs: 0, trigger: "max_changes" },
    ],
  ])("%s", (_, change, overrides, due) => {
    expect(snapshotAt({ ...facts, ...change }, sync(overrides))).toEqual(due);
  });
});
