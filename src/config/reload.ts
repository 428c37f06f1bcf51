import { isDeepStrictEqual } from "node:util";
import { type AnyKeyTable, ENCRYPTION_KEYS, METRICS_KEYS, RETRY_KEYS, S3_KEYS } from "./keys.ts";
import type { Settings } from "./settings.ts";

export interface Reloaded {
  /** The new ones where they can be taken up by a running daemon, those of its start elsewhere. */
  readonly settings: Settings;
  /** Keys that say something new which takes effect only at the next start, as walrust.toml has them. */
  readonly waiting: readonly string[];
}

/**
 * What a running daemon takes up of its new settings: databases and all that is said of each, compaction, webhooks, the log's level. Storage,
 * encryption, local state and the metrics' address are held by what is open, and stay.
 *
 * @param start the settings that it was started with
 */
export function reloaded(start: Settings, next: Settings): Reloaded {
  const { storage, daemon, metrics } = start;
  return {
    settings: { ...next, storage, daemon, metrics, log: { ...start.log, level: next.log.level } },
    waiting: [
      ...changedKeys("s3", S3_KEYS, storage, next.storage),
      ...changedKeys("retry", RETRY_KEYS, storage.retry, next.storage.retry),
      ...(isDeepStrictEqual(storage.encryption, next.storage.encryption)
        ? []
        : [`encryption.${Object.keys(ENCRYPTION_KEYS).join("/")}`]),
      ...(daemon.shadowDir === next.daemon.shadowDir ? [] : ["shadow.dir"]),
      ...(daemon.shadowMaxSizeBytes === next.daemon.shadowMaxSizeBytes ? [] : ["shadow.max_size"]),
      ...changedMetrics(metrics, next.metrics),
      ...(start.log.format === next.log.format ? [] : ["log.format"]),
    ],
  };
}

function changedMetrics(before: Settings["metrics"], next: Settings["metrics"]): readonly string[] {
  if (before === undefined || next === undefined) return before === next ? [] : ["metrics.enabled"];
  return changedKeys("metrics", METRICS_KEYS, before, next);
}

function changedKeys(section: string, rows: AnyKeyTable, before: object, next: object): readonly string[] {
  const [left, right] = [new Map(Object.entries(before)), new Map(Object.entries(next))];
  return Object.entries(rows)
    .filter(([, { setting }]) => left.get(setting) !== right.get(setting))
    .map(([key]) => `${section}.${key}`);
}
