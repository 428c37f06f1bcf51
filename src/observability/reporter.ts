import type { Clock } from "../clock.ts";
import type { WalrustError } from "../errors.ts";
import type { EventSink, WalrustEvent } from "../events.ts";
import { stringify } from "../json.ts";
import { eventFacts } from "./event-facts.ts";
import { humanDuration, humanSize } from "./human.ts";
import type { AdjustableLog, Log } from "./log.ts";

/** Events as lines of the log. */
export function logReporter(log: Pick<AdjustableLog, keyof Log | "isEnabled">): EventSink {
  return (event) => {
    const level = levelOf(event);
    if (log.isEnabled(level)) log[level](eventFacts(event), `${event.database}: ${sentence(event)}`);
  };
}

/** Events as lines of `watch --json`: `time`, then eventFacts. */
export function jsonReporter(clock: Clock, write: (line: string) => void): EventSink {
  return (event) =>
    write(`${stringify({ time: new Date(clock.now()).toISOString(), ...eventFacts(event) })}\n`);
}

function levelOf(event: WalrustEvent): keyof Log {
  switch (event.type) {
    case "handover":
      return "trace";
    case "published":
    case "parked":
      return "debug";
    case "replica_applied":
      return event.how === "bootstrap" ? "info" : "debug";
    case "opened":
    case "snapshot":
    case "recovered":
    case "compacted":
    case "validated":
      return "info";
    case "gap_repaired":
    case "wal_size_exceeded":
    case "circuit_breaker_open":
    case "replica_diverged":
      return "warn";
    case "closed":
      return event.unpublished > 0n ? "error" : "info";
    case "sync_failed":
    case "auth_failure":
    case "corruption_detected":
    case "shadow_full":
    case "fenced":
    case "validation_failed":
      return "error";
    default:
      return event satisfies never;
  }
}

function sentence(event: WalrustEvent): string {
  switch (event.type) {
    case "opened":
      return `watching ${event.path} from TXID ${event.txid} (${event.how})`;
    case "published":
      return `published TXID ${range(event)}: ${event.pages} pages, ${humanSize(event.sizeBytes)}, ${humanDuration(event.lagMs)} behind`;
    case "snapshot":
      return `snapshot at TXID ${event.txid}: ${humanSize(event.sizeBytes)} in ${humanDuration(event.durationMs)} (${event.trigger})`;
    case "handover":
      return `handover (${event.how}) after ${event.frames} frames`;
    case "gap_repaired":
      return `gap repaired at TXID ${event.txid}: ${event.pages} pages (${event.reason})`;
    case "sync_failed":
      return `sync failed, attempt ${event.attempts}: ${errorText(event.error)}`;
    case "recovered":
      return `in sync again after ${humanDuration(event.afterMs)}`;
    case "auth_failure":
      return `storage refuses the credentials: ${errorText(event.error)}`;
    case "circuit_breaker_open":
      return `storage is left alone for a while: ${errorText(event.error)}`;
    case "corruption_detected":
      return `corruption: ${errorText(event.error)}`;
    case "wal_size_exceeded":
      return `the log has ${event.pages} pages, more than ${event.thresholdPages}`;
    case "shadow_full":
      return `the shadow WAL is full (${humanSize(event.sizeBytes)} of ${humanSize(event.limitBytes)}): history pauses until storage returns`;
    case "fenced":
      return `fenced, nothing is published any more: ${errorText(event.error)}`;
    case "parked":
      return `parked at TXID ${event.txid}: nothing of it is held open until it changes`;
    case "compacted":
      return `compacted in ${humanDuration(event.durationMs)}: ${event.keptSnapshots} snapshots stay, ${event.mergedFiles} files merged, ${event.deletedFiles} deleted, ${humanSize(event.freedBytes)} freed`;
    case "validated":
      return `validated in ${humanDuration(event.durationMs)}: ${event.files} files, ${humanSize(event.sizeBytes)}, all sound`;
    case "validation_failed":
      return `validation found ${event.findings} ${event.findings === 1 ? "defect" : "defects"}: ${errorText(event.error)}`;
    case "replica_applied":
      return `${event.path} is at TXID ${event.txid} (${event.how}, ${event.files} ${event.files === 1 ? "file" : "files"}), ${humanDuration(event.lagMs)} behind`;
    case "replica_diverged":
      return `${event.path} diverged and is copied anew: ${errorText(event.error)}`;
    case "closed":
      return event.unpublished > 0n
        ? `stopped at TXID ${event.txid} with ${event.unpublished} commits unpublished`
        : `stopped at TXID ${event.txid}, all published`;
    default:
      return event satisfies never;
  }
}

function range(event: { readonly minTxid: bigint; readonly maxTxid: bigint }): string {
  return event.minTxid === event.maxTxid ? `${event.maxTxid}` : `${event.minTxid}-${event.maxTxid}`;
}

function errorText(error: WalrustError): string {
  return error.hint === undefined ? error.message : `${error.message} (${error.hint})`;
}
