import type { SyncSettings } from "../config/settings.ts";

export type UpkeepJob = "compaction" | "validation";

/** What was done to one database's copy, and what happened since. Times of the monotonic clock. */
export interface UpkeepFacts {
  /** A file was published since the last compaction that succeeded. */
  readonly isChanged: boolean;
  /** When a snapshot was published that no compaction followed yet. */
  readonly snapshotMs: number | undefined;
  /** Or when it was first looked after. */
  readonly lastCompactionMs: number;
  /** Or when there was first a copy; undefined: there is none yet. */
  readonly lastValidationMs: number | undefined;
}

export interface UpkeepDue {
  readonly job: UpkeepJob;
  readonly atMs: number;
}

type UpkeepSettings = Pick<
  SyncSettings,
  "compactAfterSnapshot" | "compactIntervalMs" | "validationIntervalMs"
>;

/** By then the manifest names a snapshot, too. */
const AFTER_SNAPSHOT_MS = 5000;

/**
 * What is due next; undefined: nothing, however long it takes. A copy to which nothing was added is not
 * compacted: an idle database costs no request. It is validated all the same where somebody asks for that:
 * objects decay by themselves. Pure.
 */
export function upkeepAt(facts: UpkeepFacts, sync: UpkeepSettings): UpkeepDue | undefined {
  const due: UpkeepDue[] = [];
  if (sync.compactAfterSnapshot && facts.snapshotMs !== undefined)
    due.push({ job: "compaction", atMs: facts.snapshotMs + AFTER_SNAPSHOT_MS });
  if (sync.compactIntervalMs > 0 && facts.isChanged)
    due.push({ job: "compaction", atMs: facts.lastCompactionMs + sync.compactIntervalMs });
  if (sync.validationIntervalMs > 0 && facts.lastValidationMs !== undefined)
    due.push({ job: "validation", atMs: facts.lastValidationMs + sync.validationIntervalMs });
  return due.sort((a, b) => a.atMs - b.atMs)[0];
}
