import { WalrustError } from "../errors.ts";
import { WEBHOOK_EVENTS } from "../events.ts";
import {
  type AnyKeyTable,
  type EncryptionFile,
  type MetricsFile,
  RETENTION_KEYS,
  SECTION_KEYS,
  type ShadowFile,
  SYNC_KEYS,
} from "./keys.ts";
import { check, httpUrl, listOf, oneOf, type Schema, secretText, table, text, texts } from "./schema.ts";
import type {
  CompactionSettings,
  LogSettings,
  RetentionSettings,
  RetrySettings,
  StorageSettings,
  SyncSettings,
  WebhookSettings,
} from "./settings.ts";
import type { KeyPath } from "./toml.ts";

/** What one source says: walrust.toml, or the flags put into the same shape. */
export interface ConfigLayer {
  readonly value: Readonly<Record<string, unknown>>;
  locate(path: KeyPath): Location;
}

/** Where the user finds a key: `walrust.toml:12: sync.max_changes`, or `--max-changes`. */
export interface Location {
  readonly text: string;
  readonly details: Readonly<Record<string, string | number>>;
}

/** A checked layer, in the units of Settings. What the source does not mention is not there. */
export interface ConfigFile {
  readonly s3: Partial<Omit<StorageSettings, "retry" | "encryption">>;
  readonly sync: Partial<SyncSettings>;
  readonly retention: Partial<RetentionSettings>;
  readonly retry: Partial<RetrySettings>;
  readonly shadow: Partial<ShadowFile>;
  readonly log: Partial<LogSettings>;
  readonly compaction: Partial<CompactionSettings>;
  readonly encryption?: Partial<EncryptionFile>;
  readonly metrics: Partial<MetricsFile>;
  readonly webhooks: readonly WebhookSettings[];
  readonly databases: readonly DatabaseEntry[];
}

export interface DatabaseEntry {
  readonly path: string;
  readonly exclude: readonly string[];
  readonly prefix?: string;
  readonly sync: Partial<SyncSettings>;
  readonly retention: Partial<RetentionSettings>;
}

/** Checks every key and value of a layer. Errors: CONFIG_INVALID with all that is wrong, each with its place. */
export function checkLayer(layer: ConfigLayer): ConfigFile {
  const checked = check(FILE, layer.value);
  if (checked.ok) return checked.value;
  throw configInvalid(
    checked.problems.map(({ path, message }) => ({ location: layer.locate(path), message })),
  );
}

export function configInvalid(
  problems: readonly { readonly location: Location; readonly message: string }[],
  hint?: string,
): WalrustError {
  const lines = problems.map(({ location, message }) => `${location.text}: ${message}`);
  return new WalrustError("CONFIG_INVALID", lines.join("\n"), {
    details: problems[0]?.location.details ?? {},
    ...(hint === undefined ? {} : { hint }),
  });
}

function schemas(rows: AnyKeyTable): Record<string, Schema<unknown>> {
  return Object.fromEntries(Object.entries(rows).map(([key, row]) => [key, row.schema]));
}

/** Checked values under the names of their settings: each row ties the type of its schema to that of its setting. */
function renamed<S>(rows: AnyKeyTable, values: Readonly<Record<string, unknown>>): Partial<S> {
  const present = Object.entries(rows).filter(([key]) => key in values);
  return Object.fromEntries(present.map(([key, row]) => [row.setting, values[key]])) as Partial<S>;
}

function section(rows: AnyKeyTable): Schema<unknown> {
  return table(schemas(rows), [], (values) => renamed(rows, values));
}

const DATABASE: Schema<DatabaseEntry> = table(
  { path: text(), prefix: text(), exclude: texts(), ...schemas(SYNC_KEYS), ...schemas(RETENTION_KEYS) },
  ["path"],
  (values) => ({
    path: values["path"] as string,
    exclude: (values["exclude"] ?? []) as readonly string[],
    ...("prefix" in values ? { prefix: values["prefix"] as string } : {}),
    sync: renamed(SYNC_KEYS, values),
    retention: renamed(RETENTION_KEYS, values),
  }),
);

const WEBHOOK: Schema<WebhookSettings> = table(
  { url: httpUrl(), events: listOf(oneOf(...WEBHOOK_EVENTS), "a list of events"), secret: secretText() },
  ["url"],
  (values) => ({ events: [], ...values }) as unknown as WebhookSettings,
);

const NOTHING: ConfigFile = {
  s3: {},
  sync: {},
  retention: {},
  retry: {},
  shadow: {},
  log: {},
  compaction: {},
  metrics: {},
  webhooks: [],
  databases: [],
};

const FILE: Schema<ConfigFile> = table(
  {
    ...Object.fromEntries(
      Object.entries<AnyKeyTable>(SECTION_KEYS).map(([name, rows]) => [name, section(rows)]),
    ),
    webhooks: listOf(WEBHOOK, "[[webhooks]]"),
    databases: listOf(DATABASE, "[[databases]]"),
  },
  [],
  (values) => ({ ...NOTHING, ...(values as Partial<ConfigFile>) }),
);
