import type { WalrustEvent } from "../events.ts";
import { errorFacts } from "./error-facts.ts";

/**
 * An event as machines get it: `type`, `database`, then the facts of its type in snake_case. The keys and their order are
 * stable: users parse them. Sizes are bytes, `*_ms` milliseconds, `time` RFC 3339, TXIDs integers of up to 64 bits.
 */
export function eventFacts(event: WalrustEvent): Readonly<Record<string, unknown>> {
  return { type: event.type, database: event.database, ...ownFacts(event) };
}

function ownFacts(event: WalrustEvent): Readonly<Record<string, unknown>> {
  switch (event.type) {
    case "opened":
      return { path: event.path, how: event.how, txid: event.txid };
    case "published":
      return {
        file: event.file,
        min_txid: event.minTxid,
        max_txid: event.maxTxid,
        pages: event.pages,
        size: event.sizeBytes,
        lag_ms: Math.round(event.lagMs),
      };
    case "snapshot":
      return {
        file: event.file,
        txid: event.txid,
        size: event.sizeBytes,
        duration_ms: Math.round(event.durationMs),
        trigger: event.trigger,
      };
    case "handover":
      return { how: event.how, frames: event.frames, held_ms: Math.round(event.heldMs * 1000) / 1000 };
    case "gap_repaired":
      return { reason: event.reason, txid: event.txid, pages: event.pages };
    case "sync_failed":
      return { attempts: event.attempts, error: errorFacts(event.error) };
    case "auth_failure":
    case "circuit_breaker_open":
    case "corruption_detected":
    case "fenced":
      return { error: errorFacts(event.error) };
    case "recovered":
      return { after_ms: Math.round(event.afterMs) };
    case "wal_size_exceeded":
      return { pages: event.pages, threshold_pages: event.thresholdPages };
    case "shadow_full":
      return { size: event.sizeBytes, limit: event.limitBytes };
    case "parked":
      return { txid: event.txid };
    case "compacted":
      return {
        kept_snapshots: event.keptSnapshots,
        merged_files: event.mergedFiles,
        deleted_files: event.deletedFiles,
        freed: event.freedBytes,
        duration_ms: Math.round(event.durationMs),
      };
    case "validated":
      return { files: event.files, size: event.sizeBytes, duration_ms: Math.round(event.durationMs) };
    case "validation_failed":
      return { findings: event.findings, error: errorFacts(event.error) };
    case "replica_applied":
      return {
        path: event.path,
        txid: event.txid,
        how: event.how,
        files: event.files,
        lag_ms: Math.round(event.lagMs),
      };
    case "replica_diverged":
      return { path: event.path, error: errorFacts(event.error) };
    case "closed":
      return { txid: event.txid, unpublished: event.unpublished };
    default:
      return event satisfies never;
  }
}
