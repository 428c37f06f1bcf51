import type { ConfigLayer, Location } from "./config-file.ts";
import { type AnyKeyTable, SECTION_KEYS, type SectionName } from "./keys.ts";
import { accepts } from "./schema.ts";
import type { KeyPath } from "./toml.ts";

/** The flags that were given, by section and key of walrust.toml; undefined = not given. */
export type FlagValues = {
  readonly [S in SectionName]?: Readonly<Record<string, string | boolean | undefined>>;
};

/** Flags whose name is not that of their key. */
const FLAG_NAMES: ReadonlyMap<string, string> = new Map([
  ["s3.concurrency", "--uploader-concurrency"],
  ["sync.min_checkpoint_page_count", "--min-checkpoint-pages"],
  ["sync.wal_truncate_threshold_pages", "--wal-truncate-threshold"],
  ["retry.circuit_breaker_enabled", "--no-circuit-breaker"],
  ["retention.hourly", "--retain-hourly"],
  ["retention.daily", "--retain-daily"],
  ["retention.weekly", "--retain-weekly"],
  ["retention.monthly", "--retain-monthly"],
  ["metrics.port", "--metrics-port"],
  ["metrics.enabled", "--no-metrics"],
  ["shadow.dir", "--shadow-dir"],
  ["shadow.max_size", "--shadow-max-size"],
]);

/** Flags in the shape of the file, so that one set of checks serves both. */
export function flagLayer(flags: FlagValues): ConfigLayer {
  const sections = Object.entries(flags).map(([name, values]) => {
    const rows: AnyKeyTable = SECTION_KEYS[name as SectionName];
    const given = Object.entries(values ?? {}).filter(([, value]) => value !== undefined);
    return [name, Object.fromEntries(given.map(([key, value]) => [key, typed(rows, key, value)]))];
  });
  return { value: Object.fromEntries(sections), locate: locateFlag };
}

/** A flag is always text; where its key wants a number, digits are one. */
function typed(rows: AnyKeyTable, key: string, value: string | boolean | undefined): unknown {
  const schema = rows[key]?.schema;
  if (typeof value !== "string" || schema === undefined || accepts(schema, value)) return value;
  return /^\d+$/.test(value) ? Number(value) : value;
}

function locateFlag(path: KeyPath): Location {
  const key = path.join(".");
  const flag = FLAG_NAMES.get(key) ?? `--${String(path.at(-1)).replaceAll("_", "-")}`;
  return { text: flag, details: { flag } };
}
