import type { KnownCopy } from "../replication/remote-head.ts";
import type { Replica } from "../replication/replica.ts";
import { type Sight, sightOf } from "../sqlite/sight.ts";
import type { Handovers } from "./handovers.ts";
import type { SnapshotMemory, Snapshots } from "./snapshots.ts";

/** What is kept of a parked database (capture.md, "parked"): enough to go on without asking storage, and to see from outside that it changed. */
export interface Rest {
  readonly copy: KnownCopy;
  /** Of the database and its log as they are captured: taken under the pin, when nothing had been written for a while. */
  readonly sight: Sight;
  readonly snapshots: SnapshotMemory;
  readonly lastPublishMs: number;
  readonly lastCommitMs: number;
}

export interface RestFacts {
  readonly replica: Replica;
  readonly handovers: Handovers;
  readonly snapshots: Snapshots;
  readonly lastPublishMs: number;
  readonly lastCommitMs: number;
  /** Unix ms */
  readonly nowMs: number;
  /** Since it was opened, and since the last commit: where the file system's clock is not ours. */
  readonly quietForMs: number;
}

/** How long the files must not have been written to before their times prove anything (sight.ts). */
const SETTLED_MS = 1500;

/**
 * Whether everything is captured, published, backfilled and noted down: then nothing is lost by letting the database go. The sight comes first: what is
 * written behind it is seen in the log's look, or changes the next sight.
 */
export function restOf({
  replica,
  handovers,
  snapshots,
  nowMs,
  quietForMs,
  ...times
}: RestFacts): Rest | undefined {
  const { link, capture, manifest, published } = replica;
  const { newest } = snapshots;
  if (published === undefined || newest === undefined) return undefined;
  const isDone = capture.pending.isEmpty && snapshots.isIdle && !manifest.isDirty && !replica.cursorIsStale;
  if (!isDone || handovers.frames > 0 || !link.atMarkZero) return undefined;
  const sight = sightOf(link.facts.paths.database);
  if (Math.max(nowMs - sight.changedAtMs, quietForMs) < SETTLED_MS) return undefined;
  const index = link.index();
  const isBackfilled = index !== undefined && index.backfilledFrames === index.frames;
  if (!isBackfilled || capture.look().kind !== "idle") return undefined;
  const { lastPublishMs, lastCommitMs } = times;
  return {
    copy: {
      ...{ published, pageSizeBytes: link.facts.pageSizeBytes, newestSnapshot: newest },
      manifestWrittenMs: manifest.lastWrittenMs,
    },
    ...{ sight, snapshots: snapshots.memory, lastPublishMs, lastCommitMs },
  };
}
