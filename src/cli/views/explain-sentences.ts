import type {
  CompactionSettings,
  RetentionSettings,
  Settings,
  SyncSettings,
  WebhookSettings,
} from "../../config/settings.ts";
import { WEBHOOK_EVENTS } from "../../events.ts";
import { humanDuration } from "../../observability/human.ts";

/* What settings mean, in sentences for people: the sections of `explain`. */

const every = (ms: number) => `every ${humanDuration(ms)}`;

export function snapshotSentences(sync: SyncSettings): readonly string[] {
  const triggers = [
    ...(sync.snapshotIntervalMs > 0 ? [`${every(sync.snapshotIntervalMs)}, if something changed`] : []),
    ...(sync.maxChanges > 0 ? [`after ${sync.maxChanges} commits`] : []),
    ...(sync.maxIntervalMs > 0
      ? [`at the latest ${humanDuration(sync.maxIntervalMs)} after the first change that is in none`]
      : []),
    ...(sync.onIdleMs > 0 ? [`once a changed database was quiet for ${humanDuration(sync.onIdleMs)}`] : []),
  ];
  const first = "one for each database that storage has nothing of";
  const startup =
    sync.snapshotIntervalMs > 0
      ? [
          sync.onStartup
            ? "at the start, if one is overdue"
            : "at the start none: the interval counts from there (on_startup = false)",
        ]
      : [];
  return [first, ...(triggers.length === 0 ? ["no others: every trigger is off"] : triggers), ...startup];
}

export function publishingSentences(sync: SyncSettings): readonly string[] {
  const polled = sync.observe
    ? ["only looked at, from outside: no lock, no checkpoint, nothing beside the database (observe)"]
    : [];
  return [
    `a commit after a quiet moment at once; while they keep coming, one file ${every(sync.walSyncIntervalMs)}`,
    `each database is looked at ${every(sync.monitorIntervalMs)} at least, and when the system tells of a change`,
    sync.manifestIntervalMs > 0
      ? `the manifest soon after a burst of commits, and no more often than ${every(sync.manifestIntervalMs)}`
      : "the manifest soon after each burst of commits",
    ...polled,
  ];
}

export function retentionSentences(retention: RetentionSettings, sync: SyncSettings): readonly string[] {
  const tiers = (["hourly", "daily", "weekly", "monthly"] as const).filter((tier) => retention[tier] > 0);
  const kept = `the newest snapshot, and ${tiers.map((tier) => `${retention[tier]} ${tier}`).join(", ")} ones`;
  return isCompacted(sync)
    ? [`compaction keeps ${kept}`]
    : [
        `nothing is deleted by itself: neither compact_after_snapshot nor compact_interval is set`,
        `\`walrust compact NAME --force\` keeps ${kept}`,
      ];
}

export function compactionSentences(
  { fineWindowMs, stepMs }: CompactionSettings,
  sync: SyncSettings,
): readonly string[] {
  const when = [
    ...(sync.compactAfterSnapshot ? ["after each snapshot"] : []),
    ...(sync.compactIntervalMs > 0 ? [every(sync.compactIntervalMs)] : []),
  ];
  return [
    when.length === 0 ? "only by command" : when.join(", and "),
    `files older than ${humanDuration(fineWindowMs)} are merged, one for each ${humanDuration(stepMs)}: the single commits in between can then no longer be restored`,
  ];
}

export function upkeepSentences(sync: SyncSettings): readonly string[] {
  const pages = (count: number) => `${count.toLocaleString("en")} pages`;
  const checkpoints = [
    ...(sync.checkpointIntervalMs > 0 ? [every(sync.checkpointIntervalMs)] : []),
    `when the log has ${pages(sync.minCheckpointPages)}`,
    "once a database is quiet",
  ];
  const truncation =
    sync.walTruncateThresholdPages > 0
      ? [
          `a log of more than ${pages(sync.walTruncateThresholdPages)} is truncated as soon as its writer pauses`,
        ]
      : [];
  return [
    ...(sync.observe
      ? ["no checkpoints: the database is only observed"]
      : [`checkpoints: ${checkpoints.join(", ")}`, ...truncation]),
    sync.validationIntervalMs > 0
      ? `the whole backup is read and verified ${every(sync.validationIntervalMs)}`
      : "the backup is verified only by command",
  ];
}

export function webhookLine({ url, events, secret }: WebhookSettings): string {
  const told = events.length === 0 ? `all events (${WEBHOOK_EVENTS.join(", ")})` : events.join(", ");
  return `${new URL(url).origin}: ${told}${secret === undefined ? "" : "; signed"}`;
}

export function isCompacted(sync: SyncSettings): boolean {
  return sync.compactAfterSnapshot || sync.compactIntervalMs > 0;
}

export function metricsSentence(metrics: Settings["metrics"]): string {
  return metrics === undefined ? "off" : `http://${metrics.host}:${metrics.port}/metrics`;
}
