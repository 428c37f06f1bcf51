import type { NewestSnapshot } from "../replication/remote-head.ts";
import type { Replica } from "../replication/replica.ts";
import type { DatabaseLink } from "../sqlite/link.ts";
import type { Snapshots } from "./snapshots.ts";

/** What a database that is served knows of itself. Times of the monotonic clock, if not said otherwise. */
export interface ServingFacts {
  /** What must be done before increments can be published again. */
  readonly duty: "none" | "repair" | "compare" | "snapshot";
  readonly capturedTxid: bigint;
  readonly publishedTxid: bigint | undefined;
  /** When the newest published commit was captured, Unix ms. */
  readonly publishedTimestampMs: number | undefined;
  /** When the oldest commit was captured that storage lacks. */
  readonly unpublishedSinceMs: number | undefined;
  readonly pendingBytes: number;
  readonly walSizeBytes: number | undefined;
  /** When the snapshot under way began. */
  readonly snapshottingSinceMs: number | undefined;
  readonly nextSnapshotMs: number | undefined;
  readonly newestSnapshot: NewestSnapshot | undefined;
}

export function servingFacts(
  { capture, link, published, duty }: Replica,
  snapshots: Snapshots,
  lastCommitMs: number,
): ServingFacts {
  return {
    duty: duty.kind,
    capturedTxid: capture.state.txid,
    publishedTxid: published?.txid,
    publishedTimestampMs: published?.timestampMs,
    unpublishedSinceMs: capture.pending.oldestWaitingSinceMs,
    pendingBytes: capture.pending.bytes,
    walSizeBytes: walSizeOf(link),
    snapshottingSinceMs: snapshots.sinceMs,
    nextSnapshotMs: snapshots.dueAtMs(lastCommitMs),
    newestSnapshot: snapshots.newest,
  };
}

/** Whoever asks must not fail for it: the loop reads the same file, and tells what is wrong with it. */
export function walSizeOf(link: Pick<DatabaseLink, "walSize">): number | undefined {
  try {
    return link.walSize();
  } catch {
    return undefined;
  }
}
