import { isDeepStrictEqual } from "node:util";
import type { DatabaseSettings } from "../config/settings.ts";

export interface RunningDatabase {
  readonly database: DatabaseSettings;
  /** Was told to end, and drains. */
  readonly isLeaving: boolean;
}

export interface TaskFacts {
  readonly running: readonly RunningDatabase[];
  /** Those that ended without being told to: they are not begun again as they were. */
  readonly ended: readonly DatabaseSettings[];
  /** What the settings name, and what their patterns match now. */
  readonly wanted: readonly DatabaseSettings[];
}

export interface TaskChanges {
  readonly start: readonly DatabaseSettings[];
  /** No longer wanted. */
  readonly stop: readonly DatabaseSettings[];
  /** Wanted under another name, or by other means: stopped now, and started by a later call, when they have ended. */
  readonly restart: readonly DatabaseSettings[];
  /** Wanted with other settings that hold from now on; what runs goes on. */
  readonly adjust: readonly DatabaseSettings[];
  /** Another one has their name: both would write under one key prefix. */
  readonly refused: readonly { readonly database: DatabaseSettings; readonly holder: string }[];
}

/**
 * What to do so that exactly the wanted databases are watched, as they are wanted. A name is given away only after who had it is gone: two
 * writers of one remote database would be worse than a moment without one. Called again whenever a task ends or the files may have changed.
 */
export function reconcile({ running, ended, wanted }: TaskFacts): TaskChanges {
  const wantedByPath = new Map(wanted.map((database) => [database.path, database]));
  const runningByPath = new Map(running.map((one) => [one.database.path, one]));
  const endedByPath = new Map(ended.map((database) => [database.path, database]));
  const stays = ({ database, isLeaving }: RunningDatabase) =>
    !isLeaving && isHeldAlike(database, wantedByPath.get(database.path));

  const holders = new Map(running.map((one) => [one.database.name, one]));
  const started = new Map<string, DatabaseSettings>();
  const refused: TaskChanges["refused"][number][] = [];
  for (const database of wanted) {
    const { path, name } = database;
    if (runningByPath.has(path)) continue;
    if (isDeepStrictEqual(database, endedByPath.get(path))) continue;
    const holder = holders.get(name);
    const earlier = started.get(name) ?? (holder && stays(holder) ? holder.database : undefined);
    if (earlier !== undefined) refused.push({ database, holder: earlier.path });
    else if (holder === undefined) started.set(name, database);
  }
  const leave = running.filter((one) => !one.isLeaving && !stays(one)).map(({ database }) => database);
  const adjust = running.filter(stays).flatMap(({ database }) => {
    const next = wantedByPath.get(database.path);
    return next === undefined || isDeepStrictEqual(database, next) ? [] : [next];
  });
  return {
    ...{ start: [...started.values()], adjust },
    stop: leave.filter(({ path }) => !wantedByPath.has(path)),
    restart: leave.filter(({ path }) => wantedByPath.has(path)),
    refused,
  };
}

/** What is open stays open: another name is another copy, and an observer holds other locks and keeps its state elsewhere. */
function isHeldAlike(running: DatabaseSettings, wanted: DatabaseSettings | undefined): boolean {
  return wanted?.name === running.name && wanted.sync.observe === running.sync.observe;
}
