import type { ReplicaStatus } from "../../follow/follower.ts";
import { humanDuration } from "../../observability/human.ts";
import { timeText } from "../times.ts";

/** The last line of `replicate --once --json`. The keys are stable: users parse them. */
export function replicaDocument(name: string, status: ReplicaStatus) {
  return {
    name,
    path: status.path,
    txid: status.txid ?? null,
    head_txid: status.headTxid ?? null,
    timestamp: timeText(status.timestampMs) ?? null,
    lag_ms: status.lagMs === undefined ? null : Math.round(status.lagMs),
  };
}

export function replicaText(name: string, { path, txid, lagMs }: ReplicaStatus): string {
  const age = lagMs === undefined ? "" : `, as it was ${humanDuration(lagMs)} ago`;
  return `${path} is ${name} at TXID ${txid}${age}`;
}
