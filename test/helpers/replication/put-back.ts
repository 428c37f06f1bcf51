import { readFileSync, rmSync, writeFileSync } from "node:fs";
import type Database from "better-sqlite3";
import { openApp } from "../sqlite/temp-database.ts";
import type { Stage } from "./stage.ts";

/** A database and its log as they are at one moment. */
export interface DatabaseFiles {
  readonly database: Buffer;
  readonly log: Buffer;
}

export function filesOf({ path }: Stage): DatabaseFiles {
  return { database: readFileSync(path), log: readFileSync(`${path}-wal`) };
}

/** Puts these bytes over the same inodes, while nobody has them open; the application is the first to open them again. */
export function putBack(stage: Stage, { database, log }: DatabaseFiles): Database.Database {
  stage.endLives();
  stage.app.close();
  writeFileSync(stage.path, database);
  writeFileSync(`${stage.path}-wal`, log);
  rmSync(`${stage.path}-shm`, { force: true });
  return openApp(stage.path);
}
