/** Settings after flags, environment, walrust.toml and defaults were joined: complete, checked, immutable. Units are last in names. */

export interface Settings {
  readonly storage: StorageSettings;
  readonly databases: readonly DatabaseSettings[];
  /** Patterns of [[databases]] and arguments that contain a glob: files that appear later are picked up. */
  readonly globs: readonly GlobSettings[];
  readonly daemon: DaemonSettings;
  readonly compaction: CompactionSettings;
  /** Undefined: no metrics server. */
  readonly metrics: MetricsSettings | undefined;
  readonly webhooks: readonly WebhookSettings[];
  readonly log: LogSettings;
}

export interface StorageSettings {
  /** `name`, `s3://bucket/prefix` or `file:///folder` */
  readonly url: string;
  readonly endpoint?: string;
  readonly region: string;
  /** Undefined: decided by the endpoint. */
  readonly forcePathStyle?: boolean;
  readonly storageClass?: string;
  readonly sse?: "AES256" | "aws:kms";
  readonly sseKmsKeyId?: string;
  /** Whose quirks to expect. Undefined: decided by the endpoint. */
  readonly provider?: ProviderName;
  /** Which layout new copies are written in; both are read wherever they are found. */
  readonly layout: "walrust" | "litestream";
  /** Undefined: objects are stored as they are. */
  readonly encryption?: EncryptionSettings;
  /** Requests at once. */
  readonly concurrency: number;
  readonly partSizeBytes: number;
  readonly retry: RetrySettings;
}

export type ProviderName = (typeof PROVIDER_NAMES)[number];

export const PROVIDER_NAMES = [
  "aws",
  "tigris",
  "r2",
  "minio",
  "b2",
  "spaces",
  "wasabi",
  "seaweedfs",
  "garage",
  "other",
] as const;

/** Where the key is; the key itself is read when the storage is opened, and is in no setting. */
export type EncryptionSettings =
  | { readonly kind: "file"; readonly path: string }
  | { readonly kind: "env"; readonly variable: string };

export interface RetrySettings {
  readonly maxRetries: number;
  readonly baseDelayMs: number;
  readonly maxDelayMs: number;
  readonly circuitBreakerEnabled: boolean;
  /** Failures in a row that open the breaker. */
  readonly circuitBreakerThreshold: number;
  readonly circuitBreakerCooldownMs: number;
}

export interface DatabaseSettings {
  /** Absolute path of the database file. */
  readonly path: string;
  /** Key prefix in storage, `/`-joined, without slashes at its ends. Unique over all databases. */
  readonly name: string;
  readonly sync: SyncSettings;
  readonly retention: RetentionSettings;
}

export interface GlobSettings {
  readonly pattern: string;
  readonly exclude: readonly string[];
  /** Each match gets `prefix/stem`; without one, `stem`. */
  readonly prefix?: string;
  readonly sync: SyncSettings;
  readonly retention: RetentionSettings;
}

export interface SyncSettings {
  /** The least distance between two publications. */
  readonly walSyncIntervalMs: number;
  /** The poll floor. */
  readonly monitorIntervalMs: number;
  /** 0 = off, for each trigger of a snapshot. */
  readonly snapshotIntervalMs: number;
  /** Commits since the last snapshot that call for the next. */
  readonly maxChanges: number;
  /** With changes: a snapshot at the latest after this long, whatever snapshotInterval says. */
  readonly maxIntervalMs: number;
  /** A snapshot once a database with changes was quiet for this long. */
  readonly onIdleMs: number;
  readonly onStartup: boolean;
  readonly checkpointIntervalMs: number;
  readonly minCheckpointPages: number;
  /** A longer log is cut as soon as its writer pauses. 0 = off. */
  readonly walTruncateThresholdPages: number;
  readonly validationIntervalMs: number;
  readonly compactAfterSnapshot: boolean;
  readonly compactIntervalMs: number;
  readonly manifestIntervalMs: number;
  /** Only read: neither lock, barrier nor checkpoint, and nothing beside the database. */
  readonly observe: boolean;
}

export interface RetentionSettings {
  readonly hourly: number;
  readonly daily: number;
  readonly weekly: number;
  readonly monthly: number;
}

export interface DaemonSettings {
  readonly uploaderConcurrency: number;
  /** Undefined: beside each database. */
  readonly shadowDir?: string;
  readonly shadowMaxSizeBytes: number;
  /** Everything synced once, then exit. */
  readonly once: boolean;
  /** Become the writer of backups that another machine took over from this one. */
  readonly takeOver: boolean;
  /** The application to run under the daemon, through the shell. */
  readonly exec?: string;
}

/** What becomes of incrementals when they grow old. */
export interface CompactionSettings {
  /** Younger ones stay as they were published. */
  readonly fineWindowMs: number;
  /** Older ones are merged into one file for each step of time. */
  readonly stepMs: number;
}

/** What stays of one database's copy. */
export interface RetentionPolicy {
  readonly retention: RetentionSettings;
  readonly compaction: CompactionSettings;
}

export interface MetricsSettings {
  readonly host: string;
  readonly port: number;
  /** Somebody chose the port: it must be free. */
  readonly isPortGiven: boolean;
}

export interface WebhookSettings {
  readonly url: string;
  /** Types of events; empty: all that webhooks tell. */
  readonly events: readonly string[];
  readonly secret?: string;
}

export interface LogSettings {
  readonly level: "error" | "warn" | "info" | "debug" | "trace";
  readonly format: "text" | "json";
}
