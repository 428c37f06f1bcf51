import { existsSync } from "node:fs";
import path from "node:path";
import { keyProblem } from "../storage/key-rules.ts";
import { type ConfigFile, configInvalid, type DatabaseEntry, type Location } from "./config-file.ts";
import { DEFAULT_RETENTION, DEFAULT_SYNC } from "./defaults.ts";
import { expandGlob, isGlob } from "./globs.ts";
import type { LoadedConfig } from "./load.ts";
import { stemOf, trimSlashes } from "./names.ts";
import { LONGEST_TEXT } from "./schema.ts";
import type { DatabaseSettings, GlobSettings, RetentionSettings, SyncSettings } from "./settings.ts";
import { type DatabaseClaim, refuseSharing } from "./sharing.ts";

export interface DatabaseSources {
  readonly loaded: LoadedConfig;
  readonly file: ConfigFile;
  readonly flags: ConfigFile;
  /** DATABASES of the command line. When given, they alone are meant; the file still says how. */
  readonly paths: readonly string[];
  readonly cwd: string;
}

export interface ResolvedDatabases {
  readonly databases: readonly DatabaseSettings[];
  readonly globs: readonly GlobSettings[];
}

interface SharedSources extends DatabaseSources {
  readonly share: Share;
}

/** Returns the same object for all that are equal: thousands of databases have the same settings. */
type Share = <T extends SyncSettings | RetentionSettings>(settings: T) => T;

interface GlobClaim {
  readonly settings: GlobSettings;
  readonly location: Location;
}

/** What the user asked for, and where. */
type Claim = ({ readonly kind: "database" } & DatabaseClaim) | ({ readonly kind: "glob" } & GlobClaim);

/**
 * Which databases, under which names, with which settings. Errors: CONFIG_INVALID for a database named twice, for two with
 * one key prefix (through patterns too, as far as their files exist now), for a prefix that cannot be a key.
 */
export async function resolveDatabases(given: DatabaseSources): Promise<ResolvedDatabases> {
  const sources = { ...given, share: sharing() };
  const { loaded, file, paths } = sources;
  const configured = file.databases.map((entry, index) =>
    claimOf(sources, entry, loaded.folder, loaded.locate(["databases", index, "path"])),
  );
  const claims =
    paths.length === 0
      ? configured
      : await Promise.all(paths.map((argument) => claimArgument(sources, configured, argument)));
  const named = claims.filter((claim) => claim.kind === "database");
  const globs = claims.filter((claim) => claim.kind === "glob");
  const resolved = {
    databases: named.map(({ settings }) => settings),
    globs: globs.map(({ settings }) => settings),
  };
  const matched = await Promise.all(globs.map((claim) => claimMatches(resolved.databases, claim)));
  refuseSharing([...named, ...matched.flat()]);
  return resolved;
}

/** The files that the patterns match now, without those that are named on their own. */
export async function expandGlobs(resolved: ResolvedDatabases): Promise<readonly DatabaseSettings[]> {
  const named = new Set(resolved.databases.map((database) => database.path));
  const found = await Promise.all(resolved.globs.map((glob) => expandGlob(glob)));
  return found.flat().filter((database) => !named.has(database.path));
}

async function claimMatches(
  databases: readonly DatabaseSettings[],
  claim: GlobClaim,
): Promise<readonly DatabaseClaim[]> {
  const found = await expandGlobs({ databases, globs: [claim.settings] });
  return found.map((settings) => ({ settings, location: claim.location }));
}

/** A path that the file knows, by itself or through a pattern, keeps the name and the settings that it has there. */
async function claimArgument(
  sources: SharedSources,
  configured: readonly Claim[],
  argument: string,
): Promise<Claim> {
  const location = { text: argument, details: { argument } };
  const absolute = path.resolve(sources.cwd, argument);
  const same = configured.find((claim) => addressOf(claim) === absolute);
  if (same) return { ...same, location };
  for (const claim of configured) {
    if (claim.kind !== "glob") continue;
    const match = (await expandGlob(claim.settings)).find((database) => database.path === absolute);
    if (match) return { kind: "database", settings: match, location };
  }
  return claimOf(sources, { path: argument, exclude: [], sync: {}, retention: {} }, sources.cwd, location);
}

function addressOf(claim: Claim): string {
  return claim.kind === "glob" ? claim.settings.pattern : claim.settings.path;
}

function claimOf(sources: SharedSources, entry: DatabaseEntry, folder: string, location: Location): Claim {
  const { file, flags, share } = sources;
  const sync = share(completeSync({ ...file.sync, ...entry.sync, ...flags.sync }));
  const retention = share({
    ...DEFAULT_RETENTION,
    ...file.retention,
    ...entry.retention,
    ...flags.retention,
  });
  refuseNoRetention(retention, location);
  const absolute = path.resolve(folder, entry.path);
  if (absolute.length > LONGEST_TEXT)
    throw configInvalid([{ location, message: `the path is longer than ${LONGEST_TEXT} characters` }]);
  const prefix =
    entry.prefix === undefined ? {} : { prefix: checkedName(trimSlashes(entry.prefix), location) };
  if (isGlob(entry.path) && !existsSync(absolute)) {
    const exclude = entry.exclude.map((pattern) =>
      pattern.includes("/") ? path.resolve(folder, pattern) : pattern,
    );
    return { kind: "glob", settings: { pattern: absolute, exclude, ...prefix, sync, retention }, location };
  }
  if (entry.exclude.length > 0) {
    throw configInvalid([{ location, message: "exclude has a meaning only where the path is a pattern" }]);
  }
  const name = checkedName(prefix.prefix ?? stemOf(absolute), location);
  return { kind: "database", settings: { path: absolute, name, sync, retention }, location };
}

function sharing(): Share {
  const known = new Map<string, unknown>();
  return <T>(settings: T) => {
    const text = JSON.stringify(settings);
    if (!known.has(text)) known.set(text, settings);
    return known.get(text) as T; // of the same keys
  };
}

/** The poll floor follows the sync interval unless somebody says otherwise. */
export function completeSync(given: Partial<SyncSettings>): SyncSettings {
  const walSyncIntervalMs = given.walSyncIntervalMs ?? DEFAULT_SYNC.walSyncIntervalMs;
  return { ...DEFAULT_SYNC, monitorIntervalMs: walSyncIntervalMs, ...given };
}

function refuseNoRetention(retention: RetentionSettings, location: Location): void {
  if (Object.values(retention).some((count) => count > 0)) return;
  const message = "retention keeps nothing: one of hourly, daily, weekly, monthly must be more than 0";
  throw configInvalid([{ location, message }]);
}

function checkedName(name: string, location: Location): string {
  const problem = keyProblem(name);
  if (problem === undefined) return name;
  const message = `the key prefix ${JSON.stringify(name)} cannot be used: ${problem}`;
  throw configInvalid([{ location, message }], 'Give the database another prefix = "...".');
}
