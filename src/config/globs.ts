import path from "node:path";
import { glob, isDynamicPattern } from "tinyglobby";
import { stemOf } from "./names.ts";
import type { DatabaseSettings, GlobSettings } from "./settings.ts";

/** What lies beside a database and is none. */
const COMPANION = /-(wal|shm|journal)$/;

export function isGlob(pattern: string): boolean {
  return isDynamicPattern(pattern);
}

/** The files that match now, ascending by path, each with the settings of its pattern. A folder that is not there matches nothing. */
export async function expandGlob(settings: GlobSettings): Promise<readonly DatabaseSettings[]> {
  const folder = globFolder(settings.pattern);
  const matches = await glob([path.relative(folder, settings.pattern)], {
    cwd: folder,
    absolute: true,
    onlyFiles: true,
    expandDirectories: false,
    ignore: settings.exclude.map((pattern) => excludePattern(pattern, folder)),
  });
  return matches
    .filter((match) => !COMPANION.test(match))
    .sort()
    .map((match) => databaseOf(settings, match));
}

/** The deepest folder that holds every possible match: where new files are looked for. */
export function globFolder(pattern: string): string {
  const segments = pattern.split("/");
  const firstDynamic = segments.findIndex((segment) => isDynamicPattern(segment));
  return segments.slice(0, firstDynamic < 0 ? -1 : firstDynamic).join("/") || "/";
}

/** Without a slash it means the file's name, anywhere; with one it is a path like the pattern itself. */
function excludePattern(pattern: string, folder: string): string {
  return pattern.includes("/") ? path.relative(folder, pattern) : `**/${pattern}`;
}

function databaseOf(settings: GlobSettings, match: string): DatabaseSettings {
  const { prefix, sync, retention } = settings;
  const stem = stemOf(match);
  return { path: match, name: prefix === undefined ? stem : `${prefix}/${stem}`, sync, retention };
}
