import type { WalrustError } from "./errors.ts";

/** What the daemon tells the world: to the log, `watch --json`, and later webhooks and metrics. Plain facts, no secrets. */
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
