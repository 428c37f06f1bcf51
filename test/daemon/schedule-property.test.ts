import fc from "fast-check";
import { expect, test } from "vitest";
import { DEFAULT_SYNC } from "../../src/config/defaults.ts";
import type { SyncSettings } from "../../src/config/settings.ts";
import { Backoff } from "../../src/daemon/backoff.ts";
import { handoverAt, pollAt, publishAt, snapshotAt } from "../../src/daemon/schedule.ts";
import { upkeepAt } from "../../src/daemon/upkeep-schedule.ts";
import { WalrustError } from "../../src/errors.ts";
import { ManualClock } from "../helpers/manual-clock.ts";
import { runs } from "../helpers/property-runs.ts";

const ms = (max: number) => fc.oneof(fc.constant(0), fc.nat(max));
const anySync: fc.Arbitrary<SyncSettings> = fc
  .record({
    walSyncIntervalMs: ms(5000),
    monitorIntervalMs: fc.integer({ min: 1, max: 5000 }),
    checkpointIntervalMs: ms(120_000),
    minCheckpointPages: fc.integer({ min: 1, max: 2000 }),
    snapshotIntervalMs: ms(100_000),
    maxChanges: fc.nat(50),
    maxIntervalMs: ms(50_000),
    onIdleMs: ms(20_000),
    compactAfterSnapshot: fc.boolean(),
    compactIntervalMs: ms(60_000),
    validationIntervalMs: ms(60_000),
  })
  .map((some) => ({ ...DEFAULT_SYNC, ...some }));
/** Between one commit and the next. */
const pauses = fc.array(fc.oneof(fc.nat(50), fc.nat(2000), fc.nat(60_000)), { minLength: 1, maxLength: 40 });

test("publications: never sooner than the interval, never later than the interval after a commit, at once after quiet", () => {
  fc.assert(
    fc.property(anySync, pauses, fc.array(fc.nat(5), { maxLength: 40 }), (sync, gaps, failures) => {
      let [nowMs, lastPublishMs, retryAtMs] = [0, Number.NEGATIVE_INFINITY, Number.NEGATIVE_INFINITY];
      const published: number[] = [];
      for (const [i, gap] of gaps.entries()) {
        const commitMs = nowMs + gap;
        const failsFor = (failures[i] ?? 1) === 0 ? 700 : 0;
        retryAtMs = failsFor > 0 ? commitMs + failsFor : retryAtMs;
        const atMs =
          publishAt({ isPending: true, lastPublishMs, retryAtMs }, sync) ?? Number.POSITIVE_INFINITY;
        const when = Math.max(atMs, commitMs);
        expect(when - commitMs).toBeLessThanOrEqual(
          Math.max(sync.walSyncIntervalMs, failsFor, retryAtMs - commitMs),
        );
        if (commitMs - lastPublishMs >= sync.walSyncIntervalMs && retryAtMs <= commitMs)
          expect(when).toBe(commitMs);
        published.push(when);
        [nowMs, lastPublishMs] = [when, when];
      }
      for (const [i, at] of published.entries()) {
        const before = published[i - 1];
        if (before !== undefined) expect(at - before).toBeGreaterThanOrEqual(sync.walSyncIntervalMs);
      }
      expect(publishAt({ isPending: false, lastPublishMs, retryAtMs }, sync)).toBeUndefined();
    }),
    runs(500),
  );
});

test("looks: never less often than the floor, and never in the past of the last one", () => {
  fc.assert(
    fc.property(
      anySync,
      fc.nat(100_000),
      fc.nat(100_000),
      fc.nat(100_000),
      fc.boolean(),
      fc.boolean(),
      (sync, lastPollMs, commitAgoMs, publishAgoMs, isPending, isBusy) => {
        const lastCommitMs = lastPollMs - commitAgoMs;
        const lastPublishMs = lastPollMs - publishAgoMs;
        const atMs = pollAt({ lastPollMs, lastCommitMs, lastPublishMs, isPending, isBusy }, sync);
        expect(atMs).toBeGreaterThan(lastPollMs);
        expect(atMs).toBeLessThanOrEqual(lastPollMs + sync.monitorIntervalMs);
      },
    ),
    runs(500),
  );
});

test("handovers of a log that grows: it never gets far beyond its least length, and quiet ends every wait", () => {
  fc.assert(
    fc.property(
      anySync,
      fc.integer({ min: 1, max: 400 }),
      fc.array(fc.nat(3), { minLength: 10, maxLength: 200 }),
      (sync, perStep, busy) => {
        const STEP_MS = 100;
        let [frames, lastHandoverMs, retryAtMs] = [0, 0, 0];
        for (const [i, trouble] of busy.entries()) {
          const nowMs = i * STEP_MS;
          frames += perStep;
          const due = handoverAt({ frames, lastHandoverMs, lastCommitMs: nowMs, retryAtMs }, sync);
          if (due === undefined || due.atMs > nowMs) {
            // What keeps a long log waiting is the distance to the last handover, or a try that found SQLite busy.
            if (frames >= sync.minCheckpointPages) {
              const isFar = frames >= 32 * sync.minCheckpointPages;
              expect(
                nowMs < retryAtMs || (!isFar && nowMs < lastHandoverMs + 1000),
                `${frames} frames wait`,
              ).toBe(true);
            }
            if (sync.checkpointIntervalMs > 0) {
              expect(nowMs < Math.max(lastHandoverMs + sync.checkpointIntervalMs, retryAtMs)).toBe(true);
            }
            continue;
          }
          expect(due.barrier, "a writer that does not pause").toBe(true);
          if (trouble === 0) retryAtMs = nowMs + 300;
          else [frames, lastHandoverMs] = [0, nowMs];
        }
        const quiet = handoverAt({ frames: 1, lastHandoverMs, lastCommitMs: 0, retryAtMs: 0 }, sync);
        expect(quiet?.atMs).toBeLessThanOrEqual(3000);
        expect(handoverAt({ frames: 0, lastHandoverMs, lastCommitMs: 0, retryAtMs }, sync)).toBeUndefined();
      },
    ),
    runs(300),
  );
});

test("snapshots: the earliest trigger that is on, none without changes, none before a retry", () => {
  const facts = fc.record({
    changes: fc.bigInt(0n, 100n),
    firstChangeMs: fc.nat(100_000),
    lastCommitMs: fc.nat(100_000),
    lastSnapshotMs: fc.nat(100_000),
    retryAtMs: fc.oneof(fc.constant(Number.NEGATIVE_INFINITY), fc.nat(200_000)),
  });
  fc.assert(
    fc.property(anySync, facts, (sync, now) => {
      const wanted = [
        ["max_changes", sync.maxChanges > 0 && now.changes >= BigInt(sync.maxChanges), now.retryAtMs],
        ["interval", sync.snapshotIntervalMs > 0, now.lastSnapshotMs + sync.snapshotIntervalMs],
        ["max_interval", sync.maxIntervalMs > 0, now.firstChangeMs + sync.maxIntervalMs],
        ["on_idle", sync.onIdleMs > 0, now.lastCommitMs + sync.onIdleMs],
      ] as const;
      const on = wanted.filter(([, isOn]) => isOn && now.changes > 0n);
      const due = snapshotAt(now, sync);
      if (on.length === 0) {
        expect(due).toBeUndefined();
        return;
      }
      const earliest = Math.min(...on.map(([, , atMs]) => atMs));
      expect(due?.atMs).toBe(Math.max(earliest, now.retryAtMs));
      expect(on.find(([trigger]) => trigger === due?.trigger)?.[2]).toBe(earliest);
    }),
    runs(500),
  );
});

test("upkeep: an idle copy is never compacted, and what is due is the earliest of all that is on", () => {
  const facts = fc.record({
    isChanged: fc.boolean(),
    snapshotMs: fc.option(fc.nat(100_000), { nil: undefined }),
    lastCompactionMs: fc.nat(100_000),
    lastValidationMs: fc.nat(100_000),
  });
  fc.assert(
    fc.property(anySync, facts, (sync, now) => {
      const due = upkeepAt(now, sync);
      if (!now.isChanged && now.snapshotMs === undefined) expect(due?.job).not.toBe("compaction");
      const all = [
        sync.compactAfterSnapshot && now.snapshotMs !== undefined ? now.snapshotMs + 5000 : undefined,
        sync.compactIntervalMs > 0 && now.isChanged
          ? now.lastCompactionMs + sync.compactIntervalMs
          : undefined,
        sync.validationIntervalMs > 0 ? now.lastValidationMs + sync.validationIntervalMs : undefined,
      ].filter((at) => at !== undefined);
      expect(due?.atMs).toBe(all.length === 0 ? undefined : Math.min(...all));
    }),
    runs(300),
  );
});

test("back-off: after any failures the next try of what may mend by itself is at most a second away, and each story is told once", () => {
  const errors = fc.constantFrom(
    "STORAGE_UNAVAILABLE" as const,
    "STORAGE_NETWORK" as const,
    "STORAGE_AUTH" as const,
  );
  fc.assert(
    fc.property(
      fc.array(fc.record({ code: fc.option(errors), afterMs: fc.nat(5000) }), { maxLength: 40 }),
      (steps) => {
        const clock = new ManualClock();
        const told: string[] = [];
        const expected: string[] = [];
        const backoff = new Backoff(clock, (news) =>
          told.push(news.kind === "failed" ? `failed ${news.attempts}` : `after ${news.afterMs}`),
        );
        let [attempts, sinceMs, waits] = [0, 0, 0];
        for (const { code, afterMs } of steps) {
          clock.pass(afterMs);
          const nowMs = clock.monotonicMs();
          if (code === null) {
            if (attempts > 0) expected.push(`after ${nowMs - sinceMs}`);
            backoff.succeeded();
            [attempts, waits] = [0, 0];
          } else {
            const error = new WalrustError(code, "away");
            if (attempts === 0) sinceMs = nowMs;
            attempts += 1;
            expected.push(`failed ${attempts}`);
            const wait = backoff.failed(error) - nowMs;
            expect(wait).toBeGreaterThan(0);
            expect(wait).toBeLessThanOrEqual(error.retryable ? 1000 : 15_000);
            if (error.retryable) expect(wait).toBeGreaterThanOrEqual(Math.min(waits, 1000));
            waits = error.retryable ? wait : waits;
          }
          expect(backoff.isTroubled).toBe(attempts > 0);
        }
        expect(told).toEqual(expected);
      },
    ),
    runs(300),
  );
});
