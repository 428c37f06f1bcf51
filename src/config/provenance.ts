import { isDeepStrictEqual } from "node:util";
import type { Location } from "./config-file.ts";
import type { RetentionSettings, SyncSettings } from "./settings.ts";

/** A key that [[databases]] says otherwise than [sync] or [retention]. */
export interface Override {
  /** Absolute path or pattern of the database. */
  readonly database: string;
  readonly key: string;
  /** The setting that it gives: `walSyncIntervalMs` for `wal_sync_interval`. */
  readonly setting: string;
  /** In the units of the setting. */
  readonly value: string | number | boolean;
  /** What databases get that say nothing of their own. */
  readonly common: string | number | boolean;
  /** `walrust.toml:12: databases.wal_sync_interval` */
  readonly location: Location;
}

/** Where settings come from, beside what they are. */
export interface Provenance {
  /** The file, absolute; undefined: there is none. */
  readonly file: string | undefined;
  readonly sync: SyncSettings;
  readonly retention: RetentionSettings;
  readonly overrides: readonly Override[];
}

export interface OverrideSource {
  readonly database: string;
  /** Keys as the file has them. */
  readonly given: readonly string[];
  /** What the database gets in the end. */
  readonly resolved: SyncSettings | RetentionSettings;
  readonly common: SyncSettings | RetentionSettings;
  readonly rows: Readonly<Record<string, { readonly setting: string }>>;
  locate(key: string): Location;
}

/** The keys of one database that make a difference: neither those that say the same, nor those that a flag wins over. */
export function overridesOf({
  database,
  given,
  resolved,
  common,
  rows,
  locate,
}: OverrideSource): readonly Override[] {
  const values = new Map(Object.entries(resolved));
  const commonValues = new Map(Object.entries(common));
  return given.flatMap((key) => {
    const setting = rows[key]?.setting;
    if (setting === undefined) return [];
    const [value, commonValue] = [values.get(setting), commonValues.get(setting)];
    if (isDeepStrictEqual(value, commonValue)) return [];
    return [{ database, key, setting, value, common: commonValue, location: locate(key) }];
  });
}
