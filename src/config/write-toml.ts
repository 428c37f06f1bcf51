import {
  type AnyKeyTable,
  ENCRYPTION_KEYS,
  type EncryptionFile,
  RETRY_KEYS,
  S3_KEYS,
  SYNC_KEYS,
} from "./keys.ts";
import type { StorageOptions } from "./library-settings.ts";
import type { EncryptionSettings, SyncSettings } from "./settings.ts";

export interface WatchedDatabase {
  /** A path, or a pattern. */
  readonly path: string;
  readonly prefix?: string;
}

export interface WatchConfig {
  readonly url: string;
  readonly storage: StorageOptions;
  readonly sync: Partial<SyncSettings>;
  readonly databases: readonly WatchedDatabase[];
}

/** A walrust.toml that says the same: how a program hands its settings to the daemon that it starts. */
export function writeToml({ url, storage, sync, databases }: WatchConfig): string {
  const { retry = {}, encryption, ...s3 } = storage;
  return [
    "[s3]",
    ...lines(S3_KEYS, { ...s3, url }),
    "[sync]",
    ...lines(SYNC_KEYS, sync),
    "[retry]",
    ...lines(RETRY_KEYS, retry),
    ...(encryption === undefined
      ? []
      : ["[encryption]", ...lines(ENCRYPTION_KEYS, encryptionFile(encryption))]),
    ...databases.flatMap(({ path, prefix }) => [
      "[[databases]]",
      `path = ${tomlText(path)}`,
      ...(prefix === undefined ? [] : [`prefix = ${tomlText(prefix)}`]),
    ]),
    "",
  ].join("\n");
}

function encryptionFile(encryption: EncryptionSettings): Partial<EncryptionFile> {
  return encryption.kind === "env" ? { keyEnv: encryption.variable } : { keyFile: encryption.path };
}

function lines(rows: AnyKeyTable, settings: object): readonly string[] {
  const values = new Map(Object.entries(settings));
  return Object.entries(rows).flatMap(([key, { setting }]) => {
    const value = values.get(setting);
    return value === undefined ? [] : [`${key} = ${tomlValue(key, setting, value)}`];
  });
}

/** Settings have durations in milliseconds; a bare number in the file would be seconds, but for keys that say `_ms`. */
function tomlValue(key: string, setting: string, value: unknown): string {
  if (typeof value === "string") return tomlText(value);
  return setting.endsWith("Ms") && !key.endsWith("_ms") ? `"${value}ms"` : String(value);
}

/** JSON's escapes are TOML's, but for DEL, which TOML wants escaped too. */
function tomlText(text: string): string {
  return JSON.stringify(text).replaceAll("\u007f", "\\u007f");
}
