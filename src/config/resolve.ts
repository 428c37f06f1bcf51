import path from "node:path";
import { WalrustError } from "../errors.ts";
import { type ConfigFile, type ConfigLayer, checkLayer } from "./config-file.ts";
import type { ResolvedDatabases } from "./databases.ts";
import {
  DEFAULT_COMPACTION,
  DEFAULT_METRICS,
  DEFAULT_RETENTION,
  DEFAULT_SHADOW_MAX_SIZE_BYTES,
} from "./defaults.ts";
import { type Environment, type EnvironmentSettings, readEnvironment } from "./environment.ts";
import { type FlagValues, flagLayer } from "./flags.ts";
import { RETENTION_KEYS, SYNC_KEYS } from "./keys.ts";
import { type LoadedConfig, loadConfig } from "./load.ts";
import { type OverrideSource, overridesOf, type Provenance } from "./provenance.ts";
import { retentionOf } from "./retention.ts";
import type {
  CompactionSettings,
  DaemonSettings,
  LogSettings,
  MetricsSettings,
  RetentionPolicy,
  Settings,
  SyncSettings,
} from "./settings.ts";
import { storageSettings } from "./storage-settings.ts";

export interface ConfigSources {
  readonly flags: FlagValues;
  /** `--config`; without it `./walrust.toml` counts if it is there. */
  readonly configPath?: string;
  /** DATABASES of the command line. */
  readonly paths: readonly string[];
  readonly once?: boolean;
  readonly takeOver?: boolean;
  readonly exec?: string;
  readonly env: Environment;
  readonly cwd: string;
}

/** What a command without databases of its own needs. */
export type StorageOnlySettings = Pick<Settings, "storage" | "log">;

/** Every source, read and checked, but not joined yet. */
interface CheckedSources {
  readonly loaded: LoadedConfig;
  readonly file: ConfigFile;
  readonly flagSource: ConfigLayer;
  readonly flags: ConfigFile;
  readonly environment: EnvironmentSettings;
  readonly given: ConfigSources;
}

/**
 * Flags > environment > walrust.toml > defaults. Opens no database and asks no storage.
 * Errors: CONFIG_INVALID, CONFIG_NOT_FOUND, each with key, file and line.
 */
export async function resolveSettings(given: ConfigSources): Promise<Settings> {
  return joined(await readSources(given));
}

/** The same, and where it comes from. */
export async function resolveWithProvenance(
  given: ConfigSources,
): Promise<{ readonly settings: Settings; readonly provenance: Provenance }> {
  const sources = await readSources(given);
  const settings = await joined(sources);
  const { completeSync } = await import("./databases.ts");
  const sync = completeSync({ ...sources.file.sync, ...sources.flags.sync });
  return { settings, provenance: provenanceOf(sources, settings, sync) };
}

async function joined(sources: CheckedSources): Promise<Settings> {
  const { loaded, file, flags, given } = sources;
  const storage = storageSettings(sources);
  const { resolveDatabases } = await import("./databases.ts");
  const databases = await resolveDatabases({ loaded, file, flags, paths: given.paths, cwd: given.cwd });
  const daemon = daemonSettings(sources, storage.concurrency);
  refuseObserverBeside(databases, daemon);
  return deepFreeze({
    storage,
    ...databases,
    daemon,
    compaction: compactionSettings(sources),
    metrics: metricsSettings(sources),
    webhooks: file.webhooks,
    log: logSettings(sources),
  });
}

/** The same without the databases, nor what finds them: to restore, nothing of the machine that the file describes has to be there. */
export async function resolveStorageSettings(
  given: Omit<ConfigSources, "paths" | "once" | "takeOver" | "exec">,
): Promise<StorageOnlySettings> {
  const sources = await readSources({ ...given, paths: [] });
  return deepFreeze({ storage: storageSettings(sources), log: logSettings(sources) });
}

/** What a compaction of the database with this name in storage needs. Errors: as resolveSettings. */
export async function resolveCompaction(
  given: Omit<ConfigSources, "paths" | "once" | "exec">,
  name: string,
): Promise<StorageOnlySettings & RetentionPolicy> {
  const sources = await readSources({ ...given, paths: [] });
  const { loaded, file, flags } = sources;
  const { expandGlobs, resolveDatabases } = await import("./databases.ts");
  const resolved = await resolveDatabases({ loaded, file, flags, paths: [], cwd: given.cwd });
  const databases = [...resolved.databases, ...(await expandGlobs(resolved))];
  const general = { ...DEFAULT_RETENTION, ...file.retention };
  return deepFreeze({
    storage: storageSettings(sources),
    log: logSettings(sources),
    retention: retentionOf(name, { databases, globs: resolved.globs, general }),
    compaction: compactionSettings(sources),
  });
}

async function readSources(given: ConfigSources): Promise<CheckedSources> {
  const loaded = await loadConfig(given.configPath, given.cwd);
  const flagSource = flagLayer(given.flags);
  const flags = checkLayer(flagSource);
  const file = checkLayer(loaded);
  return { loaded, file, flagSource, flags, environment: readEnvironment(given.env), given };
}

function provenanceOf(
  { loaded, file, flags }: CheckedSources,
  settings: Settings,
  sync: SyncSettings,
): Provenance {
  const retention = { ...DEFAULT_RETENTION, ...file.retention, ...flags.retention };
  const tables = (loaded.value["databases"] ?? []) as readonly Readonly<Record<string, unknown>>[];
  const overrides = file.databases.flatMap((entry, index) => {
    const database = path.resolve(loaded.folder, entry.path);
    const resolved =
      settings.databases.find((named) => named.path === database) ??
      settings.globs.find(({ pattern }) => pattern === database);
    if (resolved === undefined) return []; // not among the DATABASES of the command line
    const source: Pick<OverrideSource, "database" | "given" | "locate"> = {
      database,
      given: Object.keys(tables[index] ?? {}),
      locate: (key) => loaded.locate(["databases", index, key]),
    };
    return [
      ...overridesOf({ ...source, resolved: resolved.sync, common: sync, rows: SYNC_KEYS }),
      ...overridesOf({ ...source, resolved: resolved.retention, common: retention, rows: RETENTION_KEYS }),
    ];
  });
  return { file: loaded.file, sync, retention, overrides };
}

/** Who may only read a database must keep what belongs to it elsewhere. */
function refuseObserverBeside({ databases, globs }: ResolvedDatabases, { shadowDir }: DaemonSettings): void {
  const observed = [...databases, ...globs].find(({ sync }) => sync.observe);
  if (observed === undefined || shadowDir !== undefined) return;
  const what = "path" in observed ? observed.path : observed.pattern;
  throw new WalrustError(
    "CONFIG_INVALID",
    `${what} is only observed, and there is no place for its local state`,
    {
      hint: "Name a folder with --shadow-dir, or dir under [shadow].",
    },
  );
}

function daemonSettings(
  { loaded, file, flags, given }: CheckedSources,
  uploaderConcurrency: number,
): DaemonSettings {
  const shadowDir =
    flags.shadow.dir === undefined
      ? file.shadow.dir && path.resolve(loaded.folder, file.shadow.dir)
      : path.resolve(given.cwd, flags.shadow.dir);
  return {
    uploaderConcurrency,
    shadowMaxSizeBytes:
      flags.shadow.maxSizeBytes ?? file.shadow.maxSizeBytes ?? DEFAULT_SHADOW_MAX_SIZE_BYTES,
    once: given.once ?? false,
    takeOver: given.takeOver ?? false,
    ...(shadowDir === undefined ? {} : { shadowDir }),
    ...(given.exec === undefined ? {} : { exec: given.exec }),
  };
}

function compactionSettings({ file, flags }: CheckedSources): CompactionSettings {
  return { ...DEFAULT_COMPACTION, ...file.compaction, ...flags.compaction };
}

function metricsSettings({ file, flags }: CheckedSources): MetricsSettings | undefined {
  const { enabled = true, ...given } = { ...file.metrics, ...flags.metrics };
  return enabled ? { ...DEFAULT_METRICS, ...given, isPortGiven: given.port !== undefined } : undefined;
}

function logSettings({ file, environment }: CheckedSources): LogSettings {
  const level = environment.logLevel === undefined ? {} : { level: environment.logLevel };
  return { level: "info", format: "text", ...file.log, ...level };
}

function deepFreeze<T>(value: T): T {
  if (typeof value === "object" && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    for (const part of Object.values(value)) deepFreeze(part);
  }
  return value;
}
