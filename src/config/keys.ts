import { duration, oneOf, type Schema, secretText, size, text, truth, wholeNumber } from "./schema.ts";
import {
  type CompactionSettings,
  type LogSettings,
  PROVIDER_NAMES,
  type RetentionSettings,
  type RetrySettings,
  type StorageSettings,
  type SyncSettings,
} from "./settings.ts";

/** One key of walrust.toml: which setting it gives, and what may stand there. */
export type KeyRow<S> = {
  [N in keyof S]-?: { readonly setting: N; readonly schema: Schema<Exclude<S[N], undefined>> };
}[keyof S];

/** The keys of one section, in the order in which they are documented. */
export type KeyTable<S> = Readonly<Record<string, KeyRow<S>>>;

export type AnyKeyTable = Readonly<
  Record<string, { readonly setting: string; readonly schema: Schema<unknown> }>
>;

const MIB = 1024 ** 2;
const TIB = 1024 ** 4;

export const S3_KEYS: KeyTable<Omit<StorageSettings, "retry" | "encryption">> = {
  bucket: { setting: "url", schema: text() },
  endpoint: { setting: "endpoint", schema: text() },
  region: { setting: "region", schema: text() },
  force_path_style: { setting: "forcePathStyle", schema: truth() },
  storage_class: { setting: "storageClass", schema: text() },
  sse: { setting: "sse", schema: oneOf("AES256", "aws:kms") },
  sse_kms_key_id: { setting: "sseKmsKeyId", schema: text() },
  concurrency: { setting: "concurrency", schema: wholeNumber(1, 1024) },
  part_size: { setting: "partSizeBytes", schema: size(5 * MIB, 5 * 1024 * MIB) }, // the limits of S3 itself
  provider: { setting: "provider", schema: oneOf(...PROVIDER_NAMES) },
  layout: { setting: "layout", schema: oneOf("walrust", "litestream") },
};

export const SYNC_KEYS: KeyTable<SyncSettings> = {
  wal_sync_interval: { setting: "walSyncIntervalMs", schema: duration(1) },
  monitor_interval: { setting: "monitorIntervalMs", schema: duration(1) },
  snapshot_interval: { setting: "snapshotIntervalMs", schema: duration() },
  max_changes: { setting: "maxChanges", schema: wholeNumber() },
  max_interval: { setting: "maxIntervalMs", schema: duration() },
  on_idle: { setting: "onIdleMs", schema: duration() },
  on_startup: { setting: "onStartup", schema: truth() },
  checkpoint_interval: { setting: "checkpointIntervalMs", schema: duration() },
  min_checkpoint_page_count: { setting: "minCheckpointPages", schema: wholeNumber() },
  wal_truncate_threshold_pages: { setting: "walTruncateThresholdPages", schema: wholeNumber() },
  validation_interval: { setting: "validationIntervalMs", schema: duration() },
  compact_after_snapshot: { setting: "compactAfterSnapshot", schema: truth() },
  compact_interval: { setting: "compactIntervalMs", schema: duration() },
  manifest_interval: { setting: "manifestIntervalMs", schema: duration() },
  observe: { setting: "observe", schema: truth() },
};

export const RETENTION_KEYS: KeyTable<RetentionSettings> = {
  hourly: { setting: "hourly", schema: wholeNumber() },
  daily: { setting: "daily", schema: wholeNumber() },
  weekly: { setting: "weekly", schema: wholeNumber() },
  monthly: { setting: "monthly", schema: wholeNumber() },
};

export const RETRY_KEYS: KeyTable<RetrySettings> = {
  max_retries: { setting: "maxRetries", schema: wholeNumber(0, 1000) },
  base_delay_ms: { setting: "baseDelayMs", schema: wholeNumber(1) },
  max_delay_ms: { setting: "maxDelayMs", schema: wholeNumber(1) },
  circuit_breaker_enabled: { setting: "circuitBreakerEnabled", schema: truth() },
  circuit_breaker_threshold: { setting: "circuitBreakerThreshold", schema: wholeNumber(1) },
  circuit_breaker_cooldown_ms: { setting: "circuitBreakerCooldownMs", schema: wholeNumber(0) },
};

export interface ShadowFile {
  readonly dir: string;
  readonly maxSizeBytes: number;
}

export const SHADOW_KEYS: KeyTable<ShadowFile> = {
  dir: { setting: "dir", schema: text() },
  max_size: { setting: "maxSizeBytes", schema: size(MIB, 1024 * TIB) },
};

export const LOG_KEYS: KeyTable<LogSettings> = {
  level: { setting: "level", schema: oneOf("error", "warn", "info", "debug", "trace") },
  format: { setting: "format", schema: oneOf("text", "json") },
};

export const COMPACTION_KEYS: KeyTable<CompactionSettings> = {
  fine_window: { setting: "fineWindowMs", schema: duration(1) },
  step: { setting: "stepMs", schema: duration(1) },
};

export interface EncryptionFile {
  readonly keyFile: string;
  readonly keyEnv: string;
}

export const ENCRYPTION_KEYS: KeyTable<EncryptionFile> = {
  key_file: { setting: "keyFile", schema: secretText() }, // the key itself may stand there by mistake
  key_env: { setting: "keyEnv", schema: secretText() },
};

export interface MetricsFile {
  readonly enabled: boolean;
  readonly port: number;
  readonly host: string;
}

export const METRICS_KEYS: KeyTable<MetricsFile> = {
  enabled: { setting: "enabled", schema: truth() },
  port: { setting: "port", schema: wholeNumber(0, 65_535) },
  host: { setting: "host", schema: text() },
};

/** The plain sections by name; [[databases]] and [[webhooks]] are lists and stand in config-file.ts. */
export const SECTION_KEYS = {
  s3: S3_KEYS,
  sync: SYNC_KEYS,
  retention: RETENTION_KEYS,
  retry: RETRY_KEYS,
  shadow: SHADOW_KEYS,
  log: LOG_KEYS,
  compaction: COMPACTION_KEYS,
  encryption: ENCRYPTION_KEYS,
  metrics: METRICS_KEYS,
} as const;

export type SectionName = keyof typeof SECTION_KEYS;
