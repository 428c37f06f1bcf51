import type { SyncSettings } from "../config/settings.ts";
import type { SnapshotTrigger } from "../events.ts";

/**
 * When what is due, for one database: pure functions of a few times. All times are milliseconds of the monotonic clock; undefined stands for never.
 */
type Due = number | undefined;

/** Infinity: never. */
export function soonest(...times: readonly Due[]): number {
  let earliest = Number.POSITIVE_INFINITY;
  for (const atMs of times) if (atMs !== undefined && atMs < earliest) earliest = atMs;
  return earliest;
}

/**
 * How often a database is looked at that was written to lately: whoever writes now and then is found by looks, since the watcher's hints come up to
 * 500 ms late while anything else in the folder is written to. The looks grow rare as the quiet grows long: a commit waits for a small part of it.
 */
const ACTIVE_POLL_MS = 40;
const PART_OF_QUIET = 1 / 25;
/** The same behind a writer at such a speed that its log must not grow unseen, and where storage keeps what is pending waiting. */
const BUSY_POLL_MS = 100;
/** Within a long sync interval, so that a log that begins to grow is seen. */
const WITHIN_INTERVAL_POLL_MS = 1000;
/** A quiet database's log is handed over after so long: its pin then rests at mark 0, where no checkpoint of the application waits for it. */
const QUIET_MS = 3000;
/** The least distance between two handovers, as each costs the writer a checkpoint; a log of so many times its least length does not wait for it. */
const HANDOVER_DISTANCE_MS = 1000;
const HANDOVER_AT_ONCE = 32;

export interface PollFacts {
  readonly lastPollMs: number;
  readonly lastCommitMs: number;
  readonly lastPublishMs: number;
  /** Something waits for its publication. */
  readonly isPending: boolean;
  /** See Pace. */
  readonly isBusy: boolean;
}

/** Until the sync interval is over nothing can be published: what is committed meanwhile is found at its end. */
export function pollAt(facts: PollFacts, sync: SyncSettings): number {
  const { lastPollMs, lastCommitMs, lastPublishMs, isPending, isBusy } = facts;
  const latestMs = lastPollMs + sync.monitorIntervalMs;
  const afterQuietMs = (lastPollMs - lastCommitMs) * PART_OF_QUIET;
  if (!(afterQuietMs < sync.monitorIntervalMs)) return latestMs; // also before the first look
  const oftenMs = lastPollMs + (isPending || isBusy ? BUSY_POLL_MS : Math.max(ACTIVE_POLL_MS, afterQuietMs));
  const publishableMs = isBusy ? lastPollMs : lastPublishMs + sync.walSyncIntervalMs;
  return Math.min(Math.max(oftenMs, publishableMs), lastPollMs + WITHIN_INTERVAL_POLL_MS, latestMs);
}

/** Whether the next look comes too late for a database that was written to now; of no use is a hint where nothing can be published before that look. */
export function isHintOfUse(facts: PollFacts, sync: SyncSettings): boolean {
  return pollAt(facts, sync) > facts.lastPublishMs + sync.walSyncIntervalMs;
}

export interface PublishFacts {
  readonly isPending: boolean;
  readonly lastPublishMs: number;
  /** Not before, after a failure. */
  readonly retryAtMs: number;
}

/** On the leading edge: at once after a quiet interval, else when the interval is over. */
export function publishAt(facts: PublishFacts, sync: SyncSettings): Due {
  if (!facts.isPending) return undefined;
  return Math.max(facts.lastPublishMs + sync.walSyncIntervalMs, facts.retryAtMs);
}

export interface HandoverFacts {
  /** Frames captured since the log was last free to begin anew. */
  readonly frames: number;
  readonly lastHandoverMs: number;
  readonly lastCommitMs: number;
  /** Not before, after a try that found SQLite busy. */
  readonly retryAtMs: number;
}

export interface HandoverDue {
  readonly atMs: number;
  /** The write lock may be taken where a writer never pauses. */
  readonly barrier: boolean;
}

/** After some quiet, by the interval, and sooner when the log grows. */
export function handoverAt(facts: HandoverFacts, sync: SyncSettings): HandoverDue | undefined {
  if (facts.frames === 0) return undefined;
  const isLong = facts.frames >= sync.minCheckpointPages;
  const distanceMs = facts.frames >= HANDOVER_AT_ONCE * sync.minCheckpointPages ? 0 : HANDOVER_DISTANCE_MS;
  const grown = isLong ? facts.lastHandoverMs + distanceMs : Number.POSITIVE_INFINITY;
  const byInterval =
    sync.checkpointIntervalMs > 0
      ? facts.lastHandoverMs + sync.checkpointIntervalMs
      : Number.POSITIVE_INFINITY;
  const needed = Math.min(grown, byInterval);
  const quiet = facts.lastCommitMs + QUIET_MS;
  return { atMs: Math.max(Math.min(needed, quiet), facts.retryAtMs), barrier: needed <= quiet };
}

export interface SnapshotFacts {
  /** Commits captured since the last snapshot. */
  readonly changes: bigint;
  /** When the first of them came. */
  readonly firstChangeMs: number;
  readonly lastCommitMs: number;
  readonly lastSnapshotMs: number;
  /** Not before, after a failure. */
  readonly retryAtMs: number;
}

export interface SnapshotDue {
  readonly atMs: number;
  readonly trigger: SnapshotTrigger;
}

/** The earliest trigger; without changes none is needed. Asked in each round of each database: it makes nothing but the answer. */
export function snapshotAt(facts: SnapshotFacts, sync: SyncSettings): SnapshotDue | undefined {
  if (facts.changes === 0n) return undefined;
  let trigger: SnapshotTrigger = "max_changes";
  let atMs = Number.POSITIVE_INFINITY;
  if (sync.maxChanges > 0 && facts.changes >= BigInt(sync.maxChanges)) atMs = facts.retryAtMs;
  const intervalMs = after(facts.lastSnapshotMs, sync.snapshotIntervalMs);
  if (intervalMs < atMs) [atMs, trigger] = [intervalMs, "interval"];
  const maxIntervalMs = after(facts.firstChangeMs, sync.maxIntervalMs);
  if (maxIntervalMs < atMs) [atMs, trigger] = [maxIntervalMs, "max_interval"];
  const onIdleMs = after(facts.lastCommitMs, sync.onIdleMs);
  if (onIdleMs < atMs) [atMs, trigger] = [onIdleMs, "on_idle"];
  return atMs === Number.POSITIVE_INFINITY ? undefined : { atMs: Math.max(atMs, facts.retryAtMs), trigger };
}

/** 0 switches a trigger off. */
function after(sinceMs: number, intervalMs: number): number {
  return intervalMs > 0 ? sinceMs + intervalMs : Number.POSITIVE_INFINITY;
}
