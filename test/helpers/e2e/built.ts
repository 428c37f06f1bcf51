import { execFileSync } from "node:child_process";
import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const PROJECT = fileURLToPath(new URL("../../..", import.meta.url));
const SOURCES = ["src", "assembly", "build", "package.json"];

/** Global set-up of vitest: end-to-end tests run what is shipped, so dist/ is made again when a source is newer. */
export function setup(): void {
  const program = statSync(join(PROJECT, "dist", "cli.js"), { throwIfNoEntry: false });
  if (program !== undefined && program.mtimeMs >= Math.max(...SOURCES.map(newest))) return;
  execFileSync(process.execPath, [join(PROJECT, "build", "build.mjs")], { cwd: PROJECT, stdio: "inherit" });
}

function newest(source: string): number {
  const path = join(PROJECT, source);
  const stat = statSync(path);
  if (!stat.isDirectory()) return stat.mtimeMs;
  const files = readdirSync(path, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  return Math.max(0, ...files.map((entry) => statSync(join(entry.parentPath, entry.name)).mtimeMs));
}
