import { renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";

let writes = 0;

/** Writes a configuration whole: several processes of a job may be reading the one before. Returns its path. */
export function writeConfiguration(folder: string, name: string, lines: readonly string[]): string {
  const path = join(folder, name);
  const aside = `${path}.${++writes}`;
  writeFileSync(aside, `${lines.join("\n")}\n`);
  renameSync(aside, path);
  return path;
}
