import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Schedule } from "./moves.ts";

/** Where schedules are kept that found something, in the program as it was or in one with a bug put in on purpose. */
export function foundFolder(projectFolder: string): string {
  return join(projectFolder, "test/simulation/found");
}

export function keptSchedules(
  projectFolder: string,
): readonly { readonly name: string; readonly schedule: Schedule }[] {
  const folder = foundFolder(projectFolder);
  return readdirSync(folder).map((name) => ({ name, schedule: readSchedule(join(folder, name)) }));
}

export function readSchedule(path: string): Schedule {
  return JSON.parse(readFileSync(path, "utf8")) as Schedule;
}
