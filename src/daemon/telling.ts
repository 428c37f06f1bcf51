import type { DatabaseEvent, SnapshotTrigger } from "../events.ts";
import type { PublishedFile } from "../replication/publisher.ts";
import type { HandoverNews } from "./handovers.ts";

/** What happened to one database, as the world is told. */

export function publishedEvent(file: PublishedFile, lagMs: number): DatabaseEvent {
  const { key, minTxid, maxTxid, pages, sizeBytes } = file;
  return { type: "published", file: key, minTxid, maxTxid, pages, sizeBytes, lagMs };
}

export function snapshotEvent(
  file: PublishedFile,
  trigger: SnapshotTrigger,
  durationMs: number,
): DatabaseEvent {
  const { key, maxTxid, sizeBytes } = file;
  return { type: "snapshot", file: key, txid: maxTxid, sizeBytes, durationMs, trigger };
}

export function handoverEvent(
  news: Extract<HandoverNews, { readonly kind: "done" | "exceeded" }>,
): DatabaseEvent {
  const { frames } = news;
  if (news.kind === "exceeded")
    return { type: "wal_size_exceeded", pages: frames, thresholdPages: news.limitFrames };
  return { type: "handover", how: news.result.how, frames, heldMs: news.result.heldMs };
}
