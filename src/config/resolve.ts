import path from "node:path";
import { type ConfigFile, type ConfigLayer, checkLayer } from "./config-file.ts";
import { resolveDatabases } from "./databases.ts";
import { DEFAULT_COMPACTION, DEFAULT_METRICS, DEFAULT_SHADOW_MAX_SIZE_BYTES } from "./defaults.ts";
import { type Environment, type EnvironmentSettings, readEnvironment } from "./environment.ts";
import { type FlagValues, flagLayer } from "./flags.ts";
import { type LoadedConfig, loadConfig } from "./load.ts";
import type {
  CompactionSettings,
  DaemonSettings,
  LogSettings,
  MetricsSettings,
  Settings,
} from "./settings.ts";
import { storageSettings } from "./storage-settings.ts";

export interface ConfigSources {
  readonly flags: FlagValues;
  /** `--config`; without it `./walrust.toml` counts if it is there. */
  readonly configPath?: string;
  /** DATABASES of the command line. */
  readonly paths: readonly string[];
  readonly once?: boolean;
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
  const sources = await readSources(given);
  const { loaded, file, flags } = sources;
  const storage = storageSettings(sources);
  const databases = await resolveDatabases({ loaded, file, flags, paths: given.paths, cwd: given.cwd });
  return deepFreeze({
    storage,
    ...databases,
    daemon: daemonSettings(sources, storage.concurrency),
    compaction: compactionSettings(sources),
    metrics: metricsSettings(sources),
    webhooks: file.webhooks,
    log: logSettings(sources),
  });
}

/** The same without the databases: to restore, nothing of the machine that the file describes has to be there. */
export async function resolveStorageSettings(
  given: Omit<ConfigSources, "paths" | "once" | "exec">,
): Promise<StorageOnlySettings> {
  const sources = await readSources({ ...given, paths: [] });
  return deepFreeze({ storage: storageSettings(sources), log: logSettings(sources) });
}

async function readSources(given: ConfigSources): Promise<CheckedSources> {
  const loaded = await loadConfig(given.configPath, given.cwd);
  const flagSource = flagLayer(given.flags);
  const flags = checkLayer(flagSource);
  const file = checkLayer(loaded);
  return { loaded, file, flagSource, flags, environment: readEnvironment(given.env), given };
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
