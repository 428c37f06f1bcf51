import type { WalrustError } from "./errors.ts";

/** What the daemon tells the world: to the log, `--json`, webhooks and metrics. Plain facts, no secrets. */
export type WalrustEvent = { readonly database: string } & DatabaseEvent;

export type DatabaseEvent =
  | { readonly type: "opened"; readonly path: string; readonly how: string; readonly txid: bigint }
  | {
      readonly type: "published";
      readonly file: string;
      readonly minTxid: bigint;
      readonly maxTxid: bigint;
      readonly pages: number;
      readonly sizeBytes: number;
      readonly lagMs: number;
    }
  | {
      readonly type: "snapshot";
      readonly file: string;
      readonly txid: bigint;
      readonly sizeBytes: number;
      readonly durationMs: number;
      readonly trigger: SnapshotTrigger;
    }
  | {
      readonly type: "handover";
      readonly how: "optimistic" | "barrier" | "truncate";
      readonly frames: number;
      readonly heldMs: number;
    }
  | { readonly type: "gap_repaired"; readonly reason: string; readonly txid: bigint; readonly pages: number }
  | { readonly type: "sync_failed"; readonly error: WalrustError; readonly attempts: number }
  | { readonly type: "recovered"; readonly afterMs: number }
  | { readonly type: "auth_failure"; readonly error: WalrustError }
  | { readonly type: "circuit_breaker_open"; readonly error: WalrustError }
  | { readonly type: "corruption_detected"; readonly error: WalrustError }
  | { readonly type: "wal_size_exceeded"; readonly pages: number; readonly thresholdPages: number }
  | { readonly type: "shadow_full"; readonly sizeBytes: number; readonly limitBytes: number }
  /** Another writer took the remote database over: this one stops. */
  | { readonly type: "fenced"; readonly error: WalrustError }
  /** Quiet for so long that nothing of it is held open any more; a change brings it back. */
  | { readonly type: "parked"; readonly txid: bigint }
  | {
      readonly type: "compacted";
      readonly keptSnapshots: number;
      readonly mergedFiles: number;
      readonly deletedFiles: number;
      readonly freedBytes: number;
      readonly durationMs: number;
    }
  | {
      readonly type: "validated";
      readonly files: number;
      readonly sizeBytes: number;
      readonly durationMs: number;
    }
  | { readonly type: "validation_failed"; readonly findings: number; readonly error: WalrustError }
  | {
      readonly type: "replica_applied";
      readonly path: string;
      readonly txid: bigint;
      readonly how: "bootstrap" | "incremental";
      readonly files: number;
      /** Age of the state that the replica has now. */
      readonly lagMs: number;
    }
  | { readonly type: "replica_diverged"; readonly path: string; readonly error: WalrustError }
  | { readonly type: "closed"; readonly txid: bigint; readonly unpublished: bigint };

export type SnapshotTrigger =
  | "first"
  | "startup"
  | "interval"
  | "max_changes"
  | "max_interval"
  | "on_idle"
  | "page_size"
  | "lineage"
  | "command";

/** Never throws and never blocks: whoever listens keeps its own queue. */
export type EventSink = (event: WalrustEvent) => void;

/** The types that webhooks tell: what somebody may have to act on (surface.md, "Events"). */
export const WEBHOOK_EVENTS = [
  "sync_failed",
  "auth_failure",
  "corruption_detected",
  "circuit_breaker_open",
  "gap_repaired",
  "fenced",
  "wal_size_exceeded",
  "shadow_full",
  "validation_failed",
  "replica_diverged",
] as const satisfies readonly WalrustEvent["type"][];
