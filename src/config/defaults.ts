import type { CompactionSettings, RetentionSettings, RetrySettings, SyncSettings } from "./settings.ts";

const SECOND_MS = 1000;
const MINUTE_MS = 60 * SECOND_MS;
const MIB = 1024 ** 2;

export const DEFAULT_SYNC: SyncSettings = {
  walSyncIntervalMs: SECOND_MS,
  monitorIntervalMs: SECOND_MS, // when nobody sets it, it follows walSyncIntervalMs
  snapshotIntervalMs: 60 * MINUTE_MS,
  maxChanges: 0,
  maxIntervalMs: 0,
  onIdleMs: 0,
  onStartup: true,
  checkpointIntervalMs: MINUTE_MS,
  minCheckpointPages: 1000,
  walTruncateThresholdPages: 121_359,
  validationIntervalMs: 0,
  compactAfterSnapshot: false,
  compactIntervalMs: 0,
  manifestIntervalMs: MINUTE_MS,
  observe: false,
};

export const DEFAULT_RETENTION: RetentionSettings = { hourly: 24, daily: 7, weekly: 12, monthly: 12 };

export const DEFAULT_COMPACTION: CompactionSettings = { fineWindowMs: 60 * MINUTE_MS, stepMs: MINUTE_MS };

export const DEFAULT_METRICS = { host: "127.0.0.1", port: 16_767 } as const;

export const DEFAULT_RETRY: RetrySettings = {
  maxRetries: 5,
  baseDelayMs: 100,
  maxDelayMs: 30_000,
  circuitBreakerEnabled: true,
  circuitBreakerThreshold: 10,
  circuitBreakerCooldownMs: MINUTE_MS,
};

export const DEFAULT_REGION = "us-east-1";
export const DEFAULT_CONCURRENCY = 16;
export const DEFAULT_PART_SIZE_BYTES = 5 * MIB; // the least that S3 takes: an upload holds a few parts in memory
export const DEFAULT_SHADOW_MAX_SIZE_BYTES = 5 * 1024 * MIB;
