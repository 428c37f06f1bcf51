import { readFile } from "node:fs/promises";
import { configPath } from "../config/load.ts";
import { reloaded } from "../config/reload.ts";
import { type ConfigSources, resolveSettings } from "../config/resolve.ts";
import type { Settings } from "../config/settings.ts";
import type { ConfigSource } from "../daemon/config-follower.ts";
import { WalrustError } from "../errors.ts";
import type { AdjustableLog } from "../observability/log.ts";

/** The settings of a watch at its start, and the way to those that come later. */
export interface WatchConfig {
  readonly given: ConfigSources;
  readonly settings: Settings;
  /** What the file said when the settings were read. */
  readonly text: string | undefined;
}

/** Errors: CONFIG_*; USAGE when there is nothing to watch. */
export async function readWatchConfig(given: ConfigSources): Promise<WatchConfig> {
  // before the settings: if it changes in between, the change is seen later
  const text = await readFile(configPath(given.configPath, given.cwd), "utf8").catch(() => undefined);
  return { given, settings: await resolveWatched(given), text };
}

/** Takes up what the file says later: flags and environment still win, and what cannot change while it runs is said. */
export function configSource(
  { given, settings: start, text }: WatchConfig,
  options: { readonly log: AdjustableLog; readonly onAsked: ConfigSource["onAsked"] },
): ConfigSource {
  const { log, onAsked } = options;
  return {
    path: configPath(given.configPath, given.cwd),
    text,
    onAsked,
    read: () => resolveWatched(given),
    take: (next) => {
      const { settings, waiting } = reloaded(start, next);
      if (waiting.length > 0)
        log.warn({}, `${waiting.join(", ")} changed: that takes effect when walrust is started again`);
      log.setLevel(settings.log.level);
      return settings;
    },
  };
}

async function resolveWatched(given: ConfigSources): Promise<Settings> {
  const settings = await resolveSettings(given);
  if (settings.databases.length + settings.globs.length > 0) return settings;
  throw new WalrustError("USAGE", "watch: there is no database to watch", {
    hint: "Name them on the command line, or under [[databases]] in walrust.toml.",
  });
}
